/** Which version and build this is, so that a page never talks to a worker of another one. */
import { VersionMismatchError } from "../errors/index.ts";

/** Set by the build; absent when the sources run as they are. */
declare const MILLRACE_BUILD_ID: string | undefined;

/** Version of the package. */
export const VERSION = "0.1.0";

/** Identifies the build: equal for a page's half and a worker's half that belong together. */
export const BUILD_ID: string =
  typeof MILLRACE_BUILD_ID === "string" ? MILLRACE_BUILD_ID : "source";

/** Version of the protocol between page and worker. */
export const PROTOCOL = 1;

/** Refuses a counterpart of another protocol, version or build. @throws VersionMismatchError. */
export function checkCounterpart(
  who: "page" | "worker",
  its: { readonly protocol: number; readonly version: string; readonly buildId: string },
): void {
  const describe = (one: typeof its): string =>
    `version ${one.version}, build ${one.buildId}, protocol ${one.protocol}`;
  const own = { protocol: PROTOCOL, version: VERSION, buildId: BUILD_ID };
  if (describe(own) === describe(its)) return;
  const other = who === "page" ? "worker" : "page";
  throw new VersionMismatchError(
    `the ${who} is of ${describe(its)}, but the ${other} of ${describe(own)}: serve both from one ` +
      "installation of @millrace/engine, and reload pages that an update left behind",
    {
      argument: "version",
      value: `${its.version}/${its.buildId}`,
      limit: `${VERSION}/${BUILD_ID}`,
    },
  );
}
