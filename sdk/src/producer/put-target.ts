/** What a producer puts into: as little as it needs, so that a stream elsewhere will do as well. */
import type { MillraceError } from "@millrace/engine";

/** One record as it goes into the stream. */
export interface TargetRecord {
  readonly partitionKey: string;
  /** Decimal, 0 to 2^128 - 1. */
  readonly explicitHashKey?: string;
  readonly data: Uint8Array;
}

/** What came of one record. A refused one is not stored, unless nobody knows. */
export type TargetOutcome =
  | { readonly sequenceNumber: string; readonly shardId: string }
  | {
      /** `ProvisionedThroughputExceededException` or `InternalFailure`, as AWS has them. */
      readonly errorCode: string;
      readonly errorMessage: string;
      /** Milliseconds after which a retry makes sense; not known when absent. */
      readonly retryAfterMs?: number;
      /** The record may be stored: the answer to its call does not say what came of it. */
      readonly indeterminate?: boolean;
    };

/** What is known of a record for which the answer to its call has no outcome: as little as of a lost answer. */
export const NO_ANSWER = {
  errorCode: "InternalFailure",
  errorMessage: "The answer does not say what came of the record.",
  indeterminate: true,
} as const satisfies TargetOutcome;

/** One shard of the stream. */
export interface TargetShard {
  readonly shardId: string;
  /** Decimal, 0 to 2^128 - 1. */
  readonly startingHashKey: string;
  /** Decimal, 0 to 2^128 - 1; inclusive. */
  readonly endingHashKey: string;
  /** Whether it takes records. */
  readonly open: boolean;
}

/** What one shard takes in a second. */
export interface ShardRate {
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** The stream as it is now. */
export interface TargetListing {
  /** Open shards, and closed ones that are still known. */
  readonly shards: readonly TargetShard[];
  /** Whether the service spreads the records over the shards, whatever their keys are. */
  readonly spread: boolean;
  /** Bytes that data and partition key of one record may hold together. */
  readonly recordBytesMax: number;
  /** Absent where shards take whatever comes. */
  readonly shardRate?: ShardRate;
}

/** What the last records of a page are put with. */
export interface LeavingTarget {
  /** Puts records of about 45,000 bytes at most in this very task; nobody hears what comes of it. */
  put(records: readonly TargetRecord[]): void;
  /** Ends its connections. */
  close(): void;
}

/** Which stream it is, for whoever keeps what was put there. */
export interface TargetIdentity {
  /** What errors call the service that has it. */
  readonly place: string;
  readonly arn: string;
  /** When it was made, in ms since the Unix epoch: another stream of its name is another one. */
  readonly createdMs: number;
}

/** A stream that can be put into. */
export interface PutTarget {
  /** What errors call it. */
  readonly name: string;
  /** Absent where its name says all there is. */
  readonly identity?: TargetIdentity;
  /**
   * Records of one call that fall into one shard are stored in their order, and none after one that was
   * refused, as long as the call holds at most this many bytes or one record. 0 where there is no such
   * promise, as AWS's PutRecords gives none.
   */
  readonly orderedBytesMax: number;
  /**
   * Whether a call is made again of which nobody knows what came: its records may then be stored twice, as
   * the KPL's. They are failed as `indeterminate` when absent.
   */
  readonly repeatsUncertain?: boolean;
  /**
   * Puts 1 to 500 records and resolves with an outcome for each, in their order. The data are copied or
   * sent before it returns.
   *
   * @throws MillraceError: `retryable` when nothing was stored and a retry may help, `indeterminate` when
   * records may be stored.
   */
  putRecords(records: readonly TargetRecord[]): Promise<readonly TargetOutcome[]>;
  /** @throws MillraceError: `retryable` when a retry may help. */
  listShards(): Promise<TargetListing>;
  /** Calls back with the reason when nothing can be put any more, or at once. Returns how to end that. */
  onClose?(listener: (reason: MillraceError) => void): () => void;
  /** Makes ready for the page's end; absent where nothing can be sent then. @throws MillraceError. */
  openLeaving?(): Promise<LeavingTarget>;
}
