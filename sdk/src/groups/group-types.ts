/** What an application says to a consumer group and hears from it: the KCL's terms, over one engine. */
import type { StreamRecord } from "@millrace/engine";
import type { ReadFrom } from "../read-options.ts";
import type { ReplicationMark } from "../replication/mark.ts";

/** Where a group starts a shard that nobody has read yet: not at a sequence number. */
export type GroupStart = Exclude<ReadFrom, { readonly sequenceNumber: string }>;

/** What a group is, for all of its workers; the first one that names it decides. */
export interface GroupOptions {
  /** Where reading starts the first time; `LATEST` when absent, as with the KCL. */
  readonly from?: GroupStart;
  /** A worker that is not heard of for so long loses its leases, in ms; 10,000 when absent. */
  readonly failoverMs?: number;
  /** How long a worker may take to give a lease back when another one is to have it, in ms; 30,000 when absent. */
  readonly handOverMs?: number;
}

/** One record as the application put it: members of an aggregate come one by one. */
export interface UserRecord {
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
  /** 56 decimal digits; members of one aggregate share it. */
  readonly sequenceNumber: string;
  /** Place in the aggregate; 0 for a record that is none. */
  readonly subSequenceNumber: number;
  readonly shardId: string;
  /** When the engine took the record, in ms since the Unix epoch. */
  readonly arrivalMs: number;
  /** A view of the batch's memory; do not write to it. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The stored record that it was in. */
  readonly stored: StreamRecord;
  /** Where it was put first, of a record that `stream.replicateTo()` shipped here. */
  readonly mark?: ReplicationMark | undefined;
}

/** A record for another stream that is stored together with a checkpoint, or not at all. */
export interface OutputRecord {
  readonly streamName: string;
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
  readonly data: Uint8Array | ArrayBuffer | string;
}

/** A JSON value that a processor keeps from one worker to the next. */
export type StateValue =
  | string
  | number
  | boolean
  | null
  | readonly StateValue[]
  | { readonly [member: string]: StateValue };

/** What is stored in one step with a checkpoint: all of it or nothing. */
export interface CheckpointWith {
  /** The last record that is done with; the last one of the batch when absent. */
  readonly at?: Pick<UserRecord, "sequenceNumber" | "subSequenceNumber">;
  /** Records for other streams of the same engine: at most 8 MiB, or one record of any size that its stream takes. They are put even over a shard's quota. */
  readonly outputs?: readonly OutputRecord[];
  /**
   * By stream name, the index of its newest shard when outputs were made for its shards. Nothing is stored, and
   * ResourceInUseError thrown, when that stream was split or merged since.
   */
  readonly newestShards?: Readonly<Record<string, number>>;
  /** The processor's state under each key; null removes it. */
  readonly state?: Readonly<Record<string, StateValue>>;
  /** State that the processors of shards that this one was split or merged into begin with, by shard id. */
  readonly childState?: Readonly<Record<string, Readonly<Record<string, StateValue>>>>;
  /** The shard, which must be closed, is finished, also where some of its records were not delivered. */
  readonly shardEnd?: boolean;
}

/** How a processor says what is done. */
export interface Checkpointer {
  /**
   * Stores that all records up to one are done with, together with outputs and state; durable when it
   * resolves. Checkpoints only go forward.
   *
   * @throws LeaseLostError when another worker has the lease: nothing of it was stored.
   * @throws InvalidArgumentError for a record of another shard, or one that was not delivered yet.
   */
  checkpoint(what?: CheckpointWith): Promise<void>;
}

/** One delivery to a processor. */
export interface ProcessInput {
  /** In the order of the shard; at least one. */
  readonly records: readonly UserRecord[];
  readonly checkpointer: Checkpointer;
  /** How far the batch's end is behind the newest record of the shard, in ms. */
  readonly millisBehindLatest: number;
  /** Aborted when the lease is lost or the worker stops without waiting. */
  readonly signal: AbortSignal;
}

/** What a processor is told when it begins. */
export interface InitializeInput {
  readonly shardId: string;
  /** The processor's state as the last checkpoint left it. */
  readonly state: Readonly<Record<string, StateValue>>;
  /** For the lease's whole time. While no record is named it leaves the checkpoint where it is. */
  readonly checkpointer: Checkpointer;
  /** Aborted when the processor is waited for: the worker stops, or another one is to have the lease or has it. */
  readonly leaving: AbortSignal;
}

