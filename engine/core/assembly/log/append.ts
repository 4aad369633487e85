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
import { slotOfHashKey, slotOfTurn } from "../hash/routes";
import {
  RECORDS_PER_CALL_MAX,
  RESULT_ROW_BYTES,
  STATUS_FAULT,
  STATUS_NO_MEMORY,
  STATUS_OK,
  STATUS_ORDER,
} from "../layout";
import { setField } from "../memory/scratch";
import { takeTable } from "../memory/tables";
import {
  routeLimit,
  routeRetryAfterMs,
  routeStatus,
  RouteTanks,
  routeTanks,
  takeFromRoute,
} from "../throttle/route-tanks";
import { shardRetryAfterMs, shardStatus, takeFromShard } from "../throttle/write-tanks";
import {
  batchCount,
  batchIsOrdered,
  checkBatch,
  hashBatch,
  rowDataLength,
  rowHashHigh,
  rowHashLow,
  rowHasFault,
  rowKey,
  rowKeyLength,
} from "./batch";
import { touchShard } from "./durability";
import { frameBytes, writeFrame } from "./frame";
import { segmentOf } from "./segment";
import { NO_ROUTE, nextIndexOf, Shard, shardAt } from "./shard";
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

/** Appends one record to a shard of the route with these tanks, whatever they hold when it overdraws; its status. */
function appendRecord(
  shard: Shard,
  tanks: RouteTanks,
  row: u32,
  nowMs: f64,
  overdraws: bool,
): u32 {
  const keyLength = rowKeyLength(row);
  const dataLength = rowDataLength(row);
  const payload = keyLength + dataLength;
  const ofShard = shardStatus(shard, payload, nowMs);
  if (ofShard != STATUS_OK && !overdraws) return ofShard;
  const ofRoute = routeStatus(tanks, payload, nowMs);
  if (ofRoute != STATUS_OK && !overdraws) return ofRoute;
  const length = frameBytes(payload);
  const address = segmentWithRoom(shard, length, nowMs);
  if (address == 0) return STATUS_NO_MEMORY;
  takeFromShard(shard, payload);
  takeFromRoute(tanks, payload);
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

/**
 * Notes a refusal. What a retry waits for is a quota, so that an injected fault gives way to the first
 * record that is refused for a reason of its own.
 */
function refuseRow(shard: Shard, row: u32, position: u32, status: u32): void {
  const entry = listed + position * LISTED_BYTES;
  const noted = load<u32>(entry, 4);
  if (noted == STATUS_OK || (noted == STATUS_FAULT && status != STATUS_ORDER)) {
    store<u32>(entry, status, 4);
    store<u32>(entry, rowKeyLength(row) + rowDataLength(row), 8);
  }
  shard.refusedBatch = batchNumber;
}

/** Slot of the shard that takes a row of the batch. */
function slotOfRow(route: u32, tanks: RouteTanks, row: u32): u32 {
  if (tanks.spread == 0) return slotOfHashKey(route, rowHashHigh(row), rowHashLow(row));
  return slotOfTurn(route, tanks);
}

/**
 * Appends a batch; BATCH_OK, or the code of a refusal with nothing appended. One that overdraws is not
 * throttled: the tanks go into debt. Fields: count of records, count of refused ones, bytes of frames,
 * count of shards.
 */
export function appendBatch(
  batch: usize,
  byteLength: u32,
  route: u32,
  nowMs: f64,
  recordBytesMax: u32,
  overdraws: bool,
): u32 {
  const tanks = routeTanks(route);
  const keyBytesMin: u32 = tanks.spread == 0 ? 1 : 0;
  const problem = checkBatch(batch, byteLength, recordBytesMax, keyBytesMin);
  if (problem != BATCH_OK) return problem;
  const count = batchCount(batch);
  const ordered = batchIsOrdered(batch);
  if (tanks.spread == 0) hashBatch(count);
  batchNumber = max(1, batchNumber + 1);
  listedCount = 0;
  bytesAppended = 0;
  let refused: u32 = 0;
  for (let row: u32 = 0; row < count; row++) {
    const shard = shardAt(slotOfRow(route, tanks, row));
    const position = listShard(shard);
    const index = nextIndexOf(shard);
    let status = STATUS_OK;
    if (ordered && shard.refusedBatch == batchNumber) status = STATUS_ORDER;
    else if (rowHasFault(row)) status = STATUS_FAULT;
    else status = appendRecord(shard, tanks, row, nowMs, overdraws);
    if (status != STATUS_OK) {
      refuseRow(shard, row, position, status);
      refused++;
    }
    const result = results + row * RESULT_ROW_BYTES;
    store<u32>(result, position);
    store<u32>(result, status, 4);
    store<u64>(result, status == STATUS_OK ? index : <u64>routeLimit(tanks, status), 8);
  }
  setField(0, count);
  setField(1, refused);
  setField(2, bytesAppended);
  setField(3, listedCount);
  return BATCH_OK;
}

/** Ms until the quotas of the shard and of its route allow one record of `bytes`; 0 when they do now. */
export function writeRetryAfterMs(shard: Shard, bytes: u32, nowMs: f64): f64 {
  const ofShard = shardRetryAfterMs(shard, bytes, nowMs);
  if (shard.route == NO_ROUTE) return ofShard;
  return max(ofShard, routeRetryAfterMs(routeTanks(shard.route), bytes, nowMs));
}
