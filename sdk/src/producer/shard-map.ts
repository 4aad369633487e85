/** Which shard a hash key belongs to, and the hash keys of every shard that was ever heard of. */
import { InternalFailureError } from "@millrace/engine";
import {
  compareHashKeys,
  type HashKey,
  type HashKeyRange,
  parseHashKey,
  rangeHolds,
} from "../aggregation/hash-key.ts";
import type { TargetListing, TargetShard } from "./put-target.ts";

interface OpenShard extends HashKeyRange {
  readonly shardId: string;
}

function listedRange({ shardId, startingHashKey, endingHashKey }: TargetShard): HashKeyRange {
  const start = parseHashKey(startingHashKey);
  const end = parseHashKey(endingHashKey);
  if (start !== undefined && end !== undefined) return { start, end };
  throw new InternalFailureError(`shard ${shardId} was listed without a range of hash keys`, {
    argument: "shards",
    value: `${startingHashKey} to ${endingHashKey}`,
    limit: "0 to 2^128 - 1 in decimal",
  });
}

/** The shards of one stream. */
export class ShardMap {
  /** Shards never change their hash keys, so that nothing here is ever out of date. */
  readonly #ranges = new Map<string, HashKeyRange>();
  #open: readonly OpenShard[] = [];

  /** Takes note of the shards. @throws InternalFailureError when the listing makes no sense. */
  update({ shards }: TargetListing): void {
    const open: OpenShard[] = [];
    for (const shard of shards) {
      const range = this.#ranges.get(shard.shardId) ?? listedRange(shard);
      this.#ranges.set(shard.shardId, range);
      if (shard.open) open.push({ ...range, shardId: shard.shardId });
    }
    this.#open = open.sort((left, right) => compareHashKeys(left.start, right.start));
  }

  /** Number of open shards. */
  get openCount(): number {
    return this.#open.length;
  }

  /** Whether a shard takes records. */
  isOpen(shardId: string): boolean {
    return this.#open.some((shard) => shard.shardId === shardId);
  }

  /** The open shard of a hash key; undefined when none is known. */
  predict(hashKey: HashKey): string | undefined {
    let low = 0;
    let high = this.#open.length;
    // The last shard that begins at the hash key or before it is at low - 1.
    while (low < high) {
      const middle = (low + high) >>> 1;
      const shard = this.#open[middle];
      if (shard !== undefined && compareHashKeys(shard.start, hashKey) <= 0) low = middle + 1;
      else high = middle;
    }
    const shard = this.#open[low - 1];
    return shard !== undefined && rangeHolds(shard, hashKey) ? shard.shardId : undefined;
  }

  /** The hash keys of a shard, open or closed; undefined when the shard is not known. */
  rangeOf(shardId: string): HashKeyRange | undefined {
    return this.#ranges.get(shardId);
  }

  /** Whether a shard, open or closed, has a hash key; undefined when the shard is not known. */
  holds(shardId: string, hashKey: HashKey): boolean | undefined {
    const range = this.#ranges.get(shardId);
    return range === undefined ? undefined : rangeHolds(range, hashKey);
  }
}
