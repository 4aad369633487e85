/**
 * What the benchmarks measure the core against: the records of a request batch copied into a ring of
 * segments, with nothing else done. Not part of the core.
 */
import { BATCH_HEADER_BYTES, ROW_HEADER_BYTES, SEGMENT_BYTES_MAX } from "../assembly/layout";

const FRAME_SPACE: u32 = 64;

let ring: usize = 0;
let ringEnd: usize = 0;
let input: usize = 0;
let shards: u32 = 0;
let nextSegment: usize = 0;
let positions: usize = 0;

/** Sets up a ring of `ringBytes` over `shardCount` shards; the address for request batches. */
export function init(shardCount: u32, ringBytes: u32, inputBytes: u32): usize {
  positions = (__heap_base + 63) & ~63;
  input = (positions + (shardCount << 3) + 63) & ~63;
  ring = (input + inputBytes + 0xffff) & ~0xffff;
  ringEnd = ring + ringBytes;
  shards = shardCount;
  nextSegment = ring;
  const pages = <i32>((ringEnd + 0xffff) >>> 16) - memory.size();
  if (pages > 0 && memory.grow(pages) < 0) return 0;
  for (let shard: u32 = 0; shard < shardCount; shard++) openSegment(positions + (shard << 3));
  return input;
}

function openSegment(position: usize): void {
  if (nextSegment + SEGMENT_BYTES_MAX > ringEnd) nextSegment = ring;
  store<u32>(position, <u32>nextSegment);
  store<u32>(position, <u32>(nextSegment + SEGMENT_BYTES_MAX), 4);
  nextSegment += SEGMENT_BYTES_MAX;
}

/** Copies key and data of every row of the batch to the end of a shard, the shards in turn. */
export function copyRing(batch: usize): void {
  const count = load<u32>(batch, 8);
  let row = batch + BATCH_HEADER_BYTES;
  for (let i: u32 = 0; i < count; i++) {
    const payload = <u32>load<u16>(row) + load<u32>(row, 4);
    const position = positions + ((i % shards) << 3);
    if (load<u32>(position) + payload + FRAME_SPACE > load<u32>(position, 4)) openSegment(position);
    const target = load<u32>(position);
    memory.copy(target, row + ROW_HEADER_BYTES, payload);
    store<u32>(position, target + ((payload + FRAME_SPACE) & ~7));
    row += (ROW_HEADER_BYTES + payload + 7) & ~7;
  }
}
