/**
 * The engine's worker, core and port broker as text, for pages that cannot serve them as files: as large as
 * all of them together, and a page's own only when it imports this.
 */

/** Both scripts; set by the build, absent when the sources run as they are. */
declare const MILLRACE_INLINE: { readonly worker: string; readonly broker: string } | undefined;

/** What `openEngine` is to be opened with instead of files. */
export interface InlineParts {
  /** A blob: URL. The page's CSP must allow `blob:` in worker-src. */
  readonly worker: string;
  /**
   * A data: URL, because it is the same one in all tabs. Where the CSP does not allow `data:` in worker-src, tabs
   * share the engine all the same, over a broadcast channel.
   */
  readonly broker: string;
  /** Tells the worker to take the core that it carries. */
  readonly wasm: string;
}

let parts: InlineParts | undefined;

/** The parts, made once per page; undefined when the package was not built. */
export function inlineParts(): InlineParts | undefined {
  if (typeof MILLRACE_INLINE === "undefined") return undefined;
  const { worker, broker } = MILLRACE_INLINE;
  // Never revoked: a worker that dies is started again.
  parts ??= {
    worker: URL.createObjectURL(new Blob([worker], { type: "text/javascript" })),
    broker: `data:text/javascript,${encodeURIComponent(broker)}`,
    wasm: "inline:core.wasm",
  };
  return parts;
}
