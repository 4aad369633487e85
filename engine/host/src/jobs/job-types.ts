/** The vocabulary of jobs as all layers above use it: plain data, no behaviour. */
import type { GroupPosition } from "../groups/group-types.ts";
import type { DocumentValue } from "../log/control-records.ts";

/** Most jobs workers of one job. */
export const JOB_WORKERS_MAX = 64;
/** Longest span in the rules by which a job's workers begin anew, in ms: a day. */
export const JOB_RESTART_MS_MAX = 86_400_000;

/** The consumer group that a job works for; made with the job when there is none. */
export type JobGroup = {
  /** Unique in its engine. */
  readonly name: string;
  readonly streamName: string;
  readonly startingPosition: GroupPosition;
  readonly failoverMs?: number;
  readonly handOverMs?: number;
};

/** When a jobs worker is ended, and how soon another one begins in its place. */
export type JobRestart = {
  /** First pause before another worker begins, in ms; doubled with every failure. */
  readonly firstMs: number;
  /** Longest pause, in ms. */
  readonly longestMs: number;
  /** A worker that ran for so long has failed for the first time again, in ms. */
  readonly quietMs: number;
  /** So many failures one after the other give the job up, 1 at the first one; null for any number. */
  readonly attemptsMax: number | null;
  /** A worker that is silent for so long is ended, in ms. */
  readonly stallMs: number;
  /** A worker that holds more is ended, where its memory can be told; null for no limit. */
  readonly memoryBytesMax: number | null;
};

/** What a job is defined by. A type and not an interface, so that it is a JSON value to the compiler. */
export type JobSpec = {
  /** 1 to 128 of a-z, A-Z, 0-9, `_`, `.` and `-`. */
  readonly name: string;
  /** Absolute URL of a module. */
  readonly module: string;
  /** What the module exports the job as. */
  readonly exportName: string;
  /** What the job is told; JSON. */
  readonly settings: DocumentValue;
  readonly group: JobGroup;
  /** Options of the group's workers; JSON. */
  readonly worker: { readonly [option: string]: DocumentValue };
  /** Jobs workers that run it at the same time. */
  readonly workers: number;
  readonly restart: JobRestart;
};

/** A job as it is stored. */
export type StoredJob = {
  readonly spec: JobSpec;
  readonly wanted: "running" | "stopped";
  /** Rises with every change of what the job is or is to do: workers of another version are ended. */
  readonly version: number;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
};

/**
 * How a job is doing: nobody hosts it at present; its workers begin; they run; one of them failed and waits
 * for its successor; it was stopped; one of its workers failed for good.
 */
export type JobState = "waiting" | "starting" | "running" | "restarting" | "stopped" | "failed";

/** One of a job's workers, as its host tells of it. */
export interface JobWorkerReport {
  readonly state: Exclude<JobState, "waiting" | "stopped">;
  /** How it is named in the job's group; undefined while there is none. */
  readonly workerId: string | undefined;
  /** Workers that began in the place of one that failed, since the host began. */
  readonly restarts: number;
  /** Why the last one failed, or what its processor threw last. */
  readonly lastError: { readonly atMs: number; readonly message: string } | undefined;
  /** Records that processors are done with, since the host began. */
  readonly records: number;
  readonly recordsPerSecond: number;
  /** What the worker's memory holds; undefined where that cannot be told. */
  readonly memoryBytes: number | undefined;
}

/** What a job's host tells of it. */
export interface JobReport {
  readonly name: string;
  readonly version: number;
  /** One per worker. */
  readonly workers: readonly JobWorkerReport[];
  /** The last lines that the job logged. */
  readonly log: readonly string[];
}

/** A job as it is. */
export interface JobStatus extends StoredJob {
  readonly state: JobState;
  /** Random id of the context whose page hosts it; undefined when nobody does, empty where there is but one. */
  readonly hostId: string | undefined;
  /**
   * Of the present host; undefined when there is none. Of a job whose definition cannot be, as in a log that was
   * imported, it says why, and the job never runs.
   */
  readonly report: JobReport | undefined;
}
