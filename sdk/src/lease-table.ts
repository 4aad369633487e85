/**
 * Where a consumer group of a stream elsewhere keeps its leases, as the KCL keeps them in a DynamoDB table: rows
 * that many workers read, and change only where nobody else did since.
 */

/** One lease: a shard, who reads it, and how far (KCL: a row of the lease table). */
export interface LeaseRow {
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

/**
 * The leases of one group. A call whose signal is aborted beforehand does nothing. Every call that changes a row does so only where the row is as it was seen, in one
 * step: of two workers that change it at the same time, one is told false.
 */
export interface LeaseTable {
  /** What errors call it. */
  readonly name: string;
  /** Makes the table if there is none, and waits until it can be used. Safe to call twice. */
  open(signal?: AbortSignal): Promise<void>;
  /** All rows, as they are now or a moment before (consistent reads). */
  list(signal?: AbortSignal): Promise<LeaseRow[]>;
  /** Adds a row; false when there is one of its key. */
  insert(row: LeaseRow, signal?: AbortSignal): Promise<boolean>;
  /**
   * Puts a row, whose own counter is higher, in the place of the one with this counter; false when that one is not there
   * any more. @throws InvalidArgumentError for a counter that does not rise.
   */
  replace(row: LeaseRow, seenCounter: number, signal?: AbortSignal): Promise<boolean>;
  /** Removes a row; false when it has another counter or is gone. */
  remove(leaseKey: string, seenCounter: number, signal?: AbortSignal): Promise<boolean>;
  /** Removes all that the group has. */
  drop(signal?: AbortSignal): Promise<void>;
}
