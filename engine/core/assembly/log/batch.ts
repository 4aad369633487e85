/**
 * Reading a request batch: every row is checked before anything is appended, and every record gets
 * its hash key. The layout is drawn in layout.ts.
 *
 * Rows of the batch, 24 bytes each, while it is appended:
 *   0  u64  hash key, high half
 *   8  u64  hash key, low half
 *  16  u32  address of the key, which the data follows
 *  20  u32  address of the row
 */
import {
  BATCH_BAD_COUNT,
  BATCH_BAD_FLAGS,
  BATCH_BAD_LENGTH,
  BATCH_BAD_MAGIC,
  BATCH_BAD_VERSION,
  BATCH_KEY_EMPTY,
  BATCH_KEY_LONG,
  BATCH_OK,
  BATCH_RECORD_BYTES,
  BATCH_ROW_BOUNDS,
  BATCH_ROW_FLAGS,
  BATCH_TRAILING,
} from "../border";
import { addKey, finishKeys, startKeys } from "../hash/key-hashes";
import {
  BATCH_FORMAT,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_ORDERED,
  PARTITION_KEY_CHARACTERS_MAX,
  RECORDS_PER_CALL_MAX,
  ROW_EXPLICIT_HASH_KEY,
  ROW_FAULT,
  ROW_HEADER_BYTES,
} from "../layout";
import { setField } from "../memory/scratch";
import { takeTable } from "../memory/tables";

const ROW_ENTRY_BYTES: u32 = 24;
const EXPLICIT_HASH_KEY_BYTES: u32 = 16;
const ROW_FLAGS: u32 = ROW_EXPLICIT_HASH_KEY | ROW_FAULT;
/** Bytes of one character of UTF-8, at most. */
const CHARACTER_BYTES_MAX: u32 = 4;

let rows: usize = 0;

/** Takes the table of rows; false when there is no memory for it. */
export function openBatches(): bool {
  rows = takeTable(<usize>RECORDS_PER_CALL_MAX * ROW_ENTRY_BYTES);
  return rows != 0;
}

/** Whether later records of a shard are refused after a refused one. */
export function batchIsOrdered(batch: usize): bool {
  return (load<u16>(batch, 6) & BATCH_ORDERED) != 0;
}

/** Number of rows. */
export function batchCount(batch: usize): u32 {
  return load<u32>(batch, 8);
}

/** High half of a row's hash key. */
export function rowHashHigh(row: u32): u64 {
  return load<u64>(rows + row * ROW_ENTRY_BYTES);
}

/** Low half of a row's hash key. */
export function rowHashLow(row: u32): u64 {
  return load<u64>(rows + row * ROW_ENTRY_BYTES, 8);
}

/** Address of a row's key. */
export function rowKey(row: u32): usize {
  return load<u32>(rows + row * ROW_ENTRY_BYTES, 16);
}

/** Length of a row's key. */
export function rowKeyLength(row: u32): u32 {
  return load<u16>(load<u32>(rows + row * ROW_ENTRY_BYTES, 20));
}

/** Whether a row is to be refused, because a fault was injected. */
export function rowHasFault(row: u32): bool {
  return (load<u16>(load<u32>(rows + row * ROW_ENTRY_BYTES, 20), 2) & ROW_FAULT) != 0;
}

/** Length of a row's data. */
export function rowDataLength(row: u32): u32 {
  return load<u32>(load<u32>(rows + row * ROW_ENTRY_BYTES, 20), 4);
}

function refuse(code: u32, row: u32, value: f64, limit: f64): u32 {
  setField(0, row);
  setField(1, value);
  setField(2, limit);
  return code;
}

function checkHeader(batch: usize, byteLength: u32): u32 {
  if (byteLength < BATCH_HEADER_BYTES) {
    return refuse(BATCH_BAD_LENGTH, 0, byteLength, BATCH_HEADER_BYTES);
  }
  const magic = load<u32>(batch);
  const format = <u32>load<u16>(batch, 4);
  const flags = <u32>load<u16>(batch, 6);
  const total = load<u32>(batch, 12);
  if (magic != BATCH_MAGIC) return refuse(BATCH_BAD_MAGIC, 0, magic, BATCH_MAGIC);
  if (format != BATCH_FORMAT) return refuse(BATCH_BAD_VERSION, 0, format, BATCH_FORMAT);
  if (total != byteLength) return refuse(BATCH_BAD_LENGTH, 0, total, byteLength);
  if ((flags & ~BATCH_ORDERED) != 0) return refuse(BATCH_BAD_FLAGS, 0, flags, BATCH_ORDERED);
  if (batchCount(batch) > RECORDS_PER_CALL_MAX) {
    return refuse(BATCH_BAD_COUNT, 0, batchCount(batch), RECORDS_PER_CALL_MAX);
  }
  return BATCH_OK;
}

