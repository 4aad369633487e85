/**
 * Sealing: a closed, durable segment becomes a segment image, in place. The layout is drawn in
 * layout.ts.
 */
import { IMAGE_STREAM } from "../border";
import { hashDigest, hashReset, hashUpdate } from "../checksum/xxh64";
import {
  SEGMENT_BODY_LENGTH,
  SEGMENT_EPOCH,
  SEGMENT_FIRST_INDEX,
  SEGMENT_FIRST_MS,
  SEGMENT_FIRST_WAL,
  SEGMENT_FORMAT,
  SEGMENT_HASH,
  SEGMENT_HEADER_BYTES,
  SEGMENT_LAST_INDEX,
  SEGMENT_LAST_MS,
  SEGMENT_LAST_WAL,
  SEGMENT_MAGIC,
  SEGMENT_ORDINAL,
  SEGMENT_RECORD_COUNT,
  SEGMENT_SHARD_UID,
  SEGMENT_SIZE_CLASS,
  SEGMENT_STREAM_UID,
} from "../layout";
import { takeTable } from "../memory/tables";
import { firstClosed, isDirty, segmentOf, Segment, takeSegment } from "./segment";
import { shardAt } from "./shard";

// Addresses of the segments found last.
let found: usize = 0;

/** Takes the table; false when there is no memory for it. */
export function openSealing(segmentsMax: u32): bool {
  found = takeTable(<usize>segmentsMax << 2);
  return found != 0;
}

/** Finds all closed segments whose records are durable; how many. */
export function findSealable(): u32 {
  let count: u32 = 0;
  for (let at = firstClosed(); at != 0; at = segmentOf(at).queueNext) {
    if (isDirty(segmentOf(at))) continue;
    store<u32>(found + (count << 2), at);
    count++;
  }
  return count;
}

/** One of the segments found last. */
export function sealable(i: u32): Segment {
  return segmentOf(load<u32>(found + (i << 2)));
}

/** XXH64 of an image: of the header up to the hash, then the body. */
export function imageHash(image: usize, byteLength: u32): u64 {
  hashReset(IMAGE_STREAM);
  hashUpdate(IMAGE_STREAM, image, SEGMENT_HASH);
  hashUpdate(IMAGE_STREAM, image + SEGMENT_HEADER_BYTES, byteLength - SEGMENT_HEADER_BYTES);
  return hashDigest(IMAGE_STREAM);
}

/** Takes a closed segment: writes its header and hash. */
export function seal(segment: Segment, epoch: u64): void {
  const shard = shardAt(segment.slot);
  const image = <usize>segment.base;
  memory.fill(image, 0, SEGMENT_HEADER_BYTES);
  store<u32>(image, SEGMENT_MAGIC);
  store<u16>(image, <u16>SEGMENT_FORMAT, 4);
  store<u16>(image, <u16>SEGMENT_HEADER_BYTES, 6);
  store<u32>(image, shard.streamUid, SEGMENT_STREAM_UID);
  store<u32>(image, shard.shardUid, SEGMENT_SHARD_UID);
  store<u64>(image, segment.ordinal, SEGMENT_ORDINAL);
  store<u64>(image, epoch, SEGMENT_EPOCH);
  store<u64>(image, segment.firstIndex, SEGMENT_FIRST_INDEX);
  store<u64>(image, segment.nextIndex - 1, SEGMENT_LAST_INDEX);
  store<f64>(image, segment.firstMs, SEGMENT_FIRST_MS);
  store<f64>(image, segment.lastMs, SEGMENT_LAST_MS);
  store<u64>(image, segment.firstFrame, SEGMENT_FIRST_WAL);
  store<u64>(image, segment.lastFrame, SEGMENT_LAST_WAL);
  store<u32>(image, segment.count, SEGMENT_RECORD_COUNT);
  store<u32>(image, segment.blocks, SEGMENT_SIZE_CLASS);
  store<u64>(image, segment.used - SEGMENT_HEADER_BYTES, SEGMENT_BODY_LENGTH);
  store<u64>(image, imageHash(image, segment.used), SEGMENT_HASH);
  takeSegment(segment);
}
