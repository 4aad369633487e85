/**
 * Recovery: runs of a WAL frame become durable records of the segment they belonged to, and intact
 * frames are found in what is damaged.
 */
import { IMAGE_FRAMES, IMAGE_MEMORY, IMAGE_OK, IMAGE_OVERLAP, IMAGE_STATE } from "../border";
import { SEGMENT_HEADER_BYTES } from "../layout";
import { setField } from "../memory/scratch";
import { frameArrival, frameIndex, frameIsIntact, frameIsPlausible, frameLength } from "./frame";
import {
  blocksNeeded,
  capacityOf,
  closeSegment,
  commitSegment,
  createSegment,
  cutSegment,
  segmentOf,
} from "./segment";
import { commitShard, cutShard, Shard } from "./shard";
import { enlargeSegment, takeRun } from "./space";

/** Whether the bytes are intact frames with ascending indexes from `fromIndex` on. */
function framesAreGood(frames: usize, end: usize, fromIndex: u64): bool {
  let next = fromIndex;
  while (frames < end) {
    if (!frameIsPlausible(frames, end) || frameIndex(frames) < next) return false;
    if (!frameIsIntact(frames)) return false;
    next = frameIndex(frames) + 1;
    frames += frameLength(frames);
  }
  return true;
}

/** Index after the newest cached record. */
function cachedEnd(shard: Shard): u64 {
  return shard.tail == 0 ? 0 : segmentOf(shard.tail).nextIndex;
}

/** The open segment `ordinal` with room for `byteLength` more; 0 when there is no memory. */
function segmentForReplay(shard: Shard, ordinal: u64, firstIndex: u64, byteLength: u32): u32 {
  const open = shard.open;
  if (open != 0 && segmentOf(open).ordinal == ordinal) {
    const segment = segmentOf(open);
    const used = segment.used + byteLength;
    return used <= capacityOf(segment) || enlargeSegment(segment, used) ? open : 0;
  }
  const blocks = blocksNeeded(SEGMENT_HEADER_BYTES + byteLength);
  const run = takeRun(blocks);
  if (run == 0) return 0;
  if (open != 0) closeSegment(segmentOf(open));
  const segment = createSegment(shard.slot, run, blocks, ordinal, firstIndex);
  shard.open = changetype<u32>(segment);
  return shard.open;
}

/**
 * Appends frames to segment `ordinal` of a shard as durable records of WAL frame `walFrame`. The shard
 * does not change unless the answer is IMAGE_OK.
 */
export function replay(shard: Shard, ordinal: u64, frames: usize, byteLength: u32, walFrame: u64): u32 {
  if (byteLength == 0) return IMAGE_OK;
  if (shard.touched != 0) return IMAGE_STATE;
  const tail = shard.tail;
  if (tail != 0) {
    if (segmentOf(tail).ordinal > ordinal) return IMAGE_OVERLAP;
    if (segmentOf(tail).ordinal == ordinal && shard.open != tail) return IMAGE_STATE;
  }
  if (!framesAreGood(frames, frames + byteLength, cachedEnd(shard))) return IMAGE_FRAMES;
  const address = segmentForReplay(shard, ordinal, frameIndex(frames), byteLength);
  if (address == 0) return IMAGE_MEMORY;
  const segment = segmentOf(address);
  const target = <usize>segment.base + segment.used;
  memory.copy(target, frames, byteLength);
  if (segment.count == 0) {
    segment.firstMs = frameArrival(target);
    segment.firstFrame = walFrame;
  }
  segment.lastFrame = walFrame;
  const end = target + byteLength;
  for (let frame = target; frame < end; frame += frameLength(frame)) {
    segment.count++;
    segment.nextIndex = frameIndex(frame) + 1;
    segment.lastMs = max(segment.lastMs, frameArrival(frame));
    shard.lastMs = frameArrival(frame);
  }
  segment.used += byteLength;
  cutSegment(segment);
  commitSegment(segment);
  shard.nextIndex = max(shard.nextIndex, segment.nextIndex);
  shard.nextOrdinal = max(shard.nextOrdinal, ordinal + 1);
  cutShard(shard);
  commitShard(shard);
  return IMAGE_OK;
}

/**
 * Finds the first stretch of intact frames in [from, end), back to back and with ascending indexes.
 * Fields: address, bytes, records, first and last index, first and latest arrival. Frames lie at
 * multiples of 8 from `from`.
 */
export function nextIntact(from: usize, end: usize): bool {
  let start = from;
  while (start < end && !(frameIsPlausible(start, end) && frameIsIntact(start))) start += 8;
  if (start >= end) return false;
  let last = frameIndex(start);
  let latestMs = frameArrival(start);
  let count: u32 = 1;
  let at = start + frameLength(start);
  while (at < end && frameIsPlausible(at, end) && frameIndex(at) > last && frameIsIntact(at)) {
    last = frameIndex(at);
    latestMs = max(latestMs, frameArrival(at));
    count++;
    at += frameLength(at);
  }
  setField(0, <f64>start);
  setField(1, <f64>(at - start));
  setField(2, count);
  setField(3, <f64>frameIndex(start));
  setField(4, <f64>last);
  setField(5, frameArrival(start));
  setField(6, latestMs);
  return true;
}
