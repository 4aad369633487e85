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

/** Shards whose counts are kept: more than an engine has; beyond, those that are gone are forgotten. */
const SHARDS_KEPT = 8192;

/** Counts by shard uid. They belong to an engine and not to one life of it. */
export class ShardCounters {
  readonly #counts = new Map<number, ShardCounts>();
  #exists: (shardUid: number) => boolean = () => true;

  /** From now on asks this function which shards there still are. */
  follow(exists: (shardUid: number) => boolean): void {
    this.#exists = exists;
  }

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
    if (counts === NOTHING && this.#counts.size >= SHARDS_KEPT) this.#sweep();
    this.#counts.set(shardUid, {
      incomingRecords: counts.incomingRecords + (amounts.incomingRecords ?? 0),
      incomingBytes: counts.incomingBytes + (amounts.incomingBytes ?? 0),
      throttledRecords: counts.throttledRecords + (amounts.throttledRecords ?? 0),
      outgoingRecords: counts.outgoingRecords + (amounts.outgoingRecords ?? 0),
      outgoingBytes: counts.outgoingBytes + (amounts.outgoingBytes ?? 0),
    });
  }

  #sweep(): void {
    for (const uid of this.#counts.keys()) if (!this.#exists(uid)) this.#counts.delete(uid);
  }
}
