/**
 * Finding durable records by sequence index or by arrival time. Frames have no index: a segment is
 * scanned from its start or from where the last read ended.
 */
import { READ_ABSENT, READ_END, READ_RECORDS } from "../border";
import { SEGMENT_HEADER_BYTES } from "../layout";
import { setField } from "../memory/scratch";
import { frameArrival, frameIndex, frameLength } from "./frame";
import { Segment, segmentOf, touchSegment } from "./segment";
import { Shard } from "./shard";

/** First cached segment with a durable record at or after an index, 0 when there is none. */
function segmentFor(shard: Shard, fromIndex: u64): u32 {
  // Most reads are near the tip: the search goes backwards.
  let found: u32 = 0;
  for (let at = shard.tail; at != 0; at = segmentOf(at).previous) {
    const segment = segmentOf(at);
    if (segment.durableCount == 0) continue;
    if (segment.durableNextIndex <= fromIndex) break;
    found = at;
  }
  return found;
}

/** Whether no record can lie between a segment and the one before it in the list. */
function followsDirectly(segment: Segment): bool {
  return segment.previous != 0 && segmentOf(segment.previous).ordinal + 1 == segment.ordinal;
}

/** Offset from the base of the first frame at or after an index. */
function offsetOf(segment: Segment, fromIndex: u64): u32 {
  let offset: u32 = SEGMENT_HEADER_BYTES;
  if (segment.hintOffset != 0 && segment.hintIndex <= fromIndex) offset = segment.hintOffset;
  while (frameIndex(segment.base + offset) < fromIndex) {
    offset += frameLength(segment.base + offset);
    assert(offset < segment.durableUsed, "the record lies inside the durable frames");
  }
  return offset;
}

function readFrom(segment: Segment, fromIndex: u64, recordsMax: u32, bytesMax: u32): void {
  const start = offsetOf(segment, fromIndex);
  let end = start;
  let count: u32 = 0;
  let lastFrame: usize = 0;
  while (end < segment.durableUsed && count < max(1, recordsMax)) {
    const length = frameLength(segment.base + end);
    if (count != 0 && end - start + length > bytesMax) break;
    lastFrame = segment.base + end;
    end += length;
    count++;
  }
  const nextIndex = frameIndex(lastFrame) + 1;
  segment.hintIndex = nextIndex;
  segment.hintOffset = end;
  touchSegment(segment);
  setField(0, <f64>(segment.base + start));
  setField(1, end - start);
  setField(2, count);
  setField(3, <f64>nextIndex);
  setField(4, frameArrival(lastFrame));
}

/** READ_RECORDS, READ_END or READ_ABSENT, with their fields. */
export function locate(shard: Shard, fromIndex: u64, recordsMax: u32, bytesMax: u32): u32 {
  const at = segmentFor(shard, fromIndex);
  if (at == 0) {
    if (fromIndex >= shard.durableNextIndex) return READ_END;
    setField(0, <f64>shard.durableNextIndex);
    return READ_ABSENT;
  }
  const segment = segmentOf(at);
  if (segment.firstIndex > fromIndex && !followsDirectly(segment)) {
    setField(0, <f64>segment.firstIndex);
    return READ_ABSENT;
  }
  readFrom(segment, fromIndex, recordsMax, bytesMax);
  return READ_RECORDS;
}

/** Whether there is a cached durable record at or after a time; field 0 is its index. */
export function indexAtTime(shard: Shard, timeMs: f64): bool {
  for (let at = shard.head; at != 0; at = segmentOf(at).next) {
    const segment = segmentOf(at);
    if (segment.durableCount == 0 || segment.durableLastMs < timeMs) continue;
    let frame: usize = segment.base + SEGMENT_HEADER_BYTES;
    while (frameArrival(frame) < timeMs) frame += frameLength(frame);
    setField(0, <f64>frameIndex(frame));
    return true;
  }
  return false;
}
