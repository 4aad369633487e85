/**
 * Shards and segments outside of the append path: closing segments by hand, raising an index,
 * removing a shard.
 */
import { removeRoute } from "../hash/routes";
import { forgetShard } from "./durability";
import { closeSegment, dropSegment, segmentOf } from "./segment";
import { NO_ROUTE, nextIndexOf, Shard, shardAt, shardSlots } from "./shard";
import { shrinkClass } from "./space";

/** Closes the open segment of a shard; whether there was one. */
export function roll(shard: Shard): bool {
  if (shard.open == 0) return false;
  const segment = segmentOf(shard.open);
  shrinkClass(shard, segment.used);
  closeSegment(segment);
  return true;
}

/** Closes all open segments whose first record arrived before a time; how many. */
export function rollOlderThan(beforeMs: f64): u32 {
  let count: u32 = 0;
  for (let slot: u32 = 0; slot < shardSlots(); slot++) {
    const shard = shardAt(slot);
    if (shard.present == 0 || shard.open == 0) continue;
    if (segmentOf(shard.open).firstMs >= beforeMs) continue;
    roll(shard);
    count++;
  }
  return count;
}

/** No later record of the shard gets a lower sequence index than this. */
export function raiseNextIndex(shard: Shard, nextIndex: u64): void {
  if (nextIndex <= nextIndexOf(shard)) return;
  roll(shard);
  shard.floorIndex = nextIndex;
}

/** Drops a shard with all its segments. A route that it was on is gone. */
export function removeShard(shard: Shard): void {
  forgetShard(shard);
  if (shard.route != NO_ROUTE) removeRoute(shard.route);
  while (shard.head != 0) dropSegment(segmentOf(shard.head));
  shard.present = 0;
}
