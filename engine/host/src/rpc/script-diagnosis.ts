/**
 * Finds out why a worker did not load, which browsers do not tell: a bare error event, or nothing at all.
 * Loaded when one did not.
 */

import { withDeadline } from "../platform/deadline.ts";
import type { Clock } from "../platform/platform.ts";
import { urlGivenBy } from "./given-url.ts";
import type { Diagnosis } from "./thread.ts";

/** For how long a server may keep its answer to itself, and the script its first failure, in ms. */
const FETCH_MS = 2000;
const TRIAL_MS = 700;

const WHAT_TO_DO =
  "Serve worker.js of @millrace/engine at this URL, under a JavaScript type and with a CSP that allows it " +
  "(worker-src), or pass `worker`: the URL at which you serve it";

/** What is wrong with the server's answer; undefined when nothing is. @throws when there is no answer. */
async function askServer(url: string, clock: Clock): Promise<string | undefined> {
  const silent = new Error("the server does not answer");
  const response = await withDeadline(clock, FETCH_MS, fetch(url), () => silent);
  const type = response.headers.get("content-type") ?? "no type";
  if (!response.ok) {
    return `the server answers ${response.status} ${response.statusText}`.trim();
  }
  if (!/javascript|ecmascript/.test(type)) return `the server sends it as ${type}`;
  const late = new Error("the server does not send all of it");
  await withDeadline(clock, FETCH_MS, response.arrayBuffer(), () => late);
  const policy = response.headers.get("cross-origin-embedder-policy");
  if (!globalThis.crossOriginIsolated || policy !== null || !url.startsWith("http")) {
    return undefined;
  }
  return "the page is cross-origin isolated and the script comes without Cross-Origin-Embedder-Policy";
}

/**
 * Starts the script once more and listens more closely: for the CSP that forbids it, and, because the failure
 * of a module has no text, as a classic script. An engine's worker that starts does nothing before it is greeted.
 */
async function tryAgain(url: string, clock: Clock): Promise<string | undefined> {
  let worker: Worker | undefined;
  let stop = (): void => undefined;
  const found = new Promise<string>((resolve) => {
    const forbidden = ({ effectiveDirective, blockedURI }: SecurityPolicyViolationEvent): void => {
      // Of what is no file of a server only the scheme is told. The question to the server may be forbidden, too.
      if (url !== blockedURI && !url.startsWith(`${blockedURI}:`)) return;
      if (effectiveDirective === "connect-src") return;
      resolve(`the page's CSP forbids ${blockedURI}: allow it in ${effectiveDirective}`);
    };
    globalThis.addEventListener("securitypolicyviolation", forbidden);
    stop = () => globalThis.removeEventListener("securitypolicyviolation", forbidden);
    worker = new Worker(url);
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      // A module may be no classic script for reasons that do not stop a module.
      const { message = "" } = event;
      if (message !== "" && !/\b(import|export|await)\b/.test(message)) resolve(message);
    });
  });
  try {
    return await withDeadline(clock, TRIAL_MS, found, () => new Error("it does not fail"));
  } catch {
    return undefined;
  } finally {
    stop();
    worker?.terminate();
  }
}

/** Chromium and WebKit throw at once, Firefox only lets the worker fail. */
function isForeign(url: string): boolean {
  return url.startsWith("http") && new URL(url).origin !== globalThis.location?.origin;
}

async function findCause(url: string, clock: Clock): Promise<string> {
  if (isForeign(url)) return "a worker's script must come from the page's own origin";
  let why: string | undefined;
  let unreachable: unknown;
  try {
    why = await askServer(url, clock);
  } catch (error) {
    unreachable = error;
  }
  why ??= await tryAgain(url, clock);
  if (why !== undefined) return why;
  if (unreachable !== undefined && url.startsWith("http")) {
    return `it cannot be fetched (${String(unreachable)})`;
  }
  return "the script is there, but something that it imports, or a policy, stops or delays it";
}

/** Finds out why the worker that `make` makes did not load. `url` is where from, as far as it is known. */
export async function diagnoseScript(
  url: string,
  make: () => unknown,
  clock: Clock,
): Promise<Diagnosis> {
  const address = /^(https?|blob|data):/.test(url) ? url : urlGivenBy(make);
  if (address === undefined) return { url, why: "the browser gives no reason" };
  return { url: address, why: `${await findCause(address, clock)}. ${WHAT_TO_DO}` };
}
