/** Where the scripts of workers are, as the bundler names them. */

/**
 * Stands in for the browser's `Worker` in the calls below, and keeps the address instead of starting
 * anything: bundlers build a worker for exactly this form of call. For the engine's own they build the
 * file that the SDK's call has them build, and not a second one.
 */
class Worker {
  readonly address: string;

  constructor(url: URL, _options: { readonly type: "module" }) {
    this.address = url.href;
  }
}

/** Absolute URL of the script of the engine's worker. */
export function engineScript(): string {
  return new Worker(new URL("@millrace/engine/worker", import.meta.url), { type: "module" })
    .address;
}

/** Absolute URL of the script that sets a worker's clock wrong and then becomes the engine's worker. */
export function skewedScript(): string {
  return new Worker(new URL("./skewed-worker.ts", import.meta.url), { type: "module" }).address;
}
