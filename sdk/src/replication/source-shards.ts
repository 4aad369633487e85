/**
 * What a list of a stream's shards is worth to a copy: services show splits and merges a moment later there than to
 * whoever reads a shard to its end.
 */
import { type ShardDescription, shardIndexOf } from "@millrace/engine";
import { childrenOf } from "../shard-turns.ts";
import type { ReplicaPositions } from "./replica-positions.ts";

/** Whether a list lacks shards that the copy knows of: those that are removed are never the newest ones. */
export function isOutdated(
  shards: readonly ShardDescription[],
  { shardIds }: Pick<ReplicaPositions, "shardIds">,
): boolean {
  const newest = Math.max(-1, ...shards.map(({ shardIndex }) => shardIndex));
  return shardIds.some((shardId) => shardIndexOf(shardId) > newest);
}

/** Whether a list has all that came of the shards which are copied to their end. */
export function showsHeirs(
  shards: readonly ShardDescription[],
  positions: Pick<ReplicaPositions, "hasEnded">,
): boolean {
  return shards
    .filter(({ shardId }) => positions.hasEnded(shardId))
    .every((shard) => areWhole(shard, childrenOf(shards, shard.shardIndex)));
}

/** Whether shards have all hash keys of the one that they came of: two after a split, one after a merge. */
function areWhole(
  { startingHashKey, endingHashKey }: ShardDescription,
  heirs: readonly ShardDescription[],
): boolean {
  const [start, end] = [BigInt(startingHashKey), BigInt(endingHashKey)];
  return (
    heirs.some((heir) => BigInt(heir.startingHashKey) <= start) &&
    heirs.some((heir) => BigInt(heir.endingHashKey) >= end)
  );
}
