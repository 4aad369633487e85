/** The ring of hash keys, 0 to 2^128 - 1, that the open shards of a stream cover exactly once. */
import type { ShardDefinition } from "./control-records.ts";

const HASH_KEY_MAX = (1n << 128n) - 1n;

/** The shards that take records, in the order of their hash keys. */
export function openShards<Shard extends ShardDefinition>(shards: readonly Shard[]): Shard[] {
  return shards
    .filter(({ closedMs }) => closedMs === undefined)
    .sort((a, b) => (a.startingHashKey < b.startingHashKey ? -1 : 1));
}

/** Why the open shards do not cover the ring exactly once, or undefined when they do. */
export function ringProblem(shards: readonly ShardDefinition[]): string | undefined {
  let next = 0n;
  for (const { shardIndex, startingHashKey, endingHashKey } of openShards(shards)) {
    const start = BigInt(`0x${startingHashKey}`);
    const end = BigInt(`0x${endingHashKey}`);
    if (start !== next) return `shard ${shardIndex} begins at ${start} instead of ${next}`;
    if (end < start) return `shard ${shardIndex} ends at ${end}, before it begins`;
    next = end + 1n;
  }
  return next === HASH_KEY_MAX + 1n ? undefined : `no open shard takes the hash key ${next}`;
}
