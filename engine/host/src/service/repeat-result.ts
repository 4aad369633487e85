/**
 * The result of a batch that is in the log already, rebuilt from the producer table's compact form
 * and the batch's own keys. The shards are those that took the records then; a reshard may have closed
 * them since.
 */
import {
  BATCH_HEADER_BYTES,
  RESULT_ENCRYPTED,
  RESULT_FLAGS,
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
import { IndeterminateError, ResourceNotFoundError } from "../errors/index.ts";
import { padTo8, viewOf, writeUint64 } from "../log/bytes.ts";
import type { ShardDefinition, StreamDefinition } from "../log/control-records.ts";
import { type DocumentReader, encryptionOf } from "../log/data-keys.ts";
import type { Log } from "../log/log.ts";
import type { BatchResult } from "../log/producer-table.ts";
import { hexOfBytes } from "../model/hex.ts";

/** The hash key by which each record of a batch goes to a shard, as 32 hexadecimal digits. */
function hashKeysOfRows(log: Log, batch: Uint8Array): string[] {
  const view = viewOf(batch);
  const hashKeys: string[] = [];
  let at: number = BATCH_HEADER_BYTES;
  for (let left = view.getUint32(8, true); left > 0; left--) {
    const keyLength = view.getUint16(at, true);
    const explicit = (view.getUint16(at + 2, true) & ROW_EXPLICIT_HASH_KEY) !== 0;
    const dataLength = view.getUint32(at + 4, true);
    const keyAt = at + ROW_HEADER_BYTES + (explicit ? 16 : 0);
    hashKeys.push(
      explicit
        ? hex(view.getBigUint64(keyAt - 16, true)) + hex(view.getBigUint64(keyAt - 8, true))
        : hexOfBytes(log.core.md5(batch.subarray(keyAt, keyAt + keyLength))),
    );
    at += padTo8(keyAt - at + keyLength + dataLength);
  }
  return hashKeys;
}

function hex(word: bigint): string {
  return word.toString(16).padStart(16, "0");
}

function takes(shard: ShardDefinition, hashKey: string): boolean {
  return shard.startingHashKey <= hashKey && hashKey <= shard.endingHashKey;
}

/** The shards that took records of the batch. @throws IndeterminateError when one has expired since. */
function storedShards(log: Log, result: BatchResult): ShardDefinition[] {
  const uids = result.turns.length > 0 ? result.turns : [...result.firstIndexes.keys()];
  return uids.map((uid) => {
    const shard = log.control.shard(uid);
    if (shard !== undefined) return shard;
    throw new IndeterminateError(
      `batch ${result.batchNumber} was stored, but a shard that took its records has expired since`,
      { argument: "batchNumber", value: result.batchNumber },
    );
  });
}

/** Each record's shard. A refused record of a shard that took nothing counts for the one that takes its key now. */
function shardsOfRows(
  log: Log,
  stream: StreamDefinition,
  batch: Uint8Array,
  result: BatchResult,
): ShardDefinition[] {
  const stored = storedShards(log, result);
  const open = stream.shards.filter(({ closedMs }) => closedMs === undefined);
  const [only, ...others] = stored;
  return hashKeysOfRows(log, batch).map((hashKey, i) => {
    const sole = others.length === 0 && isAccepted(result, i) ? only : undefined;
    const inTurn = result.turns.length > 0 ? stored[i % stored.length] : sole;
    const shard = inTurn ?? [...stored, ...open].find((candidate) => takes(candidate, hashKey));
    if (shard === undefined) throw ResourceNotFoundError.stream(stream.name);
    return shard;
  });
}

function isAccepted({ accepted }: BatchResult, i: number): boolean {
  return ((accepted[i >> 3] ?? 0) & (1 << (i & 7))) !== 0;
}

/** Says in a packed result whether the stream is encrypted, so that nobody keeps its batches as they are. */
export function markEncryption(
  control: DocumentReader,
  streamUid: number,
  result: ArrayBuffer,
): void {
  if (encryptionOf(control, streamUid) === undefined) return;
  new DataView(result).setUint16(RESULT_FLAGS, RESULT_ENCRYPTED, true);
}

/** A packed result equal to the first one, but that refused records are all told to keep order. A new buffer. */
export function repeatResult(
  log: Log,
  stream: StreamDefinition,
  batch: Uint8Array,
  result: BatchResult,
): ArrayBuffer {
  const shards = shardsOfRows(log, stream, batch, result);
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
  markEncryption(log.control, stream.uid, bytes.buffer);
  return bytes.buffer;
}

/** Writes the rows and returns how many are refused. */
function writeRows(
  view: DataView,
  rowsAt: number,
  shards: readonly ShardDefinition[],
  distinct: readonly ShardDefinition[],
  result: BatchResult,
): number {
  const next = new Map(result.firstIndexes);
  let refused = 0;
  shards.forEach((shard, i) => {
    const at = rowsAt + i * RESULT_ROW_BYTES;
    const index = next.get(shard.uid);
    view.setUint32(at, distinct.indexOf(shard), true);
    if (isAccepted(result, i) && index !== undefined) {
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
