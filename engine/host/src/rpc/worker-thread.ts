/**
 * Workers as threads. Apart from everything that a worker itself imports: a bundler that finds the
 * worker's URL in the worker would build it inside itself.
 */
import { seeLoadingPage, WorkerLoadError } from "../errors/index.ts";
import { whenFree } from "../platform/locks.ts";
import { systemRandom } from "../platform/system-random.ts";
import { isHelloAnswer, portsOf } from "./messages.ts";
import type { EngineThread } from "./thread.ts";

/** Where a page gets its engine worker from: a URL, or a function that makes the worker. */
export type WorkerSource = string | URL | (() => Worker);

/** A worker as a thread; it is the engine's from now on. */
function threadOfWorker(make: () => Worker, url: string): EngineThread {
  const worker = make();
  const life = `millrace:worker:${systemRandom.fill(new Uint8Array(16)).join("")}`;
  const listeners: ((reason: string | undefined) => boolean)[] = [];
  let unwatch = (): void => undefined;
  const watch = ({ data }: MessageEvent<unknown>): void => {
    if (!isHelloAnswer(data) || data.millrace !== "ready") return;
    // A worker that somebody ends makes no event, but it lets go of its lock.
    unwatch = whenFree(life, () => {
      for (const listener of listeners) listener("it ended without an error");
    });
  };
  return {
    url,
    greet: (hello) => {
      worker.addEventListener("message", watch);
      worker.postMessage({ ...hello, life }, portsOf(hello));
    },
    onMessage: (listener) =>
      worker.addEventListener("message", (event: MessageEvent<unknown>) => listener(event.data)),
    onFailure: (listener) => {
      listeners.push(listener);
      // A worker that cannot be loaded gives a bare event without any message.
      worker.addEventListener("error", (event) => {
        if (listener(event.message || undefined)) event.preventDefault();
      });
      worker.addEventListener("messageerror", () => listener("a message could not be read"));
    },
    // Rare, so that it is loaded only then.
    diagnose: async (clock) =>
      await (await import("./script-diagnosis.ts")).diagnoseScript(url, make, clock),
    terminate: () => {
      unwatch();
      worker.terminate();
    },
  };
}

function urlOf(source: WorkerSource | undefined): string {
  // Its URL, written out a second time, would make bundlers copy the worker a second time.
  if (source === undefined)
    return `@millrace/engine's worker.js, looked for from ${import.meta.url}`;
  if (typeof source === "function") return "the function given as worker";
  return new URL(source, globalThis.location?.href).href;
}

function makeWorker(source: WorkerSource | undefined, url: string): Worker {
  // Bundlers find the worker by exactly this form of call.
  if (source === undefined)
    return new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
  if (typeof source === "function") return source();
  return new Worker(url, { type: "module" });
}

/**
 * Starts the engine's worker; the package's own when no source is given.
 *
 * @throws WorkerLoadError when the browser refuses the URL at once, as for another origin's.
 */
export function startWorker(source: WorkerSource | undefined): EngineThread {
  let url = String(source);
  try {
    url = urlOf(source);
    return threadOfWorker(() => makeWorker(source, url), url);
  } catch (error) {
    throw new WorkerLoadError(
      seeLoadingPage(
        `the engine's worker could not be started from ${url}: ${String(error)}. ` +
          "A worker's script must come from the page's own origin",
      ),
      { argument: "worker", value: url, cause: error },
    );
  }
}
