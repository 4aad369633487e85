/** Where jobs workers come from. In this folder, because the jobs worker's script lies beside it once it is built. */
import {
  hexOfBytes,
  systemRandom,
  urlGivenBy,
  WorkerLoadError,
  type WorkerSource,
} from "@millrace/engine";
import type { JobThread } from "./jobs/job-thread.ts";
import { measuresMemory } from "./jobs/memory-by-url.ts";
import { startNodeThread } from "./jobs/node-threads.ts";

function threadOfWorker(worker: Worker, url?: string): JobThread {
  return {
    ...(url === undefined ? {} : { url }),
    wire: {
      post: (message, transfer = []) => worker.postMessage(message, transfer),
      listen: (listener) =>
        worker.addEventListener("message", ({ data }: MessageEvent<unknown>) => listener(data)),
    },
    onFailure: (listener) => {
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        // One that cannot be loaded gives a bare event.
        listener(event.message || "its script could not be loaded");
      });
      worker.addEventListener("messageerror", () => listener("a message could not be read"));
    },
    terminate: () => worker.terminate(),
  };
}

function makeWorker(source: WorkerSource | undefined): Worker {
  // Bundlers find the worker by exactly this form of call.
  if (source === undefined)
    return new Worker(new URL("./jobs-worker.js", import.meta.url), { type: "module" });
  if (typeof source === "function") return source();
  return new Worker(new URL(source, globalThis.location?.href), { type: "module" });
}

/** A worker whose memory the browser tells apart from that of others of the same script. */
function measuredThread(source: WorkerSource | undefined): JobThread {
  const script = urlGivenBy(() => makeWorker(source));
  if (script === undefined) return threadOfWorker(makeWorker(source));
  const url = new URL(script);
  url.hash = hexOfBytes(systemRandom.fill(new Uint8Array(8)));
  return threadOfWorker(new Worker(url, { type: "module" }), url.href);
}

/**
 * Starts a jobs worker; the package's own script when no source is given.
 *
 * @throws WorkerLoadError when it is refused at once.
 */
export function startJobThread(
  source: WorkerSource | undefined,
  memoryBytesMax: number | null,
): JobThread {
  try {
    if (typeof Worker !== "undefined") {
      const measured = memoryBytesMax !== null && measuresMemory();
      return measured ? measuredThread(source) : threadOfWorker(makeWorker(source));
    }
    // Written out as above, it would make bundlers copy the script a second time.
    const url = source ?? new URL(["./jobs-worker", "js"].join("."), import.meta.url);
    if (typeof url !== "function") return startNodeThread(url, memoryBytesMax);
  } catch (error) {
    throw new WorkerLoadError(
      `the jobs worker could not be started from ${String(source ?? "the package")}: ${String(error)}`,
      { argument: "jobsWorker", value: String(source), cause: error },
    );
  }
  throw new WorkerLoadError("in Node the jobs worker is given by its URL or path", {
    argument: "jobsWorker",
    value: "function",
  });
}
