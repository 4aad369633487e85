/** What an application says of its jobs and is told of them, and what a job's module has to do with. */
import type { JobRestart, JobState, JobWorkerReport, JsonValue } from "@millrace/engine";
import type { GroupOptions, WorkerOptions } from "../groups/group-types.ts";
import type { ProcessorFactory } from "../groups/group-worker.ts";
import type { Streams } from "../streams.ts";

/** The consumer group that a job works for. */
export interface JobGroupOptions {
  readonly streamName: string;
  /** Unique in its engine; the job's name when absent. */
  readonly name?: string;
  /** For a group that is not there yet. */
  readonly options?: GroupOptions;
}

/** Options of the group's workers; they are stored with the job. */
export type JobWorkerOptions = Omit<WorkerOptions, "workerId" | "signal">;

/** When a jobs worker is ended, and how soon another one begins in its place. */
export interface JobRestartOptions {
  /** First pause before another worker begins, in ms, doubled with every failure; 1,000 when absent. */
  readonly firstMs?: number;
  /** Longest pause, in ms; 60,000 when absent. */
  readonly longestMs?: number;
  /** A worker that ran for so long has failed for the first time again, in ms; 60,000 when absent. */
  readonly quietMs?: number;
  /** So many failures one after the other give the job up, 1 at the first one; any number when absent. */
  readonly attemptsMax?: number;
  /** A worker that is silent for so long, as in an endless loop, is ended, in ms; 10,000 when absent. To load, it has 30 s. */
  readonly stallMs?: number;
  /**
   * A worker whose memory holds more bytes is ended. Has an effect in Node, and in Chromium in pages that are
   * cross-origin isolated, which tells it twice a minute or so; nowhere else can it be told.
   */
  readonly memoryBytesMax?: number;
}

/** What a job is. All of it is stored, and is the same for whoever hosts the job. */
export interface JobDefinition {
  /**
   * URL of a module that whoever hosts the job can load: of the page's origin, in Node a file's. Relative ones are
   * the page's; `data:` and `blob:` are refused.
   */
  readonly module: string | URL;
  /**
   * What the module exports the job as: a {@link JobModule}, or what `defineTrigger` or `defineReplication` answers
   * with; "default" when absent.
   */
  readonly export?: string;
  /** Handed to the job. */
  readonly settings?: JsonValue;
  readonly group: JobGroupOptions;
  readonly worker?: JobWorkerOptions;
  /** Jobs workers that run it at the same time, each with its part of the shards, 1 to 64; 1 when absent. */
  readonly workers?: number;
  readonly restart?: JobRestartOptions;
}

/** What a job's module works with. */
export interface JobContext {
  readonly jobName: string;
  /** As they were defined. */
  readonly settings: JsonValue;
  /** The engine's streams, over a way of the worker's own. */
  readonly streams: Streams;
  /** Aborted when the job is to stop. */
  readonly signal: AbortSignal;
  /** From 0 up to the job's number of workers. */
  readonly workerIndex: number;
  /** Keeps a line, which `describe()` shows with the last ones before it. */
  log(text: string): void;
}

/** A job that has more to say than how its processors are made. */
export interface JobParts {
  readonly factory: ProcessorFactory;
  /** Options of its group's worker that stand above those of the definition, as what its processors rely on. */
  readonly worker?: JobWorkerOptions;
  /** Called when all processors have stopped. */
  stop?(): void | Promise<void>;
}

/** What a job's module exports: called once in each worker; makes the processors of its leases. */
export type JobModule = (
  context: JobContext,
) => ProcessorFactory | JobParts | Promise<ProcessorFactory | JobParts>;

/** A job as it is. */
export interface JobSummary {
  readonly name: string;
  /**
   * "waiting": it is to run, and no page hosts it at present; "starting", "running"; "restarting": a worker
   * failed, and the next one begins after a pause; "stopped"; "failed": it was given up.
   */
  readonly state: JobState;
  /** `memberId` of the tab that hosts it; undefined when none does. */
  readonly hostId: string | undefined;
  readonly module: string;
  readonly export: string;
  readonly settings: JsonValue;
  readonly groupName: string;
  readonly streamName: string;
  readonly restart: JobRestart;
  /** Rises with every change of the definition, and when it is started or stopped. */
  readonly version: number;
  readonly createdAt: Date;
  /** By index; empty while nobody hosts it. */
  readonly workers: readonly JobWorkerReport[];
  /** Workers that began in the place of one that failed, since the present host began. */
  readonly restarts: number;
  /** The newest one of its workers. */
  readonly lastError: JobWorkerReport["lastError"];
  /** Records that were processed since the present host began. */
  readonly records: number;
  readonly recordsPerSecond: number;
  /** The last lines that it logged. */
  readonly log: readonly string[];
}

/** A job as it is, and how far its group is. */
export interface JobDescription extends JobSummary {
  /** Records behind the checkpoints of all shards. */
  readonly lagRecords: number;
  /** Age of the oldest of them, in ms. */
  readonly iteratorAgeMs: number;
}

export type { JobWorkerReport } from "@millrace/engine";
