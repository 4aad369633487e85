/**
 * What the benchmarks need beside the core: the records of a request batch copied into a ring of
 * segments with nothing else done, and the hash keys of a batch with nothing else done. Not part of the
 * core; built by `node engine/core/build.mjs bench`.
 */
import { BATCH_HEADER_BYTES, BLOCK_BYTES, ROW_HEADER_BYTES } from "../assembly/layout";
import { addKey, finishKeys, openKeyHashes, startKeys } from "../assembly/hash/key-hashes";
import { closeTables, openTables, takeTable } from "../assembly/memory/tables";

/** Space for a frame's header, and for the arena's slack. */
const FRAME_SPACE: u32 = 64;
const HASH_KEY_BYTES: u32 = 16;

let ring: usize = 0;
let ringEnd: usize = 0;
let shards: u32 = 0;
let segmentLength: u32 = 0;
let nextSegment: usize = 0;
let positions: usize = 0;
let hashKeys: usize = 0;

/**
 * Sets up a ring of `ringBytes` over `shardCount` shards, each filling segments of `segmentBytes`; the
 * address for request batches of up to `inputBytes` and `rowsMax` rows, or 0 when there is no memory.
 */
export function init(
  shardCount: u32,
  ringBytes: u32,
  segmentBytes: u32,
  inputBytes: u32,
  rowsMax: u32,
): usize {
  openTables();
  const opened = openKeyHashes(rowsMax);
  hashKeys = takeTable(rowsMax * HASH_KEY_BYTES);
  positions = takeTable(shardCount << 3);
  const input = takeTable(inputBytes + FRAME_SPACE);
  ring = closeTables();
  ringEnd = ring + ringBytes;
  shards = shardCount;
  segmentLength = segmentBytes;
  nextSegment = ring;
  const pages = <i32>((ringEnd + BLOCK_BYTES - 1) / BLOCK_BYTES) - memory.size();
  if (!opened || input == 0 || (pages > 0 && memory.grow(pages) < 0)) return 0;
  for (let shard: u32 = 0; shard < shardCount; shard++) openSegment(positions + (shard << 3));
  return input;
}

function openSegment(position: usize): void {
  if (nextSegment + segmentLength > ringEnd) nextSegment = ring;
  store<u32>(position, <u32>nextSegment);
  store<u32>(position, <u32>(nextSegment + segmentLength), 4);
  nextSegment += segmentLength;
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

/** Works out the hash keys of all rows of the batch; their address, two words each, high then low. */
export function hashBatch(batch: usize): usize {
  const count = load<u32>(batch, 8);
  let row = batch + BATCH_HEADER_BYTES;
  startKeys();
  for (let i: u32 = 0; i < count; i++) {
    const keyLength = <u32>load<u16>(row);
    addKey(hashKeys + i * HASH_KEY_BYTES, row + ROW_HEADER_BYTES, keyLength);
    row += (ROW_HEADER_BYTES + keyLength + load<u32>(row, 4) + 7) & ~7;
  }
  finishKeys();
  return hashKeys;
}
