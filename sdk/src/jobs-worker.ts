/** The jobs worker: runs one job beside the engine. In browsers a worker, in Node one of worker_threads. */
import type { Wire } from "@millrace/engine";
import { JobRunner } from "./jobs/job-runner.ts";
import { nodeMemoryBytes, nodeWire } from "./jobs/node-threads.ts";

/** A worker's way to its page. */
const pageWire: Wire = {
  post: (message, transfer = []) => globalThis.postMessage(message, { transfer }),
  listen: (listener) =>
    globalThis.addEventListener("message", ({ data }: MessageEvent<unknown>) => listener(data)),
};

async function holdLock(name: string): Promise<boolean> {
  const locks: LockManager | undefined = globalThis.navigator?.locks;
  if (locks === undefined) return false;
  return await new Promise((resolve) => {
    const held = locks.request(name, () => {
      resolve(true);
      return new Promise(() => undefined);
    });
    held.catch(() => resolve(false));
  });
}

const inNode = nodeWire();
const runner = new JobRunner(
  inNode === undefined
    ? { wire: pageWire, holdLock, memoryBytes: () => undefined }
    : { wire: inNode, holdLock: async () => false, memoryBytes: nodeMemoryBytes },
);
if (inNode === undefined) {
  // What is thrown outside of any call reaches the page as an event; what is rejected does not.
  globalThis.addEventListener("unhandledrejection", ({ reason }) => runner.failed(reason));
}
