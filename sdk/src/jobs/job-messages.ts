/** What a page and its jobs workers say to each other, besides what attaches them to the engine. */
import type { JobSpec } from "@millrace/engine";

/** What one worker is to do. */
export interface JobOrder {
  readonly engineName: string;
  readonly spec: JobSpec;
  /** How it is named in the job's group. */
  readonly workerId: string;
  readonly workerIndex: number;
  /** See `RecordBatcher`. */
  readonly inTurn: boolean;
  /** Name of a lock that the worker holds for as long as it lives. */
  readonly life: string;
  /** How often it is to tell that it lives, in ms. */
  readonly beatMs: number;
}

/** From the page to a jobs worker. */
export type HostMessage =
  | { readonly millraceJob: "begin"; readonly order: JobOrder }
  /** Finish what is under way, and say so. */
  | { readonly millraceJob: "stop" };

/** From a jobs worker to its page. */
export type JobMessage =
  /** The worker holds the lock that tells its life. */
  | { readonly millraceJob: "alive" }
  | { readonly millraceJob: "running" }
  | {
      readonly millraceJob: "beat";
      /** Records that were processed. */
      readonly records: number;
      readonly memoryBytes: number | undefined;
    }
  | { readonly millraceJob: "log"; readonly text: string }
  /** A fatal one ends the worker. */
  | { readonly millraceJob: "error"; readonly message: string; readonly fatal: boolean }
  | { readonly millraceJob: "stopped" };

/** Whether a message is one of these: the way is shared with others. */
export function isJobMessage(message: unknown): message is HostMessage | JobMessage {
  return typeof message === "object" && message !== null && "millraceJob" in message;
}

/** An error as people read it. */
export function errorText(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
