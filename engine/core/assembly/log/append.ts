/**
 * Appending a batch: route, throttle, sequence index, frame. Everything appended is provisional until
 * it is cut and committed (durability.ts).
 *
 * Shards of the last batch in order of first appearance, 16 bytes each:
 *   0  u32  slot
 *   4  u32  status of the first refused record, STATUS_OK when there is none
 *   8  u32  bytes of that record
 *  12  u32  zero
 * Rows of the last batch: as the rows of a result (layout.ts), so that the host copies them at once.
 */
import { BATCH_OK } from "../border";
import { slotOfHashKey } from "../hash/routes";
import {
  RECORDS_PER_CALL_MAX,
  RESULT_ROW_BYTES,
  STATUS_BYTE_RATE,
  STATUS_NO_MEMORY,
  STATUS_OK,
  STATUS_ORDER,
  STATUS_RECORD_RATE,
  WRITE_BYTES_PER_SECOND,
  WRITE_RECORDS_PER_SECOND,
  WRITE_TANK_BYTES,
} from "../layout";
import { setField } from "../memory/scratch";
import { takeTable } from "../memory/tables";
import { holds, refilled, waitFor } from "../throttle/tank";
import {
  batchCount,
  batchIsOrdered,
  checkBatch,
  hashBatch,
  rowDataLength,
  rowHashHigh,
  rowHashLow,
  rowKey,
  rowKeyLength,
} from "./batch";
import { touchShard } from "./durability";
import { frameBytes, writeFrame } from "./frame";
import { segmentOf } from "./segment";
import { nextIndexOf, Shard, shardAt } from "./shard";
import { segmentWithRoom } from "./space";

const LISTED_BYTES: u32 = 16;

let results: usize = 0;
let listed: usize = 0;
let listedCount: u32 = 0;
/** Number of the batch being appended; 0 is no batch. */
let batchNumber: u32 = 0;

/** Takes the tables of results; false when there is no memory for them. */
export function openAppends(): bool {
  results = takeTable(<usize>RECORDS_PER_CALL_MAX * RESULT_ROW_BYTES);
  listed = takeTable(<usize>RECORDS_PER_CALL_MAX * LISTED_BYTES);
  return results != 0 && listed != 0;
}

/** Address of the rows of the last batch. */
export function appendRows(): usize {
  return results;
}

/** Address of the shards of the last batch. */
export function appendShards(): usize {
  return listed;
}

/** The shard's place in the list of this batch. */
function listShard(shard: Shard): u32 {
  if (shard.listedBatch == batchNumber) return shard.listPosition;
  shard.listedBatch = batchNumber;
  shard.listPosition = listedCount;
  const entry = listed + listedCount * LISTED_BYTES;
  store<u32>(entry, shard.slot);
  store<u32>(entry, STATUS_OK, 4);
  store<u64>(entry, 0, 8);
  listedCount++;
  return shard.listPosition;
}

function refillWriteTanks(shard: Shard, nowMs: f64): void {
  const elapsedMs = nowMs - shard.refillMs;
  if (elapsedMs == 0) return;
  const perSecond: f64 = WRITE_RECORDS_PER_SECOND;
  shard.recordTokens = refilled(shard.recordTokens, perSecond, perSecond, elapsedMs);
  shard.byteTokens = refilled(shard.byteTokens, WRITE_TANK_BYTES, WRITE_BYTES_PER_SECOND, elapsedMs);
  shard.refillMs = nowMs;
}

/** STATUS_OK when the quotas of the shard allow one record of `bytes`. */
function quotaStatus(shard: Shard, bytes: u32): u32 {
  if (!holds(shard.recordTokens, 1)) return STATUS_RECORD_RATE;
  return holds(shard.byteTokens, bytes) ? STATUS_OK : STATUS_BYTE_RATE;
}

