/**
 * Which modules a job may run: the application's own. A job's definition lies in the log, and a log may come from
 * anybody.
 */

/**
 * What the module of a job must be and is not; undefined when it may run: in a page of the page's origin, in Node a
 * file. URLs that are code themselves, and those that end with their page, never are.
 */
export function refusalOfModule(module: string): string | undefined {
  const page = globalThis.location;
  const must =
    page === undefined ? "the URL of a file" : `a URL of this origin, other than data: and blob:`;
  if (!URL.canParse(module)) return must;
  const { protocol, origin } = new URL(module);
  if (page === undefined) return protocol === "file:" ? undefined : must;
  if (protocol === "data:" || protocol === "blob:") return must;
  // Files have no origin to compare.
  return origin === page.origin && (origin !== "null" || protocol === page.protocol)
    ? undefined
    : must;
}
