/** The vocabulary of streams as all layers above use it: plain data, no behaviour, imports nothing. */

/** What a stream is created with. */
export interface StreamSpec {
  readonly name: string;
  /** Number of provisioned shards, 1 to 500. */
  readonly shards: number;
  /** Retention period in hours, 24 to 8,760. */
  readonly retentionHours: number;
  /** Data and key of one record together in KiB, 1,024 to 10,240. */
  readonly recordKibMax: number;
}

/** One shard of a stream. */
export interface ShardDescription {
  /** `shardId-000000000000`. */
  readonly shardId: string;
  readonly shardIndex: number;
  /** First hash key of the range as a decimal string. */
  readonly startingHashKey: string;
  /** Last hash key of the range as a decimal string. */
  readonly endingHashKey: string;
  /** Sequence number at which the shard begins. */
  readonly startingSequenceNumber: string;
}

/** A stream as it is. */
export interface StreamDescription extends StreamSpec {
  readonly arn: string;
  /** Identifies the stream in packed buffers; never reused in an engine. */
  readonly uid: number;
  readonly status: "ACTIVE";
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  readonly openShards: readonly ShardDescription[];
}

/** Where a read starts. `at` is ms since the Unix epoch; sequence numbers are decimal strings. */
export type StartingPosition =
  | { readonly type: "TRIM_HORIZON" }
  | { readonly type: "LATEST" }
  | { readonly type: "AT_TIMESTAMP"; readonly timestampMs: number }
  | { readonly type: "AT_SEQUENCE_NUMBER"; readonly sequenceNumber: string }
  | { readonly type: "AFTER_SEQUENCE_NUMBER"; readonly sequenceNumber: string };

/** A place in a shard: the next record to read has this sequence index or the first one after it. */
export interface ShardCursor {
  readonly shardIndex: number;
  readonly nextIndex: number;
}

/** Cursors for a starting position, with the shards' ends at that moment. */
export interface ResolvedPosition extends ShardCursor {
  /** Index after the shard's last durable record when the position was resolved. */
  readonly endIndex: number;
}
