/**
 * From appended to durable: cut, commit, and the way back.
 *
 * A shard is touched while anything of it is not durable. Segments that are not durable are the last
 * ones of their shard's list, so they are found from its tail.
 */
import { takeTable } from "../memory/tables";
import { frameIndex } from "./frame";
import {
  commitSegment,
  cutSegment,
  dropSegment,
  isDirty,
  reopenSegment,
  rewindSegment,
  segmentOf,
  Segment,
} from "./segment";
import { commitShard, cutShard, rewindShard, Shard, shardAt } from "./shard";

// Slots of the touched shards, in the order in which they were touched.
let touched: usize = 0;
let touchedCount: u32 = 0;

// Addresses of the segments that have records in the cut.
let runs: usize = 0;
let runCount: u32 = 0;

/** Takes the tables; false when there is no memory for them. */
export function openDurability(shardSlotsMax: u32, segmentsMax: u32): bool {
  touchedCount = 0;
  runCount = 0;
  touched = takeTable(<usize>shardSlotsMax << 2);
  runs = takeTable(<usize>segmentsMax << 2);
  return touched != 0 && runs != 0;
}

/** Notes that something was appended to a shard. */
export function touchShard(shard: Shard): void {
  if (shard.touched != 0) return;
  shard.touched = 1;
  store<u32>(touched + (touchedCount << 2), shard.slot);
  touchedCount++;
}

/** Forgets a shard that is about to go, and its part of the cut. */
export function forgetShard(shard: Shard): void {
  if (shard.touched == 0) return;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < touchedCount; i++) {
    const slot = load<u32>(touched + (i << 2));
    if (slot == shard.slot) continue;
    store<u32>(touched + (kept << 2), slot);
    kept++;
  }
  touchedCount = kept;
  shard.touched = 0;
}

/** First segment of the shard that is not durable, 0 when all are. */
function firstDirty(shard: Shard): u32 {
  let found: u32 = 0;
  let address = shard.tail;
  while (address != 0 && isDirty(segmentOf(address))) {
    found = address;
    address = segmentOf(address).previous;
  }
  return found;
}

/** Whether anything was appended since the last cut. */
export function hasProvisional(): bool {
  for (let i: u32 = 0; i < touchedCount; i++) {
    // What was appended last lies in the last segment.
    const tail = shardAt(load<u32>(touched + (i << 2))).tail;
    if (tail != 0 && segmentOf(tail).used != segmentOf(tail).cutUsed) return true;
  }
  return false;
}

/** Whether a cut with records is in flight. */
export function cutIsInFlight(): bool {
  return runCount != 0;
}

/** Cuts everything appended; the number of runs. No cut may be in flight. */
export function cut(): u32 {
  for (let i: u32 = 0; i < touchedCount; i++) {
    const shard = shardAt(load<u32>(touched + (i << 2)));
    for (let at = firstDirty(shard); at != 0; at = segmentOf(at).next) {
      cutSegment(segmentOf(at));
      store<u32>(runs + (runCount << 2), at);
      runCount++;
    }
    cutShard(shard);
  }
  return runCount;
}

/** The segment of a run of the cut in flight. */
export function runSegment(run: u32): Segment {
  return segmentOf(load<u32>(runs + (run << 2)));
}

/** The cut is in WAL frame `frame`: its records are durable. Nothing happens when none is in flight. */
export function commit(frame: u64): void {
  if (runCount == 0) return;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < touchedCount; i++) {
    const shard = shardAt(load<u32>(touched + (i << 2)));
    for (let at = firstDirty(shard); at != 0; at = segmentOf(at).next) {
      const segment = segmentOf(at);
      if (segment.cutUsed == segment.durableUsed) continue;
      if (segment.durableCount == 0) segment.firstFrame = frame;
      segment.lastFrame = frame;
      commitSegment(segment);
    }
    commitShard(shard);
    if (firstDirty(shard) == 0) {
      shard.touched = 0;
      continue;
    }
    store<u32>(touched + (kept << 2), shard.slot);
    kept++;
  }
  touchedCount = kept;
  runCount = 0;
}

function rewindSegments(shard: Shard): void {
  let address = firstDirty(shard);
  while (address != 0) {
    const segment = segmentOf(address);
    address = segment.next;
    if (segment.durableCount == 0) {
      dropSegment(segment);
      continue;
    }
    rewindSegment(segment);
    reopenSegment(segment);
  }
}

/** Takes every touched shard back to its durable mark. */
export function rewind(): void {
  for (let i: u32 = 0; i < touchedCount; i++) {
    const shard = shardAt(load<u32>(touched + (i << 2)));
    rewindSegments(shard);
    rewindShard(shard);
    shard.touched = 0;
  }
  touchedCount = 0;
  runCount = 0;
}

/** Sequence index of the first record of a run: indexes may have gaps, so the frame tells it. */
export function runFirstIndex(segment: Segment): u64 {
  return frameIndex(segment.base + segment.durableUsed);
}