/** Characters of UTF-8: bytes that do not continue one. */
function characters(key: usize, length: u32): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < length; i++) if ((load<u8>(key + i) & 0xc0) != 0x80) count++;
  return count;
}

/** Checks a row whose header lies before `end`, and notes where it is. */
function checkRow(
  row: u32,
  at: usize,
  end: usize,
  recordBytesMax: u32,
  keyBytesMin: u32,
): u32 {
  const keyLength = <u32>load<u16>(at);
  const flags = <u32>load<u16>(at, 2);
  const dataLength = load<u32>(at, 4);
  if ((flags & ~ROW_FLAGS) != 0) return refuse(BATCH_ROW_FLAGS, row, flags, ROW_FLAGS);
  if (keyLength < keyBytesMin) return refuse(BATCH_KEY_EMPTY, row, keyLength, keyBytesMin);
  const payload = <u64>keyLength + <u64>dataLength;
  if (payload > <u64>recordBytesMax) {
    return refuse(BATCH_RECORD_BYTES, row, <f64>payload, recordBytesMax);
  }
  const explicitBytes = (flags & ROW_EXPLICIT_HASH_KEY) != 0 ? EXPLICIT_HASH_KEY_BYTES : 0;
  const length = rowBytes(explicitBytes + <u32>payload);
  if (<usize>length > end - at) return refuse(BATCH_ROW_BOUNDS, row, length, <f64>(end - at));
  const key = at + ROW_HEADER_BYTES + explicitBytes;
  if (keyLength > PARTITION_KEY_CHARACTERS_MAX) {
    // Malformed UTF-8 may have few characters in many bytes.
    const length =
      keyLength > PARTITION_KEY_CHARACTERS_MAX * CHARACTER_BYTES_MAX
        ? keyLength
        : characters(key, keyLength);
    if (length > PARTITION_KEY_CHARACTERS_MAX) {
      return refuse(BATCH_KEY_LONG, row, length, PARTITION_KEY_CHARACTERS_MAX);
    }
  }
  const entry = rows + row * ROW_ENTRY_BYTES;
  store<u32>(entry, <u32>key, 16);
  store<u32>(entry, <u32>at, 20);
  return BATCH_OK;
}

function rowBytes(body: u32): u32 {
  return (ROW_HEADER_BYTES + body + 7) & ~7;
}

/** Checks the whole batch and notes its rows; BATCH_OK, or a code with details in the scratch area. */
export function checkBatch(
  batch: usize,
  byteLength: u32,
  recordBytesMax: u32,
  keyBytesMin: u32,
): u32 {
  const problem = checkHeader(batch, byteLength);
  if (problem != BATCH_OK) return problem;
  const count = batchCount(batch);
  const end = batch + byteLength;
  let at = batch + BATCH_HEADER_BYTES;
  for (let row: u32 = 0; row < count; row++) {
    if (end - at < ROW_HEADER_BYTES) {
      return refuse(BATCH_ROW_BOUNDS, row, ROW_HEADER_BYTES, <f64>(end - at));
    }
    const code = checkRow(row, at, end, recordBytesMax, keyBytesMin);
    if (code != BATCH_OK) return code;
    at = (rowKey(row) + rowKeyLength(row) + rowDataLength(row) + 7) & ~7;
  }
  if (at != end) return refuse(BATCH_TRAILING, count, <f64>(end - at), 0);
  return BATCH_OK;
}

/** Works out the hash key of every row of a checked batch. */
export function hashBatch(count: u32): void {
  startKeys();
  for (let row: u32 = 0; row < count; row++) {
    const entry = rows + row * ROW_ENTRY_BYTES;
    const at: usize = load<u32>(entry, 20);
    if ((load<u16>(at, 2) & ROW_EXPLICIT_HASH_KEY) != 0) {
      store<u64>(entry, load<u64>(at, 8));
      store<u64>(entry, load<u64>(at, 16), 8);
    } else {
      addKey(entry, rowKey(row), load<u16>(at));
    }
  }
  finishKeys();
}
