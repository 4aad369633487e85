/** The thread that an engine runs in, as its page sees it. */
import { WorkerLoadError } from "../errors/index.ts";
import type { Hello } from "./messages.ts";

/** A thread that answers hellos. */
export interface EngineThread {
  /** Where its code comes from, for messages to people. */
  readonly url: string;
  /** Sends the hello; its ports are transferred. */
  greet(hello: Hello): void;
  /** Calls back with everything the thread posts. */
  onMessage(listener: (data: unknown) => void): void;
  /** Calls back when the thread fails; `reason` is undefined when the browser does not tell. */
  onFailure(listener: (reason: string | undefined) => void): void;
  /** Ends the thread at once. */
  terminate(): void;
}

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
      worker.addEventListener("error", (event) => listener(event.message || undefined));
      worker.addEventListener("messageerror", () => listener("a message could not be read"));
    },
    terminate: () => worker.terminate(),
  };
}

function urlOf(source: WorkerSource | undefined): string {
  if (source === undefined) return new URL("../worker.js", import.meta.url).href;
  if (typeof source === "function") return "the function given as worker";
  return new URL(source, globalThis.location?.href).href;
}

function makeWorker(source: WorkerSource | undefined, url: string): Worker {
  // Bundlers find the worker by exactly this form of call.
  if (source === undefined) return new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
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

/** Asks the server what is wrong with a worker that did not load, for the browser does not tell. */
export async function diagnoseScript(url: string): Promise<string> {
  if (!/^(https?|blob|data):/.test(url)) return "the browser gives no reason";
  try {
    const response = await fetch(url);
    const type = response.headers.get("content-type") ?? "no type";
    if (!response.ok) return `the server answers ${response.status} ${response.statusText}`.trim();
    if (!/javascript|ecmascript/.test(type)) return `the server sends it as ${type}`;
    return "the script is there, but an import of it, its syntax or the page's CSP stops it";
  } catch (error) {
    return `it cannot be fetched (${String(error)})`;
  }
}
