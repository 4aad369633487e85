/**
 * The cache of stored segments: taking an image in, and dropping what retention trimmed. Eviction is
 * in space.ts.
 */
import {
  IMAGE_FORMAT,
  IMAGE_FRAMES,
  IMAGE_HASH,
  IMAGE_LENGTH,
  IMAGE_MAGIC,
  IMAGE_OK,
  IMAGE_OVERLAP,
  IMAGE_SHARD,
  STATE_CLOSED,
  STATE_DECLARED,
} from "../border";
import {
  SEGMENT_BODY_LENGTH,
  SEGMENT_CODEC,
  SEGMENT_FIRST_INDEX,
  SEGMENT_FIRST_MS,
  SEGMENT_FIRST_WAL,
  SEGMENT_FORMAT,
  SEGMENT_HASH,
  SEGMENT_HEADER_BYTES,
  SEGMENT_KEY_VERSION,
  SEGMENT_LAST_INDEX,
  SEGMENT_LAST_MS,
  SEGMENT_LAST_WAL,
  SEGMENT_MAGIC,
  SEGMENT_ORDINAL,
  SEGMENT_RECORD_COUNT,
  SEGMENT_SHARD_UID,
  SEGMENT_STREAM_UID,
} from "../layout";
import { frameIndex, frameIsPlausible, frameLength } from "./frame";
import { imageHash } from "./sealing";
import {
  blocksNeeded,
  commitSegment,
  createSegment,
  cutSegment,
  declareSegment,
  dropSegment,
  isDirty,
  segmentOf,
  touchSegment,
} from "./segment";
import { Shard } from "./shard";

/** Whether `count` frames with the indexes of the header fill the body exactly. */
function framesFollowHeader(image: usize, byteLength: u32): bool {
  const end = image + byteLength;
  let frame = image + SEGMENT_HEADER_BYTES;
  let count: u32 = 0;
  let last: u64 = 0;
  while (frame < end) {
    if (!frameIsPlausible(frame, end)) return false;
    const index = frameIndex(frame);
    if (count == 0 ? index != load<u64>(image, SEGMENT_FIRST_INDEX) : index <= last) return false;
    last = index;
    count++;
    frame += frameLength(frame);
  }
  return (
    count != 0 &&
    count == load<u32>(image, SEGMENT_RECORD_COUNT) &&
    last == load<u64>(image, SEGMENT_LAST_INDEX)
  );
}

function checkImage(shard: Shard, image: usize, byteLength: u32): u32 {
  if (byteLength < SEGMENT_HEADER_BYTES) return IMAGE_LENGTH;
  if (load<u32>(image) != SEGMENT_MAGIC) return IMAGE_MAGIC;
  if (load<u16>(image, 4) != SEGMENT_FORMAT) return IMAGE_FORMAT;
  if (load<u16>(image, 6) != SEGMENT_HEADER_BYTES) return IMAGE_MAGIC;
  if (load<u64>(image, SEGMENT_BODY_LENGTH) != <u64>(byteLength - SEGMENT_HEADER_BYTES)) {
    return IMAGE_LENGTH;
  }
  if (load<u64>(image, SEGMENT_HASH) != imageHash(image, byteLength)) return IMAGE_HASH;
  const features = load<u32>(image, 12);
  const coded = load<u32>(image, SEGMENT_KEY_VERSION) | load<u32>(image, SEGMENT_CODEC);
  if ((features | coded) != 0) return IMAGE_FORMAT;
  if (
    load<u32>(image, SEGMENT_STREAM_UID) != shard.streamUid ||
    load<u32>(image, SEGMENT_SHARD_UID) != shard.shardUid
  ) {
    return IMAGE_SHARD;
  }
  return framesFollowHeader(image, byteLength) ? IMAGE_OK : IMAGE_FRAMES;
}

