/** The vocabulary of lease tables: leases of consumer groups whose streams are in a Kinesis elsewhere. */

/** One lease, as workers of such a group agree on it (KCL: a row of the lease table). */
export interface LeaseTableRow {
  /** Unique in its table. */
  readonly leaseKey: string;
  /** Null for nobody. */
  readonly owner: string | null;
  /** Rises with every change; every change names the one that it saw. */
  readonly counter: number;
  /** A sequence number, or one of the KCL's sentinels. */
  readonly checkpoint: string;
  readonly subSequenceNumber: number;
  /** Milliseconds since the Unix epoch. */
  readonly timestampMs: number | undefined;
  readonly ownerSwitches: number;
  readonly parentShardIds: readonly string[];
  readonly startingHashKey: string;
  readonly endingHashKey: string;
  /** Null for nobody. */
  readonly wantedBy: string | null;
  /** JSON of 100,000 characters at most. */
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
