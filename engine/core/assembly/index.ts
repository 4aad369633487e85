/**
 * The exports of the core. Every number that crosses is an i32, u32 or f64; what does not fit one
 * number lies in the scratch area. The facade in engine/host/src/core checks arguments: a slot is
 * present, a route is set, addresses lie in memory.
 */
import { crc32 as continueCrc32, crc32c as continueCrc32c, openCrc } from "./checksum/crc";
import { hashDigest, hashReset, hashUpdate, xxh64 } from "./checksum/xxh64";
import { IMAGE_OK } from "./border";
import { hashKey, openKeyHashes } from "./hash/key-hashes";
import { md5Finish, md5Reset, md5Update } from "./hash/md5";
import { openRoutes, routeIsSet, setRoute, slotOfHashKey } from "./hash/routes";
import { BLOCK_BYTES, RECORDS_PER_CALL_MAX, SEGMENT_HEADER_BYTES } from "./layout";
import * as append from "./log/append";
import { openBatches } from "./log/batch";
import * as cache from "./log/cache";
import * as durability from "./log/durability";
import * as lifecycle from "./log/lifecycle";
import * as reading from "./log/read";
import * as recovery from "./log/replay";
import * as sealing from "./log/sealing";
import {
  closeSegment,
  declareSegment,
  handleOf,
  openSegments,
  Segment,
  segmentAt,
  stateOfHandle,
} from "./log/segment";
import { nextIndexOf, openShard, openShards, shardAt, shardIsPresent } from "./log/shard";
import {
  arenaBlocksEvictable,
  arenaBlocksMax,
  arenaBlocksPinned,
  openArena,
} from "./memory/arena";
import {
  giveRunAway,
  inputResidentBytes,
  openInput,
  releaseInput,
  reserveInput,
  reserveRun,
} from "./memory/input";
import { scratchAddress, scratchBytes, setField } from "./memory/scratch";
import { closeTables, openTables, takeTable } from "./memory/tables";
import * as sequence from "./sequence/sequence-words";
import { admitRead as admit, chargeRead as charge } from "./throttle/read-tanks";
import { openRouteTanks, routeTanks, setRouteQuota } from "./throttle/route-tanks";

export { inputResidentBytes, releaseInput, reserveInput, reserveRun, scratchAddress };

// ── Start ────────────────────────────────────────────────────────────────────────────────────────

/** Sets the core up, once; 0 when there is not enough memory. */
export function init(shardSlotsMax: u32, routesMax: u32, arenaBlocks: u32): u32 {
  openTables();
  const tables =
    openCrc() &&
    openKeyHashes(RECORDS_PER_CALL_MAX) &&
    openBatches() &&
    append.openAppends() &&
    openShards(shardSlotsMax) &&
    openRoutes(routesMax, shardSlotsMax) &&
    openRouteTanks(routesMax) &&
    openSegments(arenaBlocks) &&
    durability.openDurability(shardSlotsMax, arenaBlocks) &&
    sealing.openSealing(arenaBlocks) &&
    openInput();
  const blockUse = takeTable(arenaBlocks);
  if (!tables || blockUse == 0) return 0;
  openArena(closeTables(), blockUse, arenaBlocks);
  return 1;
}

/** Fields: bytes of the arena that are pinned, evictable, and at most. */
export function describeMemory(): void {
  setField(0, <f64>arenaBlocksPinned() * BLOCK_BYTES);
  setField(1, <f64>arenaBlocksEvictable() * BLOCK_BYTES);
  setField(2, <f64>arenaBlocksMax() * BLOCK_BYTES);
}

// ── Shards and routes ────────────────────────────────────────────────────────────────────────────

/** Whether a slot holds a shard. */
export function shardPresent(slot: u32): u32 {
  return shardIsPresent(slot) ? 1 : 0;
}

/** Adds a shard to an empty slot; its range lies in the scratch bytes: start and end, high and low. */
export function addShard(
  slot: u32,
  streamUid: u32,
  shardUid: u32,
  nextIndex: f64,
  nextOrdinal: f64,
  writeQuotas: u32,
): void {
  const shard = openShard(slot, <u64>nextIndex, <u64>nextOrdinal);
  const range = scratchBytes();
  shard.streamUid = streamUid;
  shard.shardUid = shardUid;
  shard.writeQuotas = writeQuotas;
  shard.startHigh = load<u64>(range);
  shard.startLow = load<u64>(range, 8);
  shard.endHigh = load<u64>(range, 16);
  shard.endLow = load<u64>(range, 24);
}

/** Drops a shard. */
export function removeShard(slot: u32): void {
  lifecycle.removeShard(shardAt(slot));
}

/** Sets the shards of a route from u32 slots in memory; a ROUTE_* code. */
export function setRoutes(route: u32, slots: usize, count: u32): u32 {
  return setRoute(route, slots, count);
}

/** Whether a route has shards. */
export function routePresent(route: u32): u32 {
  return routeIsSet(route) ? 1 : 0;
}

