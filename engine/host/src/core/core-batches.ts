/** What the facade says about a request batch: why it was refused, and its packed result. */
import {
  BATCH_BAD_COUNT,
  BATCH_BAD_FLAGS,
  BATCH_BAD_LENGTH,
  BATCH_BAD_MAGIC,
  BATCH_BAD_VERSION,
  BATCH_KEY_EMPTY,
  BATCH_KEY_LONG,
  BATCH_RECORD_BYTES,
  BATCH_ROW_BOUNDS,
  BATCH_ROW_FLAGS,
  BATCH_TRAILING,
} from "@millrace/core/border";
import {
  RESULT_FORMAT,
  RESULT_HEADER_BYTES,
  RESULT_MAGIC,
  RESULT_ROW_BYTES,
  RESULT_SHARD_BYTES,
  STATUS_NO_MEMORY,
  STATUS_OK,
} from "@millrace/core/layout";
import { MalformedBatchError } from "./core-errors.ts";
import type { CoreInstance } from "./core-instance.ts";

/** Advice for a record that found no memory: sealing a segment takes about as long. */
const MEMORY_RETRY_MS = 100;
const LISTED_SHARD_BYTES = 16;

/** What a refusal says about the batch, or about row `row` of it. */
interface Refusal {
  readonly ofRow: boolean;
  readonly argument: string;
  readonly text: (value: number, limit: number) => string;
}

const REFUSALS: Readonly<Record<number, Refusal>> = {
  [BATCH_BAD_MAGIC]: ofBatch((v) => `does not begin with the magic of a batch but with ${v}`),
  [BATCH_BAD_VERSION]: ofBatch((v, l) => `has format version ${v}; this build knows ${l}`),
  [BATCH_BAD_LENGTH]: ofBatch((v, l) => `has a length of ${v} bytes where ${l} were expected`),
  [BATCH_BAD_FLAGS]: ofBatch((v) => `has flags that this build does not know: ${v}`),
  [BATCH_BAD_COUNT]: ofBatch((v, l) => `has ${v} records; the limit is ${l}`),
  [BATCH_TRAILING]: ofBatch((v) => `has ${v} bytes after its last record`),
  [BATCH_ROW_BOUNDS]: ofRow("", (v, l) => `takes ${v} bytes where ${l} are left in the batch`),
  [BATCH_ROW_FLAGS]: ofRow("", (v) => `has flags that this build does not know: ${v}`),
  [BATCH_KEY_EMPTY]: ofRow(".partitionKey", () => "is empty; it needs at least 1 character"),
  [BATCH_KEY_LONG]: ofRow(".partitionKey", (v, l) => `has ${v} characters; the limit is ${l}`),
  [BATCH_RECORD_BYTES]: ofRow("", (v, l) => `has ${v} bytes of key and data; the limit is ${l}`),
};

function ofBatch(text: Refusal["text"]): Refusal {
  return { ofRow: false, argument: "request", text };
}

function ofRow(argument: string, text: Refusal["text"]): Refusal {
  return { ofRow: true, argument, text };
}

/** The error for a refusal of the core, a BATCH_* code; its details lie in the core's fields. */
export function malformedBatch(core: CoreInstance, code: number): MalformedBatchError {
  const refusal = REFUSALS[code] ?? ofBatch(() => `was refused with code ${code}`);
  const row = refusal.ofRow ? core.field(0) : undefined;
  const value = core.field(1);
  const limit = core.field(2);
  const argument = row === undefined ? refusal.argument : `records[${row}]${refusal.argument}`;
  return new MalformedBatchError(`${argument} ${refusal.text(value, limit)}.`, {
    argument,
    value,
    limit,
    ...(row === undefined ? {} : { row }),
  });
}

/** What a result says about a shard besides its slot. */
export interface ShardDescription {
  readonly shardIndex: number;
  /** Creation in seconds since the Unix epoch. */
  readonly createdSeconds: number;
}

/** Counts of the last batch. */
export interface BatchCounts {
  readonly recordCount: number;
  readonly refusedCount: number;
  readonly shardCount: number;
}

/** Packs the result of the last batch (layout: result) into a new buffer. */
export function packBatchResult(
  core: CoreInstance,
  counts: BatchCounts,
  nowMs: number,
  describe: (slot: number) => ShardDescription,
): ArrayBuffer {
  const { recordCount, refusedCount, shardCount } = counts;
  const rowsAt = RESULT_HEADER_BYTES + shardCount * RESULT_SHARD_BYTES;
  const byteLength = rowsAt + recordCount * RESULT_ROW_BYTES;
  const result = new ArrayBuffer(byteLength);
  const view = new DataView(result);
  view.setUint32(0, RESULT_MAGIC, true);
  view.setUint16(4, RESULT_FORMAT, true);
  view.setUint32(8, recordCount, true);
  view.setUint32(12, refusedCount, true);
  view.setFloat64(16, nowMs, true);
  view.setUint32(24, shardCount, true);
  view.setUint32(28, byteLength, true);
  for (let i = 0; i < shardCount; i++) {
    const at = RESULT_HEADER_BYTES + i * RESULT_SHARD_BYTES;
    const { slot, retryAfterMs } = listedShard(core, i, nowMs);
    const { shardIndex, createdSeconds } = describe(slot);
    view.setUint32(at, shardIndex, true);
    view.setUint32(at + 4, retryAfterMs, true);
    view.setFloat64(at + 8, createdSeconds, true);
  }
  const rows = core.exports.appendRows() >>> 0;
  new Uint8Array(result, rowsAt).set(
    core.bytes.subarray(rows, rows + recordCount * RESULT_ROW_BYTES),
  );
  return result;
}

/** A shard in the list of the last batch, and when its first refused record would be taken. */
function listedShard(
  core: CoreInstance,
  i: number,
  nowMs: number,
): { slot: number; retryAfterMs: number } {
  const entry = (core.exports.appendShards() >>> 0) + i * LISTED_SHARD_BYTES;
  const slot = core.view.getUint32(entry, true);
  const status = core.view.getUint32(entry + 4, true);
  const bytes = core.view.getUint32(entry + 8, true);
  if (status === STATUS_OK) return { slot, retryAfterMs: 0 };
  const retryAfterMs = core.exports.writeRetryAfterMs(slot, bytes, nowMs);
  return { slot, retryAfterMs: status === STATUS_NO_MEMORY ? MEMORY_RETRY_MS : retryAfterMs };
}

/** Slot, status and index of a row of the last batch. */
export function batchRow(
  core: CoreInstance,
  row: number,
): { slot: number; status: number; index: number } {
  const at = (core.exports.appendRows() >>> 0) + row * RESULT_ROW_BYTES;
  const shards = core.exports.appendShards() >>> 0;
  const { view } = core;
  const position = view.getUint32(at, true);
  return {
    slot: view.getUint32(shards + position * LISTED_SHARD_BYTES, true),
    status: view.getUint32(at + 4, true),
    index: view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * 0x1_0000_0000,
  };
}
