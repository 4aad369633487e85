/** Which version and build this is, so that a page never talks to a worker of another one. */

/** Set by the build; absent when the sources run as they are. */
declare const MILLRACE_BUILD_ID: string | undefined;

/** Version of the package. */
export const VERSION = "0.1.0";

/** Identifies the build: equal for a page's half and a worker's half that belong together. */
export const BUILD_ID: string = typeof MILLRACE_BUILD_ID === "string" ? MILLRACE_BUILD_ID : "source";

/** Version of the protocol between page and worker. */
export const PROTOCOL = 1;
