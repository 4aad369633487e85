/** What an application says to a stream trigger, and what a Lambda handler gets from it: AWS's own shapes. */
import type { GroupStart } from "../groups/group-types.ts";
import type { FilterCriteria } from "./filter-criteria.ts";

/** AWS: one element of `Records`. */
export interface KinesisEventRecord {
  readonly kinesis: {
    readonly kinesisSchemaVersion: string;
    readonly partitionKey: string;
    readonly sequenceNumber: string;
    /** Base64. */
    readonly data: string;
    /** Seconds since the Unix epoch, to the millisecond. */
    readonly approximateArrivalTimestamp: number;
  };
  readonly eventSource: string;
  readonly eventVersion: string;
  /** `shardId-000000000000:` and the sequence number. */
  readonly eventID: string;
  readonly eventName: string;
  readonly invokeIdentityArn: string;
  readonly awsRegion: string;
  readonly eventSourceARN: string;
}

/** AWS: the event of a Kinesis event source; the members after `Records` come with tumbling windows only. */
export interface KinesisEvent {
  readonly Records: KinesisEventRecord[];
  /** As in `2026-01-01T00:00:00Z`. */
  readonly window?: { readonly start: string; readonly end: string };
  readonly state?: unknown;
  readonly shardId?: string;
  readonly eventSourceARN?: string;
  readonly isFinalInvokeForWindow?: boolean;
  /** The state outgrew 1 MB: the window goes on with an empty one. */
  readonly isWindowTerminatedEarly?: boolean;
}

/** AWS: the members of the context object that have a meaning outside of Lambda. */
export interface LambdaContext {
  callbackWaitsForEmptyEventLoop: boolean;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly invokedFunctionArn: string;
  readonly memoryLimitInMB: string;
  readonly awsRequestId: string;
  readonly logGroupName: string;
  readonly logStreamName: string;
  getRemainingTimeInMillis(): number;
  done(error?: unknown, result?: unknown): void;
  fail(error: unknown): void;
  succeed(result: unknown): void;
}

/** AWS: the third argument of handlers that return nothing. */
export type LambdaCallback = (error?: unknown, result?: unknown) => void;

/** A Lambda handler as it is. One with three parameters that returns no promise answers through its callback. */
export type LambdaHandler = {
  // As a method its parameters may also be the narrower ones of a handler that was typed elsewhere.
  handle(event: KinesisEvent, context: LambdaContext, callback: LambdaCallback): unknown;
}["handle"];

/** AWS: CreateEventSourceMapping, with this package's units. */
export interface TriggerOptions {
  /** Names the trigger and its consumer group, which is its alone: 1 to 128 of a-z, A-Z, 0-9, `_`, `.` and `-`. */
  readonly name: string;
  /** Where reading starts the first time; `LATEST` when absent. */
  readonly startingPosition?: GroupStart;
  /** Records of one invocation at most, 1 to 10,000; 100 when absent. They are 6 MB at most in any case. */
  readonly batchSize?: number;
  /** How long records are gathered for a batch that is not full, 0 to 300,000 ms; 0 when absent. */
  readonly batchWindowMs?: number;
  /** Invocations of one shard at a time, 1 to 10; 1 when absent. Those of one partition key stay in order. */
  readonly parallelizationFactor?: number;
  /** Halves a batch that fails, which takes no retry; false when absent. */
  readonly bisectOnError?: boolean;
  /** How often a batch that fails is handed over again, 0 to 10,000; -1, for ever, when absent. */
  readonly maxRetries?: number;
  /** Older records are discarded: 60 to 604,800 s; -1, never, when absent. */
  readonly maxRecordAgeS?: number;
  /** Where one record goes for each batch that is discarded; without it they are only told. */
  readonly onFailure?: { readonly streamName: string };
  readonly filter?: FilterCriteria;
  /** Length of tumbling windows, 0 to 900 s; 0, none, when absent. With windows one batch of a shard runs at a time. */
  readonly tumblingWindowS?: number;
  /** AWS: ReportBatchItemFailures among FunctionResponseTypes; false when absent. */
  readonly reportBatchItemFailures?: boolean;
  /** In the context and the function's ARN; the trigger's name when absent. */
  readonly functionName?: string;
  /** In the context and in on-failure records; made of the stream's ARN when absent. */
  readonly functionArn?: string;
  /** An invocation that takes longer has failed, 1 to 900,000 ms; 60,000 when absent. */
  readonly timeoutMs?: number;
  /** First pause before a batch is handed over again, in ms, doubled up to a minute, with jitter; 200 when absent. */
  readonly retryMs?: number;
  /** See `WorkerOptions`. */
  readonly reads?: "polling" | "fan-out";
  /** See `WorkerOptions`. */
  readonly workerId?: string;
  /** See `GroupOptions`. */
  readonly failoverMs?: number;
  readonly signal?: AbortSignal;
}

/** Why a batch was given up. */
export type DiscardCondition = "RetryAttemptsExhausted" | "RecordAgeExceeded";

/** What a trigger tells about its work. */
export type TriggerEvent =
  | {
      readonly kind: "invoked";
      readonly shardId: string;
      readonly records: number;
      readonly elapsedMs: number;
    }
  | {
      /** The handler threw, took too long, or named records that failed. */
      readonly kind: "invocation-failed";
      readonly shardId: string;
      readonly records: number;
      /** How many invocations of the batch have failed. */
      readonly attempt: number;
      /** Records before the first failed one, which are done with. */
      readonly doneCount: number;
      readonly error: unknown;
    }
  | {
      readonly kind: "batch-discarded";
      readonly shardId: string;
      readonly records: number;
      readonly condition: DiscardCondition;
    }
  | {
      /** Progress could not be stored; it is tried again. */
      readonly kind: "checkpoint-failed";
      readonly shardId: string;
      readonly error: unknown;
    };

/** What a trigger has done since it was started. */
export interface TriggerMetrics {
  readonly invocations: number;
  /** Invocations that failed. */
  readonly failures: number;
  /** Records that an invocation, or a part of it, was done with. */
  readonly records: number;
  /** Records that no filter took. */
  readonly filtered: number;
  /** Records of batches that were given up. */
  readonly discarded: number;
}
