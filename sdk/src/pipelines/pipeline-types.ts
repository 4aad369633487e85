/** What an application says to a pipeline, and what a pipeline says of itself. */
import type { GroupDescription } from "@millrace/engine";
import type { GroupStart, WorkerEvent, WorkerOptions } from "../groups/group-types.ts";
import type { JobRestartOptions, JobSummary } from "../jobs/job-types.ts";

/** How a stream's data and a stage's values stand for each other: JSON, text in UTF-8, or the bytes as they are. */
export type ValueFormat = "json" | "text" | "bytes";

/** Where a value came from: the record that the stage read. */
export interface RecordOrigin {
  /** The record's own partition key, also behind `keyBy`. */
  readonly partitionKey: string;
  readonly sequenceNumber: string;
  readonly shardId: string;
  /** When the engine took the record, in ms since the Unix epoch. */
  readonly arrivalMs: number;
}

/**
 * What is kept for each key, a JSON value, and what comes of it. Functions of their arguments alone: a record may
 * come again. A state that JSON cannot hold, as NaN, fails with InvalidArgumentError.
 */
export interface Aggregation<Value, State, Result> {
  /** The state of a key that has none. */
  initial(key: string): State;
  /** The state after one more value; null removes it, and nothing comes of it then. */
  add(state: State, value: Value, origin: RecordOrigin): State | null | Promise<State | null>;
  /** What goes on for each value that was added; undefined for nothing. The state itself when absent. */
  result?(state: State, key: string): Result | undefined | Promise<Result | undefined>;
}

/** How a stream is read that no stage of the pipeline writes. */
export interface SourceOptions {
  /** "json" when absent. */
  readonly format?: ValueFormat;
  /** Where reading starts the first time; "TRIM_HORIZON" when absent. */
  readonly startingPosition?: GroupStart;
}

/** How a stage writes its stream. */
export interface SinkOptions {
  /** "json" when absent. */
  readonly format?: ValueFormat;
  /** Shards that the stream is created with when there is none; 1 when absent. */
  readonly shards?: number;
  /** Names the stage, and after the pipeline's name its group; `FROM-to-TO` when absent. */
  readonly stage?: string;
}

/** The stream between `keyBy` and an aggregation, which brings all records of a key together. */
export interface RekeyOptions {
  /** Its name; the pipeline's name and a number when absent. */
  readonly through?: string;
  /** Shards that it is created with; 1 when absent. */
  readonly shards?: number;
}

/** How the workers of all stages work; see `WorkerOptions` and `GroupOptions`. */
export interface PipelineStartOptions
  extends Pick<
    WorkerOptions,
    | "workerId"
    | "batchRecordsMax"
    | "reads"
    | "attemptsMax"
    | "retryMs"
    | "deadLetter"
    | "processMsMax"
    | "signal"
  > {
  readonly failoverMs?: number;
}

/** One stream of a pipeline. */
export interface PipelineNode {
  readonly streamName: string;
  /** "source" is written by nobody in the pipeline, "sink" read by nobody. */
  readonly role: "source" | "between" | "sink";
}

/** One stage of a pipeline. */
export interface PipelineEdge {
  readonly stage: string;
  readonly from: string;
  readonly to: string;
  /** What it does with each value, in order: "filter", "map", "flatMap", "keyBy", "aggregate". */
  readonly operators: readonly string[];
  readonly groupName: string;
  /** Leases, checkpoints and workers; undefined before the stage was started for the first time. */
  readonly group: GroupDescription | undefined;
  /** Records that it has not processed, over all shards whose leases there are. */
  readonly lagRecords: number;
  /** Age of the oldest of them, in ms. */
  readonly iteratorAgeMs: number;
}

/** A pipeline as a graph. */
export interface PipelineDescription {
  readonly name: string;
  /** Whether it runs in this thread. */
  readonly running: boolean;
  readonly nodes: readonly PipelineNode[];
  readonly edges: readonly PipelineEdge[];
}

/** An event of a stage's worker. */
export type PipelineEvent = WorkerEvent & { readonly stage: string };

/** How the stages of a pipeline run as jobs. All of it is stored, and is the same for whoever hosts them. */
export interface PipelineDeployment {
  /**
   * URL of the module whose export `definePipeline` made; see `JobDefinition.module`. A module that was changed
   * needs another URL: what a URL was loaded as once, a page keeps.
   */
  readonly module: string | URL;
  /** What the module exports the pipeline as; "default" when absent. */
  readonly export?: string;
  /** How the group workers of all stages work. */
  readonly worker?: Omit<PipelineStartOptions, "workerId" | "signal" | "failoverMs">;
  /** See `GroupOptions`; counts for groups that are not there yet. */
  readonly failoverMs?: number;
  /** Jobs workers of each stage, which share its shards, 1 to 64; 1 when absent. */
  readonly workers?: number;
  readonly restart?: JobRestartOptions;
}

/** One stage that is a job: the job is called as the stage's group is. */
export interface DeployedStage extends PipelineEdge {
  readonly job: JobSummary;
}

/** A pipeline whose stages are jobs, as a graph. */
export interface DeployedPipeline {
  readonly name: string;
  readonly nodes: readonly PipelineNode[];
  /** In the order of their names. */
  readonly edges: readonly DeployedStage[];
}

/** What goes with a pipeline that is removed. */
export interface PipelineRemoval {
  /** Whether the groups go, too, with checkpoints and state; false when absent: a later start goes on with them. */
  readonly groups?: boolean;
}
