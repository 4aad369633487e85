/** One line of an access log as the demo's pipeline understands it. */

/** What the pipeline goes on with. */
export interface LogRequest {
  readonly client: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
}

const LINE = /^(\S+) \S+ \S+ \[[^\]]*\] "([A-Z]+) (\S+)[^"]*" (\d{3}) (\d+|-)/;

/** The request of a line in the combined format; undefined for anything else. */
export function requestIn(line: string): LogRequest | undefined {
  const found = LINE.exec(line);
  if (found === null) return undefined;
  const [, client = "", method = "", path = "", status = "", bytes = ""] = found;
  return { client, method, path, status: Number(status), bytes: bytes === "-" ? 0 : Number(bytes) };
}
