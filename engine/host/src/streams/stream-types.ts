/** The vocabulary of streams as all layers above use it: plain data, no behaviour, imports nothing. */

/** AWS's stream mode. */
export type StreamMode = "PROVISIONED" | "ON_DEMAND";

/** AWS's record distribution strategy. */
export type RecordDistribution = "USER_PARTITION_KEY" | "AUTO";

/** AWS's stream status. */
export type StreamStatus = "CREATING" | "ACTIVE" | "UPDATING" | "DELETING";

/**
 * When a put counts as done. "strict": what is acknowledged survives a power cut. "relaxed": it survives
 * the end of the tab and the browser, but a power cut or a crash of the system may take the last moments.
 */
export type StreamDurability = "strict" | "relaxed";

/** What happens to a stream when its engine's store is full: puts are refused, or its oldest records go. */
export type StreamFullPolicy = "refuse-new" | "drop-oldest";

/** How a stream is kept, apart from how long. What is absent stays as it is. */
export interface StreamKeeping {
  readonly durability?: StreamDurability | undefined;
  readonly whenFull?: StreamFullPolicy | undefined;
}

/** What a stream is created with. */
export interface StreamSpec {
  readonly name: string;
  /** Number of provisioned shards, 1 to 500. A stream in mode ON_DEMAND begins with 4, whatever this says. */
  readonly shards: number;
  /** Retention period in hours, 24 to 8,760. */
  readonly retentionHours: number;
  /** Data and key of one record together in KiB, 1,024 to 10,240. */
  readonly recordKibMax: number;
  /** PROVISIONED when absent. */
  readonly mode?: StreamMode;
  /** USER_PARTITION_KEY when absent; AUTO needs the mode ON_DEMAND. */
  readonly distribution?: RecordDistribution;
  /** "strict" when absent. */
  readonly durability?: StreamDurability;
  /** "refuse-new" when absent. */
  readonly whenFull?: StreamFullPolicy;
}

/** One shard of a stream. */
export interface ShardDescription {
  /** `shardId-000000000000`. */
  readonly shardId: string;
  readonly shardIndex: number;
  /** Creation in seconds since the Unix epoch; part of every sequence number of the shard. */
  readonly createdSeconds: number;
  /** First hash key of the range as a decimal string. */
  readonly startingHashKey: string;
  /** Last hash key of the range as a decimal string. */
  readonly endingHashKey: string;
  /** Sequence number at which the shard begins. */
  readonly startingSequenceNumber: string;
  /** Sequence number at which a closed shard ends; absent while it is open. */
  readonly endingSequenceNumber?: string;
  /** When a reshard closed it, in ms since the Unix epoch; absent while it is open. */
  readonly closedMs?: number;
  /** Index of the shard that was split or merged into this one; absent for the first shards of a stream. */
  readonly parentShardIndex?: number;
  /** Index of the second shard of a merge. */
  readonly adjacentParentShardIndex?: number;
}

/** How the records of a stream are encrypted at rest. */
export interface EncryptionDescription {
  /** Id of the master key. */
  readonly masterKeyId: string;
  /** The key as whoever began the encryption named it: an id, an alias, or the ARN of either. */
  readonly keyName: string;
  /** Whether its data key was destroyed: what it encrypted is gone, and nothing is put or read until another key is given. */
  readonly shredded: boolean;
}

/** A stream as it is. */
export interface StreamDescription extends StreamSpec {
  readonly arn: string;
  /** Identifies the stream in packed buffers; never reused in an engine. */
  readonly uid: number;
  readonly mode: StreamMode;
  readonly distribution: RecordDistribution;
  readonly durability: StreamDurability;
  readonly whenFull: StreamFullPolicy;
  readonly status: StreamStatus;
  /** Null when records are stored as they are. */
  readonly encryption: EncryptionDescription | null;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  /** Number of open shards. */
  readonly shards: number;
  /** Shards that take records, by their hash keys. */
  readonly openShards: readonly ShardDescription[];
  /** Shards that a reshard closed and that retention still keeps, by index. */
  readonly closedShards: readonly ShardDescription[];
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
