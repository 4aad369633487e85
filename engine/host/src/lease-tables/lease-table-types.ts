/** The vocabulary of lease tables: leases of consumer groups whose streams are in a Kinesis elsewhere. */

/** One lease: a shard, who reads it, and how far (KCL: a row of the lease table). */
export interface LeaseTableRow {
  /** `shardId-000000000000`. */
  readonly leaseKey: string;
  /** Null for nobody (KCL: leaseOwner). */
  readonly owner: string | null;
  /** Rises with every change that its owner or another worker makes; who sees it stand still takes its owner for dead. */
  readonly counter: number;
  /** A sequence number, or one of TRIM_HORIZON, LATEST, AT_TIMESTAMP and SHARD_END. */
  readonly checkpoint: string;
  /** Member of an aggregated record that was processed last; 0 for a plain one. */
  readonly subSequenceNumber: number;
  /**
   * Milliseconds since the Unix epoch, for the checkpoints LATEST and AT_TIMESTAMP: where whoever takes the lease begins.
   * For LATEST five minutes before the lease was made, since the clock of whoever made it may be ahead of the service's.
   */
  readonly timestampMs: number | undefined;
  /** Changes of owner since the last checkpoint (KCL: ownerSwitchesSinceCheckpoint). */
  readonly ownerSwitches: number;
  /** Shards that are read to their end before this one, in any order. */
  readonly parentShardIds: readonly string[];
  /** Decimal, 0 to 2^128 - 1; empty in a row that an old KCL wrote, which did not keep it. */
  readonly startingHashKey: string;
  /** Decimal, 0 to 2^128 - 1; inclusive; empty where the starting one is. */
  readonly endingHashKey: string;
  /** The worker that waits for the owner to give the lease up (KCL: leaseOwner, beside checkpointOwner); null for nobody. */
  readonly wantedBy: string | null;
  /** State of the lease's processor as JSON of 100,000 characters at most; undefined for none. */
  readonly state: string | undefined;
}

/** Names a table as one of its users knows it. */
export interface LeaseTableReference {
  /** 1 to 512 characters. */
  readonly tableName: string;
  /**
   * When the stream of the leases was made: decimal, ms since the Unix epoch. Who knows the table by an older one
   * than it is of has a stream that is no more, and can do nothing with it.
   */
  readonly generation: string;
}
