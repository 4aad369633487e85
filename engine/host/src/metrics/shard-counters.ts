/** Counters per shard since the engine opened; whoever shows rates derives them. */

/** What went in and out of a shard. Bytes are those of keys and data, each record rounded up to 8. */
export interface ShardCounts {
  readonly incomingRecords: number;
  readonly incomingBytes: number;
  readonly throttledRecords: number;
  readonly outgoingRecords: number;
  readonly outgoingBytes: number;
}

const NOTHING: ShardCounts = {
  incomingRecords: 0,
  incomingBytes: 0,
  throttledRecords: 0,
  outgoingRecords: 0,
  outgoingBytes: 0,
};

/** Counts by shard uid. */
export class ShardCounters {
  readonly #counts = new Map<number, ShardCounts>();

  /** Counts of a shard. */
  of(shardUid: number): ShardCounts {
    return this.#counts.get(shardUid) ?? NOTHING;
  }

  /** Forgets all counts. */
  clear(): void {
    this.#counts.clear();
  }

  /** Adds to some of a shard's counts. */
  add(shardUid: number, amounts: Partial<ShardCounts>): void {
    const counts = this.of(shardUid);
    this.#counts.set(shardUid, {
      incomingRecords: counts.incomingRecords + (amounts.incomingRecords ?? 0),
      incomingBytes: counts.incomingBytes + (amounts.incomingBytes ?? 0),
      throttledRecords: counts.throttledRecords + (amounts.throttledRecords ?? 0),
      outgoingRecords: counts.outgoingRecords + (amounts.outgoingRecords ?? 0),
      outgoingBytes: counts.outgoingBytes + (amounts.outgoingBytes ?? 0),
    });
  }
}