/** Sets how a route that has shards takes records; a quota of 0 and 0 is none. */
export function setRouteSettings(
  route: u32,
  recordsPerSecond: f64,
  bytesPerSecond: f64,
  spread: u32,
): void {
  const tanks = routeTanks(route);
  setRouteQuota(tanks, recordsPerSecond, bytesPerSecond);
  tanks.spread = spread;
}

/** Enforces the write quotas of a shard from now on, or no more. */
export function setWriteQuotas(slot: u32, enforced: u32): void {
  shardAt(slot).writeQuotas = enforced;
}

/** Slot of the shard that takes a key. */
export function routeKey(route: u32, key: usize, length: u32): u32 {
  const hash = scratchBytes();
  hashKey(hash, key, length);
  return slotOfHashKey(route, load<u64>(hash), load<u64>(hash, 8));
}

/** Raises the next sequence index. */
export function raiseNextIndex(slot: u32, nextIndex: f64): void {
  lifecycle.raiseNextIndex(shardAt(slot), <u64>nextIndex);
}

/** Fields: next index, durable index, next ordinal, last durable arrival, whether it has provisional records. */
export function describeShard(slot: u32): void {
  const shard = shardAt(slot);
  setField(0, <f64>nextIndexOf(shard));
  setField(1, <f64>shard.durableNextIndex);
  setField(2, <f64>shard.nextOrdinal);
  setField(3, shard.durableLastMs);
  setField(4, shard.touched);
}

// ── The life of a record ─────────────────────────────────────────────────────────────────────────

/** Appends a batch; a BATCH_* code, with fields. */
export function appendBatch(
  batch: usize,
  byteLength: u32,
  route: u32,
  nowMs: f64,
  recordBytesMax: u32,
  overdraws: u32,
): u32 {
  return append.appendBatch(batch, byteLength, route, nowMs, recordBytesMax, overdraws != 0);
}

/** Address of the rows of the last batch. */
export function appendRows(): usize {
  return append.appendRows();
}

/** Address of the shards of the last batch. */
export function appendShards(): usize {
  return append.appendShards();
}

/** Ms until a shard takes one record of so many bytes. */
export function writeRetryAfterMs(slot: u32, bytes: u32, nowMs: f64): f64 {
  return append.writeRetryAfterMs(shardAt(slot), bytes, nowMs);
}

/** Whether anything was appended since the last cut. */
export function hasProvisional(): u32 {
  return durability.hasProvisional() ? 1 : 0;
}

/** Whether a cut with records is in flight. */
export function cutInFlight(): u32 {
  return durability.cutIsInFlight() ? 1 : 0;
}

/** Cuts everything provisional; the number of runs. */
export function cut(): u32 {
  return durability.cut();
}

/**
 * Describes a run of the cut in flight. Fields: slot, stream uid, shard uid, ordinal, first index,
 * records, offset in the body, address, bytes.
 */
export function describeRun(run: u32): void {
  const segment = durability.runSegment(run);
  const shard = shardAt(segment.slot);
  setField(0, segment.slot);
  setField(1, shard.streamUid);
  setField(2, shard.shardUid);
  setField(3, <f64>segment.ordinal);
  setField(4, <f64>durability.runFirstIndex(segment));
  setField(5, segment.cutCount - segment.durableCount);
  setField(6, segment.durableUsed - SEGMENT_HEADER_BYTES);
  setField(7, segment.base + segment.durableUsed);
  setField(8, segment.cutUsed - segment.durableUsed);
}

/** The cut is in a WAL frame. */
export function commit(frame: f64): void {
  durability.commit(<u64>frame);
}

/** Back to the durable marks. */
export function rewind(): void {
  durability.rewind();
}

// ── Segments ─────────────────────────────────────────────────────────────────────────────────────

/** Closes the open segment of a shard. */
export function roll(slot: u32): void {
  lifecycle.roll(shardAt(slot));
}

/** Closes open segments whose first record arrived before a time; how many. */
export function rollOlderThan(beforeMs: f64): u32 {
  return lifecycle.rollOlderThan(beforeMs);
}

/** Finds all sealable segments; how many. */
export function findSealable(): u32 {
  return sealing.findSealable();
}

/**
 * Describes a segment found last. Fields: handle, slot, stream uid, shard uid, ordinal, first and last
 * index, first and latest arrival, records, first and last WAL frame, bytes with header.
 */
export function describeSealable(i: u32): void {
  const segment = sealing.sealable(i);
  const shard = shardAt(segment.slot);
  setField(0, handleOf(segment));
  setField(1, segment.slot);
  setField(2, shard.streamUid);
  setField(3, shard.shardUid);
  setField(4, <f64>segment.ordinal);
  setField(5, <f64>segment.firstIndex);
  setField(6, <f64>(segment.nextIndex - 1));
  setField(7, segment.firstMs);
  setField(8, segment.lastMs);
  setField(9, segment.count);
  setField(10, <f64>segment.firstFrame);
  setField(11, <f64>segment.lastFrame);
  setField(12, segment.used);
}

/** State of the segment with a handle: STATE_*. */
export function segmentState(handle: u32): u32 {
  return stateOfHandle(handle);
}

