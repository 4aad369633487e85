/**
 * Room for segments: which size a shard's next segment gets, and what is evicted for it.
 */
import { SEGMENT_HEADER_BYTES } from "../layout";
import { arenaBlocksMax, freeRunAround, releaseRun, runIsReachable, takeFreeRun } from "../memory/arena";
import { routedShards } from "../hash/routes";
import { blocksNeeded, capacityOf, closeSegment, createSegment, dropSegment, leastRecentlyUsed, Segment, segmentOf } from "./segment";
import { nextIndexOf, Shard } from "./shard";

/** Size classes in blocks: 64 KiB, 256 KiB, 1 MiB; one is four times the other. */
const CLASS_MIN: u32 = 1;
const CLASS_MAX: u32 = 16;
/** A segment that fills faster than this gets a larger successor, in ms. */
const FAST_FILL_MS: f64 = 10000;
/** A segment that fills slower than this gets a smaller successor, in ms. */
const SLOW_FILL_MS: f64 = 60000;
/** Open segments together may take one part in so many of the arena. */
const OPEN_SHARE: u32 = 4;

/** Address of a pinned run, for which declared segments are evicted if need be; 0 when there is none. */
export function takeRun(count: u32): usize {
  const run = takeFreeRun(count);
  if (run != 0 || !runIsReachable(count)) return run;
  let candidate = leastRecentlyUsed();
  while (candidate != 0) {
    const base = segmentOf(candidate).base;
    dropSegment(segmentOf(candidate));
    if (freeRunAround(base) >= count) return takeFreeRun(count);
    candidate = leastRecentlyUsed();
  }
  return 0;
}

/** Largest size class that every open shard could have at once within the share of open segments. */
function fairClass(): u32 {
  const share = arenaBlocksMax() / (OPEN_SHARE * max(1, routedShards()));
  let fair = CLASS_MAX;
  while (fair > CLASS_MIN && fair > share) fair >>>= 2;
  return fair;
}

/** Size class after a segment of `shard` filled up in `elapsedMs`. */
function adaptClass(shard: Shard, elapsedMs: f64): void {
  if (elapsedMs < FAST_FILL_MS) shard.sizeClass = min(CLASS_MAX, shard.sizeClass << 2);
  else if (elapsedMs > SLOW_FILL_MS) shard.sizeClass = max(CLASS_MIN, shard.sizeClass >>> 2);
}

/** Blocks of the run that takeSegmentRun returned last. */
let takenBlocks: u32 = 0;

/** A run for frames that end at `used`: of the wanted class if possible, else as small as may be. */
function takeSegmentRun(wanted: u32, used: u32): usize {
  const least = blocksNeeded(used);
  takenBlocks = max(wanted, least);
  let run = takeRun(takenBlocks);
  while (run == 0 && takenBlocks > least) {
    takenBlocks = max(takenBlocks >>> 2, least);
    run = takeRun(takenBlocks);
  }
  return run;
}

/** After a segment was closed by age: its successor need not be larger than it came to be. */
export function shrinkClass(shard: Shard, used: u32): void {
  while (shard.sizeClass > CLASS_MIN && shard.sizeClass >>> 2 >= blocksNeeded(used)) {
    shard.sizeClass >>>= 2;
  }
}

/**
 * The segment of `shard` that has room for one more frame: its open one, else a new one. Returns 0,
 * and changes nothing, when there is no memory.
 */
export function segmentWithRoom(shard: Shard, frameBytes: u32, nowMs: f64): u32 {
  const open = shard.open;
  if (open != 0) {
    const segment = segmentOf(open);
    if (segment.used + frameBytes <= capacityOf(segment)) return open;
    adaptClass(shard, nowMs - segment.firstMs);
  }
  const run = takeSegmentRun(min(shard.sizeClass, fairClass()), SEGMENT_HEADER_BYTES + frameBytes);
  if (run == 0) return 0;
  if (open != 0) closeSegment(segmentOf(open));
  const segment = createSegment(shard.slot, run, takenBlocks, shard.nextOrdinal, nextIndexOf(shard));
  segment.firstMs = nowMs;
  segment.lastMs = nowMs;
  shard.nextOrdinal++;
  shard.open = changetype<u32>(segment);
  return shard.open;
}

/** Moves a segment to a larger run, so that its frames may end at `used`; false when there is none. */
export function enlargeSegment(segment: Segment, used: u32): bool {
  const run = takeSegmentRun(min(segment.blocks << 2, CLASS_MAX), used);
  if (run == 0) return false;
  memory.copy(run, segment.base, segment.used);
  releaseRun(segment.base, segment.blocks);
  segment.base = <u32>run;
  segment.blocks = takenBlocks;
  return true;
}
