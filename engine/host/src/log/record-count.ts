/** Counts the durable records of a shard, whose sequence indexes have a gap for every takeover of the log. */
import type { ShardLogCore } from "../core/core-types.ts";
import type { SegmentDirectory } from "./segment-directory.ts";
import type { SlottedShard } from "./shard-slots.ts";

/**
 * So many indexes or fewer are counted as records without a look: a takeover leaves as many for every 25 ms
 * of a shard's age, and a walk through memory for each question would cost more than it tells.
 */
const NO_GAP_MAX = 100_000;

/** What is asked. */
export interface CountedLog {
  readonly core: Pick<ShardLogCore, "locate" | "position">;
  readonly directory: Pick<SegmentDirectory, "covering" | "after" | "factsOf">;
}

/** Durable records at or after an index. Segments that are not in memory count by what their manifests say. */
export function countRecords(log: CountedLog, shard: SlottedShard, fromIndex: number): number {
  const { core, directory } = log;
  const { durableIndex } = core.position(shard.slot);
  if (durableIndex - fromIndex <= NO_GAP_MAX) return Math.max(0, durableIndex - fromIndex);
  let count = 0;
  for (let index = fromIndex; index < durableIndex; ) {
    const most = Number.MAX_SAFE_INTEGER;
    const range = core.locate(shard.slot, index, most, most);
    if (range.kind === "end") break;
    if (range.kind === "records") {
      count += range.recordCount;
      index = range.nextIndex;
      continue;
    }
    const covering = directory.covering(shard.uid, index);
    const facts = covering === undefined ? undefined : directory.factsOf(covering);
    if (facts !== undefined && facts[2] >= index) {
      const [, recordCount, lastIndex] = facts;
      count += Math.min(recordCount, lastIndex + 1 - index);
      index = lastIndex + 1;
      continue;
    }
    const following = directory.after(shard.uid, index);
    index = Math.min(following?.[2] ?? range.cachedFrom, range.cachedFrom);
  }
  return count;
}
