/** Where the open shards of a copy meet: what tells whether an aggregate lies in one of them, and where to cut it. */
import type { ShardDescription } from "@millrace/engine";
import {
  compareHashKeys,
  type HashKey,
  type HashKeyRange,
  hashKeyFrom,
  hashKeyOf,
  parseHashKey,
} from "../aggregation/hash-key.ts";
import type { RoutedMember, ShardHashKeys } from "../aggregation/user-record.ts";

/** See above. Holds as long as no shard is newer than {@link newestShard}. */
export class CopyBorders {
  /** Index of the stream's newest shard: every split and merge brings newer ones. */
  readonly newestShard: number;
  /** First hash keys of all open shards but the lowest one, rising. */
  readonly #starts: readonly HashKey[];

  /** `shards` are all of the stream, open and closed. */
  constructor(shards: readonly ShardDescription[]) {
    this.newestShard = Math.max(0, ...shards.map(({ shardIndex }) => shardIndex));
    this.#starts = shards
      .filter(({ closedMs }) => closedMs === undefined)
      .map(({ startingHashKey }) => hashKeyFrom(BigInt(startingHashKey)))
      .sort(compareHashKeys)
      .slice(1);
  }

  /** Whether everything lies in one shard. */
  get none(): boolean {
    return this.#starts.length === 0;
  }

  /** Tells the open shard of a hash key from the others. */
  placeOf(hashKey: HashKey): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const start = this.#starts[middle];
      if (start !== undefined && compareHashKeys(start, hashKey) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The hash key by which a member of an aggregate was routed. */
export function routeOfMember({ explicitHashKey, partitionKey }: RoutedMember): HashKey {
  const explicit = explicitHashKey === undefined ? undefined : parseHashKey(explicitHashKey);
  return explicit ?? hashKeyOf(partitionKey);
}

/** The hash keys of a shard. */
export function hashKeysOf({ startingHashKey, endingHashKey }: ShardHashKeys): HashKeyRange {
  return { start: hashKeyFrom(BigInt(startingHashKey)), end: hashKeyFrom(BigInt(endingHashKey)) };
}
