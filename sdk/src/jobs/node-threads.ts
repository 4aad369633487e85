/**
 * Node's worker_threads, at both of their ends. Had without an import: bundlers for pages would stop at one,
 * and this file lies beside what pages load.
 */
import type { Wire } from "@millrace/engine";
import { errorText } from "./job-messages.ts";
import type { JobThread } from "./job-thread.ts";

const MIB = 1_048_576;

function workerThreads(): typeof import("node:worker_threads") | undefined {
  return globalThis.process?.getBuiltinModule?.("node:worker_threads");
}

/** Starts a thread of Node. @throws when this is not Node, or one that is too old. */
export function startNodeThread(url: string | URL, memoryBytesMax: number | null): JobThread {
  const threads = workerThreads();
  if (threads === undefined)
    throw new TypeError("there are neither workers nor worker_threads here");
  const limits =
    memoryBytesMax === null ? {} : { maxOldGenerationSizeMb: Math.ceil(memoryBytesMax / MIB) };
  // Threads take paths, and URLs as objects only.
  const script = String(url).startsWith("file:") ? new URL(url) : url;
  const worker = new threads.Worker(script, { resourceLimits: limits, ...threadOptions() });
  return {
    wire: {
      post: (message, transfer = []) =>
        worker.postMessage(message, transfer as Parameters<typeof worker.postMessage>[1]),
      listen: (listener) => worker.on("message", listener),
    },
    onFailure: (listener) => {
      worker.on("error", (error) => listener(errorText(error)));
      worker.on("exit", (code) => listener(`it ended with exit code ${code}`));
    },
    terminate: () => void worker.terminate(),
  };
}

/** What a thread is told of the process's options, as loaders: nothing where it has them by itself. */
function threadOptions(): { readonly execArgv?: string[] } {
  const { execArgv } = globalThis.process;
  // What says how text is run that is no file is refused with a file. All are named only then: those of the whole
  // process, as --max-old-space-size, are refused when they are named.
  const own = execArgv.filter((word) => !word.startsWith("--input-type"));
  return own.length === execArgv.length ? {} : { execArgv: own };
}

/** The way from a thread of Node to the thread that started it; undefined anywhere else. */
export function nodeWire(): Wire | undefined {
  const port = workerThreads()?.parentPort ?? undefined;
  if (port === undefined) return undefined;
  return {
    post: (message, transfer = []) =>
      port.postMessage(message, transfer as Parameters<typeof port.postMessage>[1]),
    listen: (listener) => port.on("message", listener),
  };
}

/** Bytes that the memory of this thread of Node holds; undefined anywhere else. */
export function nodeMemoryBytes(): number | undefined {
  const usage = globalThis.process?.memoryUsage?.();
  return usage === undefined ? undefined : usage.heapUsed + usage.arrayBuffers;
}
