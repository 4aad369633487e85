/** A thread that runs a job, as its host sees it: a worker in browsers, one of worker_threads in Node. */
import type { Wire } from "@millrace/engine";

/** A jobs worker that was started. */
export interface JobThread {
  readonly wire: Wire;
  /** A URL that no other thread has, where the browser tells the memory of each URL. */
  readonly url?: string;
  /** Calls back when the thread throws what nobody catches, cannot be loaded or ends by itself. */
  onFailure(listener: (reason: string) => void): void;
  /** Ends it at once, whatever it is doing. */
  terminate(): void;
}

/** Starts a thread whose memory may hold so many bytes, where that can be had; null for any number. */
export type StartThread = (memoryBytesMax: number | null) => JobThread;
