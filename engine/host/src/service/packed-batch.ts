/** Request batches in the engine's hands: their rows one by one, marks on them, and batches of its own. */
import {
  BATCH_FORMAT,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_ORDERED,
  RESULT_HEADER_BYTES,
  RESULT_ROW_BYTES,
  RESULT_SHARD_BYTES,
  ROW_EXPLICIT_HASH_KEY,
  ROW_FAULT,
  ROW_HEADER_BYTES,
  STATUS_FAULT,
  STATUS_OK,
} from "@millrace/core/layout";
import { FAULT_INTERNAL_FAILURE } from "../faults/fault-rules.ts";
import { padTo8, readUint64, viewOf, writeUint64 } from "../log/bytes.ts";

const PRODUCER_ID_AT = 16;
const BATCH_NUMBER_AT = 32;
const HASH_KEY_BYTES = 16;

/** One row of a batch. Offsets are those of the batch's bytes. */
export interface PackedRow {
  readonly at: number;
  /** Partition key as UTF-8: a view of the batch. */
  readonly key: Uint8Array;
  /** Explicit hash key, 0 to 2^128 - 1. */
  readonly hashKey: bigint | undefined;
  /** Bytes of key and data. */
  readonly byteLength: number;
}

/** The rows of a batch, as far as they lie within it: what is malformed is the core's to refuse. */
export function* rowsOf(batch: Uint8Array): Generator<PackedRow> {
  const view = viewOf(batch);
  let at: number = BATCH_HEADER_BYTES;
  for (let left = view.getUint32(8, true); left > 0; left -= 1) {
    if (at + ROW_HEADER_BYTES > batch.byteLength) return;
    const keyBytes = view.getUint16(at, true);
    const explicit = (view.getUint16(at + 2, true) & ROW_EXPLICIT_HASH_KEY) !== 0;
    const dataBytes = view.getUint32(at + 4, true);
    const keyAt = at + ROW_HEADER_BYTES + (explicit ? HASH_KEY_BYTES : 0);
    if (keyAt + keyBytes + dataBytes > batch.byteLength) return;
    yield {
      at,
      key: batch.subarray(keyAt, keyAt + keyBytes),
      hashKey: explicit
        ? (view.getBigUint64(keyAt - 16, true) << 64n) | view.getBigUint64(keyAt - 8, true)
        : undefined,
      byteLength: keyBytes + dataBytes,
    };
    at += padTo8(keyAt - at + keyBytes + dataBytes);
  }
}

/** Has the core refuse a row with STATUS_FAULT. */
export function markFault(batch: Uint8Array, row: PackedRow): void {
  const view = viewOf(batch);
  view.setUint16(row.at + 2, view.getUint16(row.at + 2, true) | ROW_FAULT, true);
}

/** Gives a batch another sender and number. */
export function restamp(batch: Uint8Array, producerId: Uint8Array, batchNumber: number): void {
  batch.set(producerId, PRODUCER_ID_AT);
  writeUint64(viewOf(batch), BATCH_NUMBER_AT, batchNumber);
}

/** Turns injected refusals of some rows, by their position, into internal failures. */
export function failInternally(result: ArrayBuffer, rows: ReadonlySet<number>): void {
  const view = new DataView(result);
  const rowsAt = RESULT_HEADER_BYTES + view.getUint32(24, true) * RESULT_SHARD_BYTES;
  for (const row of rows) {
    const at = rowsAt + row * RESULT_ROW_BYTES;
    if (view.getUint32(at + 4, true) === STATUS_FAULT)
      writeUint64(view, at + 8, FAULT_INTERNAL_FAILURE);
  }
}

/** Positions of the rows that were refused, and how long their shards ask to wait at most. */
export function refusedRows(result: ArrayBuffer): {
  readonly rows: number[];
  readonly retryAfterMs: number;
} {
  const view = new DataView(result);
  const rowsAt = RESULT_HEADER_BYTES + view.getUint32(24, true) * RESULT_SHARD_BYTES;
  const rows: number[] = [];
  let retryAfterMs = 0;
  for (let row = 0; row < view.getUint32(8, true); row += 1) {
    const at = rowsAt + row * RESULT_ROW_BYTES;
    if (view.getUint32(at + 4, true) === STATUS_OK) continue;
    rows.push(row);
    const shardAt = RESULT_HEADER_BYTES + view.getUint32(at, true) * RESULT_SHARD_BYTES;
    retryAfterMs = Math.max(retryAfterMs, view.getUint32(shardAt + 4, true));
  }
  return { rows, retryAfterMs };
}

/** Where the first row of a result was stored. */
export function firstRowOf(result: ArrayBuffer): {
  readonly shardIndex: number;
  readonly createdSeconds: number;
  readonly sequenceIndex: number;
  readonly arrivalSeconds: number;
} {
  const view = new DataView(result);
  const at = RESULT_HEADER_BYTES + view.getUint32(24, true) * RESULT_SHARD_BYTES;
  const shardAt = RESULT_HEADER_BYTES + view.getUint32(at, true) * RESULT_SHARD_BYTES;
  return {
    shardIndex: view.getUint32(shardAt, true),
    createdSeconds: view.getFloat64(shardAt + 8, true),
    sequenceIndex: readUint64(view, at + 8),
    arrivalSeconds: Math.floor(view.getFloat64(16, true) / 1000),
  };
}

/** A record of the engine's own. */
export interface OwnRecord {
  readonly key: Uint8Array;
  readonly data: Uint8Array;
}

/** Packs records of the engine's own into an ordered batch. */
export function packOwn(
  streamUid: number,
  producerId: Uint8Array,
  batchNumber: number,
  records: readonly OwnRecord[],
): ArrayBuffer {
  const sizeOf = ({ key, data }: OwnRecord): number =>
    padTo8(ROW_HEADER_BYTES + key.byteLength + data.byteLength);
  const byteLength = records.reduce((sum, record) => sum + sizeOf(record), BATCH_HEADER_BYTES);
  const bytes = new Uint8Array(byteLength);
  const view = viewOf(bytes);
  view.setUint32(0, BATCH_MAGIC, true);
  view.setUint16(4, BATCH_FORMAT, true);
  view.setUint16(6, BATCH_ORDERED, true);
  view.setUint32(8, records.length, true);
  view.setUint32(12, byteLength, true);
  view.setUint32(40, streamUid, true);
  restamp(bytes, producerId, batchNumber);
  let at: number = BATCH_HEADER_BYTES;
  for (const record of records) {
    view.setUint16(at, record.key.byteLength, true);
    view.setUint32(at + 4, record.data.byteLength, true);
    bytes.set(record.key, at + ROW_HEADER_BYTES);
    bytes.set(record.data, at + ROW_HEADER_BYTES + record.key.byteLength);
    at += sizeOf(record);
  }
  return bytes.buffer;
}