/** The KCL's ShardRecordProcessor: one is made for each lease that a worker gets. */
export interface ShardProcessor {
  initialize?(input: InitializeInput): void | Promise<void>;
  /** A batch whose processing throws is delivered again after a pause, without the records that were checkpointed. */
  processRecords(input: ProcessInput): void | Promise<void>;
  /** Another worker has the lease: nothing can be checkpointed any more. */
  leaseLost?(): void | Promise<void>;
  /** All records of a closed shard were delivered. When it resolves, the shard's end is checkpointed and its children begin. */
  shardEnded?(input: { readonly checkpointer: Checkpointer }): void | Promise<void>;
  /** The worker stops, or is to give the lease to another: the last moment for a checkpoint. */
  shutdownRequested?(input: { readonly checkpointer: Checkpointer }): void | Promise<void>;
}

/** How one worker works. */
export interface WorkerOptions {
  /** Names the worker; a random id when absent. A worker that comes back under its name keeps its leases. */
  readonly workerId?: string;
  /** Leases that it takes at most; as many as it gets when absent. */
  readonly leasesMax?: number;
  /** Records of one delivery at most, 1 to 10,000; 1,000 when absent. */
  readonly batchRecordsMax?: number;
  /** Whether members of aggregates come one by one, as with the KCL; true when absent. */
  readonly deaggregate?: boolean;
  /** "polling" shares 2 MiB/s of a shard with others; "fan-out" has as much for the group alone. */
  readonly reads?: "polling" | "fan-out";
  /** "batch" checkpoints after each batch that was processed, at most once in `checkpointIntervalMs`; "manual" leaves it to the processor. */
  readonly checkpoints?: "batch" | "manual";
  /** 100 when absent. */
  readonly checkpointIntervalMs?: number;
  /** How often a batch is delivered before it is given up or parked; for ever when absent. */
  readonly attemptsMax?: number;
  /** First pause before a batch is delivered again, in ms, doubled up to a minute, with jitter; 200 when absent. */
  readonly retryMs?: number;
  /** Where records go whose batch failed `attemptsMax` times; without it the worker stops at them. */
  readonly deadLetter?: { readonly streamName: string };
  /**
   * "drop" leaves out what `stream.replicateTo()` shipped more than once, or shipped back to the stream that it
   * was put into first, and tells it as "repeats-dropped"; "keep" delivers that, too. "drop" when absent. What is
   * not de-aggregated has no marks, and is delivered as it is.
   */
  readonly repeats?: "drop" | "keep";
  /** A delivery that takes longer is reported and its lease given up, in ms; no limit when absent. */
  readonly processMsMax?: number;
  readonly signal?: AbortSignal;
}

/** What a worker tells about its work; its kinds are {@link WORKER_EVENT_KINDS}. */
export type WorkerEvent =
  | { readonly kind: "lease-taken" | "lease-lost" | "shard-ended"; readonly shardId: string }
  | {
      /** A delivery failed, or reading a shard, or a checkpoint that the worker makes by itself. */
      readonly kind: "processing-failed";
      readonly shardId: string;
      readonly attempt: number;
      readonly error: unknown;
      /** When it is tried again, in ms from now; undefined when it is not. */
      readonly retryMs: number | undefined;
    }
  | {
      /** Records went to the dead-letter stream. */
      readonly kind: "dead-letter";
      readonly shardId: string;
      readonly records: number;
      readonly error: unknown;
    }
  | {
      /** An aggregate had a member outside of the shard, and was dropped whole as the KCL does. */
      readonly kind: "aggregate-dropped";
      readonly shardId: string;
      readonly sequenceNumber: string;
      readonly records: number;
    }
  | {
      /** Records were gone before they were read, or may have been: retention dropped them, or damage did. */
      readonly kind: "gap";
      readonly shardId: string;
      /** The last record before the gap that was read or processed; undefined for none. */
      readonly after: string | undefined;
      /** The first record behind it; undefined when nothing of the shard is left. */
      readonly before: string | undefined;
    }
  | {
      /** Records were left out that had been shipped here before, or had been put here first. */
      readonly kind: "repeats-dropped";
      readonly shardId: string;
      readonly records: number;
    }
  | {
      /** A worker without leases could not come to any, as where their table cannot be read. */
      readonly kind: "leases-failed";
      readonly attempt: number;
      readonly error: unknown;
      /** When it is tried again, in ms from now. */
      readonly retryMs: number;
    }
  | { readonly kind: "stalled"; readonly shardId: string; readonly elapsedMs: number };

/** The kinds of {@link WorkerEvent}. */
export const WORKER_EVENT_KINDS = [
  "lease-taken",
  "lease-lost",
  "shard-ended",
  "processing-failed",
  "dead-letter",
  "aggregate-dropped",
  "gap",
  "repeats-dropped",
  "leases-failed",
  "stalled",
] as const satisfies readonly WorkerEvent["kind"][];
