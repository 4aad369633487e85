/** What jobs have, and may do, that the package makes itself: besides what every job has, the engine's client. */
import type { EngineClient, JobSpec } from "@millrace/engine";
import type { ConsumerGroup } from "../groups/consumer-group.ts";
import type { WorkerOptions } from "../groups/group-types.ts";
import type { GroupWorker, ProcessorFactory } from "../groups/group-worker.ts";
import type { JobContext } from "./job-types.ts";

/** See above. */
export interface JobInside {
  readonly client: EngineClient;
  readonly context: JobContext;
  /** The group that it works for. */
  readonly group: JobSpec["group"];
  /** Options of the group's worker, as the job's definition has them. */
  readonly worker: JobSpec["worker"];
  /** Says what failed and is tried again; the job's description has it as `lastError`. */
  readonly failed: (error: unknown) => void;
}

/** Starts the job's worker in its group, under the name that it has there; its records are counted. */
export type StartGroupWorker = (factory: ProcessorFactory, options: WorkerOptions) => GroupWorker;

/** A job that was begun. */
export interface BegunJob {
  /** Resolves when its work has stopped, and rejects with what ended it: another worker begins in its place. */
  readonly finished: Promise<unknown>;
  /** Lets what is under way finish. */
  stop(): Promise<void>;
}

/** A job that starts its worker itself, and judges what the worker tells. */
export interface SelfStartingJob {
  /** Begins it. May take as long as it needs; the context's signal ends the wait. @throws what ends the job. */
  begin(group: ConsumerGroup, start: StartGroupWorker): Promise<BegunJob>;
}