/** Whether all records of a segment are durable. */
export function segmentIsDurable(handle: u32): u32 {
  const segment = segmentAt(handle);
  return segment.used == segment.durableUsed ? 1 : 0;
}

/** Seals a closed, durable segment. Fields: address and bytes of its image. */
export function seal(handle: u32, epoch: f64): void {
  const segment: Segment = segmentAt(handle);
  sealing.seal(segment, <u64>epoch);
  setField(0, segment.base);
  setField(1, segment.used);
}

/** A sealed segment is in the store. */
export function declareSealed(handle: u32): void {
  declareSegment(segmentAt(handle));
}

/** A sealed segment could not be stored. */
export function unseal(handle: u32): void {
  closeSegment(segmentAt(handle));
}

/** Takes the image in a reserved run into the cache; an IMAGE_* code. The run is given away or released. */
export function loadImage(slot: u32, image: usize, byteLength: u32): u32 {
  const code = cache.loadImage(shardAt(slot), image, byteLength);
  if (code == IMAGE_OK) giveRunAway();
  else releaseInput();
  return code != IMAGE_OK && cache.imageWasCached() ? IMAGE_OK : code;
}

/** Drops cached segments that end before an index. */
export function trim(slot: u32, beforeIndex: f64): void {
  cache.trim(shardAt(slot), <u64>beforeIndex);
}

/** Appends frames as durable records; an IMAGE_* code. */
export function replay(
  slot: u32,
  ordinal: f64,
  frames: usize,
  byteLength: u32,
  walFrame: f64,
): u32 {
  return recovery.replay(shardAt(slot), <u64>ordinal, frames, byteLength, <u64>walFrame);
}

/** Finds intact frames; see nextIntact in log/replay.ts for the fields. */
export function nextIntact(from: usize, end: usize): u32 {
  return recovery.nextIntact(from, end) ? 1 : 0;
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────

/** Finds durable records; a READ_* code, with fields. */
export function locate(slot: u32, fromIndex: f64, recordsMax: u32, bytesMax: u32): u32 {
  return reading.locate(shardAt(slot), <u64>fromIndex, recordsMax, bytesMax);
}

/** Whether there is a cached durable record at or after a time; field 0 is its index. */
export function indexAtTime(slot: u32, timeMs: f64): u32 {
  return reading.indexAtTime(shardAt(slot), timeMs) ? 1 : 0;
}

/** Takes one read call: 0 when admitted, else ms to wait. */
export function admitRead(slot: u32, nowMs: f64): f64 {
  return admit(shardAt(slot), nowMs);
}

/** Charges the bytes of an admitted read. */
export function chargeRead(slot: u32, byteLength: f64, nowMs: f64): void {
  charge(shardAt(slot), byteLength, nowMs);
}

// ── Hashes ───────────────────────────────────────────────────────────────────────────────────────

/** Starts an XXH64 stream. */
export function xxh64Reset(stream: u32): void {
  hashReset(stream);
}

/** Adds to an XXH64 stream. */
export function xxh64Update(stream: u32, address: usize, byteLength: u32): void {
  hashUpdate(stream, address, byteLength);
}

/** XXH64 of a stream, to the scratch bytes. */
export function xxh64Digest(stream: u32): void {
  store<u64>(scratchBytes(), hashDigest(stream));
}

/** XXH64 of bytes in memory, to the scratch bytes. */
export function xxh64Of(address: usize, byteLength: u32): void {
  store<u64>(scratchBytes(), xxh64(address, byteLength));
}

/** Continues a CRC-32; starts from 0. */
export function crc32(crc: u32, address: usize, byteLength: u32): u32 {
  return continueCrc32(crc, address, byteLength);
}

/** Continues a CRC-32C; starts from 0. */
export function crc32c(crc: u32, address: usize, byteLength: u32): u32 {
  return continueCrc32c(crc, address, byteLength);
}

/** Starts the MD5 stream. */
export function md5Start(): void {
  md5Reset();
}

/** Adds to the MD5 stream. */
export function md5Add(address: usize, byteLength: u32): void {
  md5Update(address, byteLength);
}

/** MD5 of the stream, to the scratch bytes. */
export function md5End(): void {
  md5Finish(scratchBytes());
}

// ── Sequence numbers ─────────────────────────────────────────────────────────────────────────────

/** Writes a sequence number's three words to the scratch bytes. */
export function packSequence(created: f64, index: f64, arrival: f64, shardIndex: u32): void {
  sequence.sequencePack(scratchBytes(), <u64>created, <u64>index, <u64>arrival, shardIndex);
}

/** Reads three words from the scratch bytes: 0 when they are none, else fields as packSequence takes. */
export function unpackSequence(): u32 {
  const words = scratchBytes();
  if (!sequence.sequenceIsValid(words)) return 0;
  setField(0, <f64>sequence.sequenceCreated(words));
  setField(1, <f64>sequence.sequenceIndex(words));
  setField(2, <f64>sequence.sequenceArrival(words));
  setField(3, sequence.sequenceShard(words));
  return 1;
}
