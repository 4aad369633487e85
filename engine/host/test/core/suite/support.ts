/** What the suites share: packing batches, reading frames, hash key ranges, errors. */
import {
  BATCH_FORMAT,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_ORDERED,
  FRAME_ARRIVAL,
  FRAME_DATA_LENGTH,
  FRAME_HASH,
  FRAME_HEADER_BYTES,
  FRAME_KEY_LENGTH,
  FRAME_LENGTH,
  FRAME_SEQUENCE_INDEX,
  RECORD_BYTES_MAX,
  ROW_EXPLICIT_HASH_KEY,
  ROW_FAULT,
  ROW_HEADER_BYTES,
  SEGMENT_HASH,
  SEGMENT_HEADER_BYTES,
} from "@millrace/core/layout";
import { assert } from "chai";
import { createMD5, type IHasher } from "hash-wasm";
import type { Core } from "../../../src/core/core.ts";
import type { AppendOutcome, ShardPlacement } from "../../../src/core/core-types.ts";
import { InvalidArgumentError } from "../../../src/errors/index.ts";
import { SMALL_OPTIONS } from "./build.ts";

const LOW_HALF = (1n << 64n) - 1n;
/** The largest hash key. */
export const HASH_KEY_MAX = (1n << 128n) - 1n;

/** A record on its way into a core. */
export interface TestRecord {
  readonly key: string;
  readonly data: Uint8Array;
  readonly explicitHashKey?: bigint;
  /** Whether the record is to be refused. */
  readonly fault?: boolean;
}

/** UTF-8 of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Bytes as lower-case hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes that differ with `seed`, the same each time. */
export function testBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function rowBytes(keyLength: number, record: TestRecord): number {
  const explicit = record.explicitHashKey === undefined ? 0 : 16;
  return (ROW_HEADER_BYTES + explicit + keyLength + record.data.length + 7) & ~7;
}

/** Packs a request batch (layout: request batch). */
export function packBatch(records: readonly TestRecord[], ordered = false): Uint8Array {
  const keys = records.map(({ key }) => utf8(key));
  const lengths = records.map((record, i) => rowBytes(keys[i]?.length ?? 0, record));
  const total = lengths.reduce((sum, length) => sum + length, BATCH_HEADER_BYTES);
  const batch = new Uint8Array(total);
  const view = new DataView(batch.buffer);
  view.setUint32(0, BATCH_MAGIC, true);
  view.setUint16(4, BATCH_FORMAT, true);
  view.setUint16(6, ordered ? BATCH_ORDERED : 0, true);
  view.setUint32(8, records.length, true);
  view.setUint32(12, total, true);
  let at = BATCH_HEADER_BYTES;
  for (const [i, { data, explicitHashKey, fault = false }] of records.entries()) {
    const key = keys[i] ?? utf8("");
    view.setUint16(at, key.length, true);
    const explicit = explicitHashKey === undefined ? 0 : ROW_EXPLICIT_HASH_KEY;
    view.setUint16(at + 2, explicit | (fault ? ROW_FAULT : 0), true);
    view.setUint32(at + 4, data.length, true);
    let body = at + ROW_HEADER_BYTES;
    if (explicitHashKey !== undefined) {
      view.setBigUint64(body, explicitHashKey >> 64n, true);
      view.setBigUint64(body + 8, explicitHashKey & LOW_HALF, true);
      body += 16;
    }
    batch.set(key, body);
    batch.set(data, body + key.length);
    at += lengths[i] ?? 0;
  }
  return batch;
}

/** A record as it lies in a frame. */
export interface FrameRecord {
  readonly index: number;
  readonly arrivalMs: number;
  readonly key: string;
  readonly data: Uint8Array;
}

/** Reads frames that lie back to back, checking the XXH64 of each. */
export function readFrames(core: Core, frames: Uint8Array): FrameRecord[] {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength);
  const records: FrameRecord[] = [];
  let at = 0;
  while (at < frames.byteLength) {
    const length = view.getUint32(at + FRAME_LENGTH, true);
    const keyLength = view.getUint16(at + FRAME_KEY_LENGTH, true);
    const end = at + FRAME_HEADER_BYTES + keyLength + view.getUint32(at + FRAME_DATA_LENGTH, true);
    assert.equal(length, (end - at + 7) & ~7, "a frame is as long as its parts");
    const hashed = frames.subarray(at + FRAME_LENGTH, end);
    assert.equal(view.getBigUint64(at + FRAME_HASH, true), core.xxh64(hashed), "frame hash");
    assert.isTrue(
      frames.subarray(end, at + length).every((byte) => byte === 0),
      "a frame is padded with zeros",
    );
    const keyAt = at + FRAME_HEADER_BYTES;
    records.push({
      index: Number(view.getBigUint64(at + FRAME_SEQUENCE_INDEX, true)),
      arrivalMs: view.getFloat64(at + FRAME_ARRIVAL, true),
      key: new TextDecoder().decode(frames.subarray(keyAt, keyAt + keyLength)),
      data: frames.slice(keyAt + keyLength, end),
    });
    at += length;
  }
  return records;
}

