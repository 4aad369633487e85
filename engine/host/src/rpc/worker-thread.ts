/**
 * Workers as threads. Apart from everything that a worker itself imports: a bundler that finds the
 * worker's URL in the worker would build it inside itself.
 */
import { WorkerLoadError } from "../errors/index.ts";
import type { EngineThread } from "./thread.ts";

/** Where a page gets its engine worker from: a URL, or a function that makes the worker. */
export type WorkerSource = string | URL | (() => Worker);

/** A worker as a thread; it is the engine's from now on. */
export function threadOfWorker(worker: Worker, url: string): EngineThread {
  return {
    url,
    greet: (hello) => worker.postMessage(hello, [hello.control, hello.data]),
    onMessage: (listener) =>
      worker.addEventListener("message", (event: MessageEvent<unknown>) => listener(event.data)),
    onFailure: (listener) => {
      // A worker that cannot be loaded gives a bare event without any message.
      worker.addEventListener("error", (event) => {
        if (listener(event.message || undefined)) event.preventDefault();
      });
      worker.addEventListener("messageerror", () => listener("a message could not be read"));
    },
    terminate: () => worker.terminate(),
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
    return threadOfWorker(makeWorker(source, url), url);
  } catch (error) {
    throw new WorkerLoadError(
      `the engine's worker could not be started from ${url}: ${String(error)}. A worker's script must ` +
        "come from the page's own origin: serve the engine's worker.js there and pass its URL as " +
        "`worker`, or pass a function that makes the worker",
      { argument: "worker", value: url, cause: error },
    );
  }
}