/** Appends one record to a shard; its status. */
function appendRecord(shard: Shard, row: u32, nowMs: f64): u32 {
  const keyLength = rowKeyLength(row);
  const dataLength = rowDataLength(row);
  const payload = keyLength + dataLength;
  if (shard.writeQuotas != 0) {
    refillWriteTanks(shard, nowMs);
    const status = quotaStatus(shard, payload);
    if (status != STATUS_OK) return status;
  }
  const length = frameBytes(payload);
  const address = segmentWithRoom(shard, length, nowMs);
  if (address == 0) return STATUS_NO_MEMORY;
  if (shard.writeQuotas != 0) {
    shard.recordTokens -= 1;
    shard.byteTokens -= payload;
  }
  const segment = segmentOf(address);
  const index = nextIndexOf(shard);
  writeFrame(segment.base + segment.used, index, nowMs, rowKey(row), keyLength, dataLength);
  touchShard(shard);
  segment.used += length;
  segment.count++;
  segment.lastMs = max(segment.lastMs, nowMs);
  shard.lastMs = nowMs;
  shard.nextIndex = index + 1;
  segment.nextIndex = index + 1;
  bytesAppended += length;
  return STATUS_OK;
}

/** Bytes of frames that the batch appended so far. */
let bytesAppended: u32 = 0;

function refuseRow(shard: Shard, row: u32, position: u32, status: u32): void {
  const entry = listed + position * LISTED_BYTES;
  if (load<u32>(entry, 4) == STATUS_OK) {
    store<u32>(entry, status, 4);
    store<u32>(entry, rowKeyLength(row) + rowDataLength(row), 8);
  }
  shard.refusedBatch = batchNumber;
}

/**
 * Appends a batch; BATCH_OK, or the code of a refusal with nothing appended. Fields: count of records,
 * count of refused ones, bytes of frames, count of shards.
 */
export function appendBatch(
  batch: usize,
  byteLength: u32,
  route: u32,
  nowMs: f64,
  recordBytesMax: u32,
): u32 {
  const problem = checkBatch(batch, byteLength, recordBytesMax);
  if (problem != BATCH_OK) return problem;
  const count = batchCount(batch);
  const ordered = batchIsOrdered(batch);
  hashBatch(count);
  batchNumber = max(1, batchNumber + 1);
  listedCount = 0;
  bytesAppended = 0;
  let refused: u32 = 0;
  for (let row: u32 = 0; row < count; row++) {
    const shard = shardAt(slotOfHashKey(route, rowHashHigh(row), rowHashLow(row)));
    const position = listShard(shard);
    const index = nextIndexOf(shard);
    const status =
      ordered && shard.refusedBatch == batchNumber ? STATUS_ORDER : appendRecord(shard, row, nowMs);
    if (status != STATUS_OK) {
      refuseRow(shard, row, position, status);
      refused++;
    }
    const result = results + row * RESULT_ROW_BYTES;
    store<u32>(result, position);
    store<u32>(result, status, 4);
    store<u64>(result, status == STATUS_OK ? index : 0, 8);
  }
  setField(0, count);
  setField(1, refused);
  setField(2, bytesAppended);
  setField(3, listedCount);
  return BATCH_OK;
}

/** Ms until the shard's quotas allow one record of `bytes`; 0 when they do now. */
export function writeRetryAfterMs(shard: Shard, bytes: u32, nowMs: f64): f64 {
  if (shard.writeQuotas == 0) return 0;
  const elapsedMs = nowMs - shard.refillMs;
  const perSecond: f64 = WRITE_RECORDS_PER_SECOND;
  const records = refilled(shard.recordTokens, perSecond, perSecond, elapsedMs);
  const level = refilled(shard.byteTokens, WRITE_TANK_BYTES, WRITE_BYTES_PER_SECOND, elapsedMs);
  return max(waitFor(records, 1, perSecond), waitFor(level, bytes, WRITE_BYTES_PER_SECOND));
}