/** A copy of core memory. */
export function copyOf(core: Core, address: number, byteLength: number): Uint8Array {
  return core.view(address, byteLength).slice();
}

/** Ranges of `count` shards as Kinesis cuts the ring. */
export function uniformRanges(count: number): { start: bigint; end: bigint }[] {
  const step = (HASH_KEY_MAX + 1n) / BigInt(count);
  return Array.from({ length: count }, (_, i) => ({
    start: step * BigInt(i),
    end: i === count - 1 ? HASH_KEY_MAX : step * BigInt(i + 1) - 1n,
  }));
}

/** Adds `count` shards in slots 0 to count - 1 and routes them on route 0. */
export function addShards(core: Core, count: number, more: Partial<ShardPlacement> = {}): void {
  for (const [slot, { start, end }] of uniformRanges(count).entries()) {
    core.addShard({
      slot,
      streamUid: 1,
      shardUid: 100 + slot,
      startingHashKey: start,
      endingHashKey: end,
      nextIndex: 0,
      nextOrdinal: 1,
      writeQuotas: false,
      ...more,
    });
  }
  core.setRoutes(0, [...Array(count).keys()]);
}

/** Removes all shards, whatever their condition. No memory must be left in use then. */
export function removeShards(core: Core): void {
  for (let slot = 0; slot < SMALL_OPTIONS.shardSlotsMax; slot++) {
    try {
      core.removeShard(slot);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
    }
  }
  const { dirtyBytes, cachedBytes } = core.memory();
  assert.deepEqual([dirtyBytes, cachedBytes, core.hasProvisional()], [0, 0, false]);
  core.rewind();
}

/** Appends records on route 0. */
export function append(
  core: Core,
  records: readonly TestRecord[],
  { nowMs = 1_000_000, ordered = false, recordBytesMax = RECORD_BYTES_MAX } = {},
): AppendOutcome {
  return core.append(packBatch(records, ordered), { route: 0, nowMs, recordBytesMax });
}

/** Appends records, and makes them durable as WAL frame `frame`. */
export function appendDurably(
  core: Core,
  records: readonly TestRecord[],
  frame = 1,
  nowMs = 1_000_000,
): void {
  append(core, records, { nowMs });
  core.cut();
  core.commit(frame);
}

/** `count` records of `bytes` bytes of data with keys of their own. */
export function someRecords(count: number, bytes: number): TestRecord[] {
  return Array.from({ length: count }, (_, i) => ({ key: `key-${i}`, data: testBytes(bytes, i) }));
}

/** Statuses of the rows of the last batch. */
export function statuses(core: Core, count: number): number[] {
  return Array.from({ length: count }, (_, i) => core.appendRow(i).status);
}

/** All durable records of a shard from an index on, by reads of at most `bytesMax`. */
export function readAll(core: Core, slot: number, from = 0, bytesMax = 1_048_576): FrameRecord[] {
  const records: FrameRecord[] = [];
  let next = from;
  for (;;) {
    const range = core.locate(slot, next, 10_000, bytesMax);
    if (range.kind === "end") return records;
    if (range.kind === "absent") {
      assert.isAbove(range.cachedFrom, next, "an absent answer leads further");
      next = range.cachedFrom;
      continue;
    }
    const frames = readFrames(core, copyOf(core, range.address, range.byteLength));
    assert.equal(frames.length, range.recordCount);
    assert.equal(frames.at(-1)?.arrivalMs, range.lastMs);
    records.push(...frames);
    next = range.nextIndex;
  }
}

/** Rolls shard 0 and seals its oldest segment; its image. */
export function sealOldest(core: Core, declare = true): Uint8Array {
  core.roll(0);
  const [oldest] = core.sealable(1);
  if (oldest === undefined) return assert.fail("there is a sealable segment");
  const image = new Uint8Array(core.seal(oldest.segment, { epoch: 7 }));
  assert.equal(image.byteLength, oldest.byteLength);
  if (declare) core.declare(oldest.segment);
  return image;
}

/** XXH64 as layout.ts defines it for a segment. */
export function imageHash(core: Core, image: Uint8Array): bigint {
  core.hashReset();
  core.hashBytes(image.subarray(0, SEGMENT_HASH));
  core.hashBytes(image.subarray(SEGMENT_HEADER_BYTES));
  return core.hashDigest();
}

/** The error of class `type` that a call throws. */
export function thrown<E extends Error>(type: new (message: string) => E, call: () => unknown): E {
  try {
    call();
  } catch (error) {
    if (error instanceof type) return error;
    throw error;
  }
  return assert.fail(`the call should have thrown ${type.name}`);
}

let md5: IHasher | undefined;

/** Hash key of a partition key, by another implementation of MD5. */
export async function hashKeyOf(): Promise<(key: string) => bigint> {
  md5 ??= await createMD5();
  const hasher = md5;
  return (key) => BigInt(`0x${hasher.init().update(utf8(key)).digest("hex")}`);
}