/** Address of the cached segment with an ordinal, 0 when there is none. */
function cachedOrdinal(shard: Shard, ordinal: u64): u32 {
  let at = shard.tail;
  while (at != 0 && segmentOf(at).ordinal > ordinal) at = segmentOf(at).previous;
  return at != 0 && segmentOf(at).ordinal == ordinal ? at : 0;
}

/** Whether records of an image would lie among those of a cached segment, or beyond the durable mark. */
function overlaps(shard: Shard, firstIndex: u64, nextIndex: u64): bool {
  if (nextIndex > shard.durableNextIndex) return true;
  for (let at = shard.head; at != 0; at = segmentOf(at).next) {
    const segment = segmentOf(at);
    if (segment.firstIndex < nextIndex && firstIndex < segment.nextIndex) return true;
  }
  return false;
}

/** Blocks of the run that holds an image. */
export function imageBlocks(byteLength: u32): u32 {
  return blocksNeeded(byteLength);
}

/**
 * Takes an image that lies in a pinned run of its own into the cache. IMAGE_OK means that the run
 * belongs to the cache now; else it is still the caller's. An image that is cached already is checked,
 * counts as used, and is answered with IMAGE_OVERLAP and `alreadyCached`.
 */
export function loadImage(shard: Shard, image: usize, byteLength: u32): u32 {
  alreadyCached = false;
  const problem = checkImage(shard, image, byteLength);
  if (problem != IMAGE_OK) return problem;
  const ordinal = load<u64>(image, SEGMENT_ORDINAL);
  const firstIndex = load<u64>(image, SEGMENT_FIRST_INDEX);
  const nextIndex = load<u64>(image, SEGMENT_LAST_INDEX) + 1;
  const cached = cachedOrdinal(shard, ordinal);
  if (cached != 0) {
    const segment = segmentOf(cached);
    alreadyCached = segment.firstIndex == firstIndex && segment.nextIndex == nextIndex;
    touchSegment(segment);
    return IMAGE_OVERLAP;
  }
  if (overlaps(shard, firstIndex, nextIndex)) return IMAGE_OVERLAP;
  const segment = createSegment(shard.slot, image, imageBlocks(byteLength), ordinal, firstIndex);
  segment.firstMs = load<f64>(image, SEGMENT_FIRST_MS);
  segment.lastMs = load<f64>(image, SEGMENT_LAST_MS);
  segment.used = byteLength;
  segment.count = load<u32>(image, SEGMENT_RECORD_COUNT);
  segment.nextIndex = nextIndex;
  segment.firstFrame = load<u64>(image, SEGMENT_FIRST_WAL);
  segment.lastFrame = load<u64>(image, SEGMENT_LAST_WAL);
  cutSegment(segment);
  commitSegment(segment);
  declareSegment(segment);
  noteLastArrival(shard, nextIndex, segment.lastMs);
  return IMAGE_OK;
}

let alreadyCached: bool = false;

/** Whether the last image was refused only because it is cached already. */
export function imageWasCached(): bool {
  return alreadyCached;
}

/** The newest image of a shard that came without records tells when its last record arrived. */
function noteLastArrival(shard: Shard, nextIndex: u64, lastMs: f64): void {
  if (nextIndex != shard.durableNextIndex || shard.durableLastMs != 0) return;
  shard.durableLastMs = lastMs;
  if (shard.cutLastMs == 0) shard.cutLastMs = lastMs;
  if (shard.lastMs == 0) shard.lastMs = lastMs;
}

/** Drops cached segments that end before an index; open ones and those being sealed stay. */
export function trim(shard: Shard, beforeIndex: u64): void {
  let at = shard.head;
  while (at != 0) {
    const segment = segmentOf(at);
    if (segment.nextIndex > beforeIndex) return;
    at = segment.next;
    const settled = segment.state == STATE_CLOSED || segment.state == STATE_DECLARED;
    if (settled && !isDirty(segment)) dropSegment(segment);
  }
}
