/** Request batches, results and slices built and read straight from the layouts, without the rpc code. */
import {
  BATCH_FORMAT,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_ORDERED,
  PART_HEADER_BYTES,
  RESULT_HEADER_BYTES,
  RESULT_ROW_BYTES,
  RESULT_SHARD_BYTES,
  ROW_EXPLICIT_HASH_KEY,
  SLICE_HEADER_BYTES,
} from "@millrace/core/layout";
import { padTo8, readUint64, viewOf, writeUint64 } from "../../src/log/bytes.ts";

export interface TestRecord {
  readonly key: string;
  readonly data: Uint8Array;
  readonly explicitHashKey?: bigint;
}

export interface TestBatch {
  readonly streamUid: number;
  readonly batchNumber: number;
  readonly records: readonly TestRecord[];
  readonly producer?: number;
  readonly ordered?: boolean;
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

export function buildBatch(batch: TestBatch): ArrayBuffer {
  const rows = batch.records.map((record) => {
    const key = utf8.encode(record.key);
    const extra = record.explicitHashKey === undefined ? 0 : 16;
    const bytes = new Uint8Array(padTo8(8 + extra + key.byteLength + record.data.byteLength));
    const view = viewOf(bytes);
    view.setUint16(0, key.byteLength, true);
    view.setUint32(4, record.data.byteLength, true);
    if (record.explicitHashKey !== undefined) {
      view.setUint16(2, ROW_EXPLICIT_HASH_KEY, true);
      view.setBigUint64(8, record.explicitHashKey >> 64n, true);
      view.setBigUint64(16, record.explicitHashKey & 0xffffffffffffffffn, true);
    }
    bytes.set(key, 8 + extra);
    bytes.set(record.data, 8 + extra + key.byteLength);
    return bytes;
  });
  const total = rows.reduce((sum, row) => sum + row.byteLength, BATCH_HEADER_BYTES);
  const bytes = new Uint8Array(total);
  const view = viewOf(bytes);
  view.setUint32(0, BATCH_MAGIC, true);
  view.setUint16(4, BATCH_FORMAT, true);
  view.setUint16(6, (batch.ordered ?? true) ? BATCH_ORDERED : 0, true);
  view.setUint32(8, rows.length, true);
  view.setUint32(12, total, true);
  view.setUint32(16, batch.producer ?? 1, true);
  writeUint64(view, 32, batch.batchNumber);
  view.setUint32(40, batch.streamUid, true);
  let at: number = BATCH_HEADER_BYTES;
  for (const row of rows) {
    bytes.set(row, at);
    at += row.byteLength;
  }
  return bytes.buffer;
}

export interface TestResultRow {
  readonly shardIndex: number;
  readonly status: number;
  readonly index: number;
}

export function readResult(result: ArrayBuffer): TestResultRow[] {
  const view = new DataView(result);
  const shardCount = view.getUint32(24, true);
  const rowsAt = RESULT_HEADER_BYTES + shardCount * RESULT_SHARD_BYTES;
  return Array.from({ length: view.getUint32(8, true) }, (_, i) => {
    const at = rowsAt + i * RESULT_ROW_BYTES;
    const shard = RESULT_HEADER_BYTES + view.getUint32(at, true) * RESULT_SHARD_BYTES;
    return {
      shardIndex: view.getUint32(shard, true),
      status: view.getUint32(at + 4, true),
      index: readUint64(view, at + 8),
    };
  });
}

export interface ReadRecord {
  readonly shardIndex: number;
  readonly index: number;
  readonly arrivalMs: number;
  readonly key: string;
  readonly data: Uint8Array;
}

export interface ReadPart {
  readonly shardIndex: number;
  readonly flags: number;
  readonly nextIndex: number;
  readonly behindMs: number;
  readonly records: readonly ReadRecord[];
}

export function readSlice(slice: ArrayBuffer): ReadPart[] {
  const bytes = new Uint8Array(slice);
  const view = viewOf(bytes);
  const parts: ReadPart[] = [];
  let at: number = SLICE_HEADER_BYTES;
  for (let left = view.getUint32(8, true); left > 0; left--) {
    const shardIndex = view.getUint32(at, true);
    const framesAt = at + PART_HEADER_BYTES;
    const end = framesAt + view.getUint32(at + 36, true);
    const records: ReadRecord[] = [];
    for (let frame = framesAt; frame < end; frame += view.getUint32(frame + 8, true)) {
      const keyLength = view.getUint16(frame + 32, true);
      const dataLength = view.getUint32(frame + 12, true);
      const keyAt = frame + 40;
      records.push({
        shardIndex,
        index: readUint64(view, frame + 16),
        arrivalMs: view.getFloat64(frame + 24, true),
        key: fromUtf8.decode(bytes.subarray(keyAt, keyAt + keyLength)),
        data: bytes.slice(keyAt + keyLength, keyAt + keyLength + dataLength),
      });
    }
    parts.push({
      shardIndex,
      flags: view.getUint32(at + 4, true),
      nextIndex: readUint64(view, at + 16),
      behindMs: view.getFloat64(at + 24, true),
      records,
    });
    at = end;
  }
  return parts;
}
