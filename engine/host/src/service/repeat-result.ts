/**
 * The result of a batch that is in the log already, rebuilt from the producer table's compact form
 * and the batch's own keys.
 */
import {
  BATCH_HEADER_BYTES,
  RESULT_FORMAT,
  RESULT_HEADER_BYTES,
  RESULT_MAGIC,
  RESULT_ROW_BYTES,
  RESULT_SHARD_BYTES,
  ROW_EXPLICIT_HASH_KEY,
  ROW_HEADER_BYTES,
  STATUS_OK,
  STATUS_ORDER,
} from "@millrace/core/layout";
import { ResourceNotFoundError } from "../errors/index.ts";
import { padTo8, viewOf, writeUint64 } from "../log/bytes.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import type { BatchResult } from "../log/producer-table.ts";
import type { SlottedShard } from "../log/shard-slots.ts";

/** Shard uid that an explicit hash key falls into. */
function shardOfHashKey(stream: StreamDefinition, high: bigint, low: bigint): number {
  const hashKey = ((high << 64n) | low).toString(16).padStart(32, "0");
  const shard = stream.shards.find(
    ({ startingHashKey, endingHashKey }) => startingHashKey <= hashKey && hashKey <= endingHashKey,
  );
  if (shard === undefined) throw ResourceNotFoundError.stream(stream.name);
  return shard.uid;
}

/** Each row's shard, by the row's key or explicit hash key. */
function shardsOfRows(
  log: Log,
  stream: StreamDefinition,
  route: number,
  batch: Uint8Array,
): SlottedShard[] {
  const view = viewOf(batch);
  const shards: SlottedShard[] = [];
  let at: number = BATCH_HEADER_BYTES;
  for (let left = view.getUint32(8, true); left > 0; left--) {
    const keyLength = view.getUint16(at, true);
    const explicit = (view.getUint16(at + 2, true) & ROW_EXPLICIT_HASH_KEY) !== 0;
    const dataLength = view.getUint32(at + 4, true);
    const keyAt = at + ROW_HEADER_BYTES + (explicit ? 16 : 0);
    const uid = explicit
      ? shardOfHashKey(
          stream,
          view.getBigUint64(keyAt - 16, true),
          view.getBigUint64(keyAt - 8, true),
        )
      : log.slots.inSlot(log.core.routeKey(route, batch.subarray(keyAt, keyAt + keyLength))).uid;
    const shard = log.slots.ofUid(uid);
    if (shard === undefined) throw ResourceNotFoundError.stream(stream.name);
    shards.push(shard);
    at += padTo8(keyAt - at + keyLength + dataLength);
  }
  return shards;
}

/** A packed result equal to the first one, but that refused records are all told to keep order. A new buffer. */
export function repeatResult(
  log: Log,
  stream: StreamDefinition,
  batch: Uint8Array,
  result: BatchResult,
): ArrayBuffer {
  const route = log.slots.routeOf(stream.uid);
  if (route === undefined) throw ResourceNotFoundError.stream(stream.name);
  const shards = shardsOfRows(log, stream, route, batch);
  const distinct = [...new Set(shards)];
  const rowsAt = RESULT_HEADER_BYTES + distinct.length * RESULT_SHARD_BYTES;
  const bytes = new Uint8Array(rowsAt + shards.length * RESULT_ROW_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, RESULT_MAGIC, true);
  view.setUint16(4, RESULT_FORMAT, true);
  view.setUint32(8, shards.length, true);
  view.setFloat64(16, result.timeMs, true);
  view.setUint32(24, distinct.length, true);
  view.setUint32(28, bytes.byteLength, true);
  distinct.forEach((shard, i) => {
    view.setUint32(RESULT_HEADER_BYTES + i * RESULT_SHARD_BYTES, shard.shardIndex, true);
    view.setFloat64(RESULT_HEADER_BYTES + i * RESULT_SHARD_BYTES + 8, shard.createdSeconds, true);
  });
  const refused = writeRows(view, rowsAt, shards, distinct, result);
  view.setUint32(12, refused, true);
  return bytes.buffer;
}

/** Writes the rows and returns how many are refused. */
function writeRows(
  view: DataView,
  rowsAt: number,
  shards: readonly SlottedShard[],
  distinct: readonly SlottedShard[],
  result: BatchResult,
): number {
  const next = new Map(result.firstIndexes);
  let refused = 0;
  shards.forEach((shard, i) => {
    const at = rowsAt + i * RESULT_ROW_BYTES;
    const accepted = ((result.accepted[i >> 3] ?? 0) & (1 << (i & 7))) !== 0;
    const index = next.get(shard.uid);
    view.setUint32(at, distinct.indexOf(shard), true);
    if (accepted && index !== undefined) {
      view.setUint32(at + 4, STATUS_OK, true);
      writeUint64(view, at + 8, index);
      next.set(shard.uid, index + 1);
    } else {
      view.setUint32(at + 4, STATUS_ORDER, true);
      refused++;
    }
  });
  return refused;
}
