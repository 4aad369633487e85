/** Packs records into request batches, in the layout that the core reads. */
import {
  BATCH_FORMAT,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_ORDERED,
  RECORDS_PER_CALL_MAX,
  ROW_EXPLICIT_HASH_KEY,
  ROW_HEADER_BYTES,
} from "@millrace/core/layout";
import type { BufferPool } from "./buffer-pool.ts";
import { type CheckedRecord, type Named, recordTooLarge } from "./record-input.ts";
import { textBytesMax, writeText } from "./text.ts";

/** A batch is closed before it grows over this, unless one record alone is larger: 1 MiB. */
export const BATCH_BYTES_TARGET = 1_048_576;

const FIRST_CAPACITY_BYTES = 4096;
const HASH_KEY_BYTES = 16;
const LOW_HALF = (1n << 64n) - 1n;
const PRODUCER_ID_AT = 16;
const BATCH_NUMBER_AT = 32;
const STREAM_UID_AT = 40;

/** A finished batch: the first `byteLength` bytes of a buffer that belongs to whoever holds this. */
export interface PackedBatch {
  readonly buffer: ArrayBuffer;
  readonly byteLength: number;
  readonly recordCount: number;
}

/** What kind of batch is made. */
export interface BatchSettings {
  /** After a refused record, the later ones of its shard are refused, too; true when absent. */
  readonly ordered?: boolean;
  /** The batch is closed before it grows over this, in bytes; {@link BATCH_BYTES_TARGET} when absent. */
  readonly bytesTarget?: number;
}

/** A state of an encoder to go back to. */
export interface EncoderMark {
  readonly byteLength: number;
  readonly count: number;
}

/** Writes who sends the batch and its number, 1 to 2^53 - 1, into a finished batch. */
export function stampBatch(batch: PackedBatch, producerId: Uint8Array, batchNumber: number): void {
  new Uint8Array(batch.buffer).set(producerId, PRODUCER_ID_AT);
  new DataView(batch.buffer).setBigUint64(BATCH_NUMBER_AT, BigInt(batchNumber), true);
}

function padTo8(byteLength: number): number {
  return (byteLength + 7) & ~7;
}

/** One request batch in the making. Records are copied when they are added. */
export class BatchEncoder {
  readonly #pool: BufferPool;
  readonly #ordered: boolean;
  readonly #bytesTarget: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  #byteLength: number = BATCH_HEADER_BYTES;
  #count = 0;

  /** `expectedBytes` spares growing when the size is known beforehand. */
  constructor(
    pool: BufferPool,
    expectedBytes: number = FIRST_CAPACITY_BYTES,
    { ordered = true, bytesTarget = BATCH_BYTES_TARGET }: BatchSettings = {},
  ) {
    this.#pool = pool;
    this.#ordered = ordered;
    this.#bytesTarget = bytesTarget;
    const buffer = pool.take(Math.max(FIRST_CAPACITY_BYTES, expectedBytes));
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** Records added so far. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the batch so far, header included. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /**
   * Adds a record. Returns false, and adds nothing, when the batch has no room for it.
   *
   * @throws RecordTooLargeError, calling the record by `name`, when data and key are over `recordBytesMax`.
   */
  add(record: CheckedRecord, name: Named, recordBytesMax: number): boolean {
    if (this.#count === RECORDS_PER_CALL_MAX) return false;
    const { key, data, hashKey } = record;
    const dataBytesMax = typeof data === "string" ? textBytesMax(data) : data.byteLength;
    const start = this.#byteLength;
    const keyAt = start + ROW_HEADER_BYTES + (hashKey === undefined ? 0 : HASH_KEY_BYTES);
    this.#reserve(keyAt + textBytesMax(key) + dataBytesMax + 8);
    const keyBytes = writeText(this.#bytes, keyAt, key);
    const dataBytes = this.#writeData(keyAt + keyBytes, data);
    if (keyBytes + dataBytes > recordBytesMax) {
      throw recordTooLarge(name, keyBytes + dataBytes, recordBytesMax);
    }
    const dataEnd = keyAt + keyBytes + dataBytes;
    const end = padTo8(dataEnd);
    if (this.#count > 0 && end > this.#bytesTarget) return false;
    for (let at = dataEnd; at < end; at++) this.#bytes[at] = 0;
    this.#view.setUint16(start, keyBytes, true);
    this.#view.setUint16(start + 2, hashKey === undefined ? 0 : ROW_EXPLICIT_HASH_KEY, true);
    this.#view.setUint32(start + 4, dataBytes, true);
    if (hashKey !== undefined) {
      this.#view.setBigUint64(start + 8, hashKey >> 64n, true);
      this.#view.setBigUint64(start + 16, hashKey & LOW_HALF, true);
    }
    this.#byteLength = end;
    this.#count += 1;
    return true;
  }

  /** The present state, for {@link rewind}. */
  mark(): EncoderMark {
    return { byteLength: this.#byteLength, count: this.#count };
  }

  /** Forgets what was added since the mark was taken. */
  rewind({ byteLength, count }: EncoderMark): void {
    this.#byteLength = byteLength;
    this.#count = count;
  }

  /** Ends the batch; the encoder must not be used any more. Unstamped: see {@link stampBatch}. */
  finish(streamUid: number): PackedBatch {
    const view = this.#view;
    this.#bytes.fill(0, 0, BATCH_HEADER_BYTES);
    view.setUint32(0, BATCH_MAGIC, true);
    view.setUint16(4, BATCH_FORMAT, true);
    view.setUint16(6, this.#ordered ? BATCH_ORDERED : 0, true);
    view.setUint32(8, this.#count, true);
    view.setUint32(12, this.#byteLength, true);
    view.setUint32(STREAM_UID_AT, streamUid, true);
    return {
      buffer: view.buffer,
      byteLength: this.#byteLength,
      recordCount: this.#count,
    };
  }

  /** Gives the buffer back without a batch; the encoder must not be used any more. */
  discard(): void {
    this.#pool.give(this.#view.buffer);
  }

  #writeData(at: number, data: Uint8Array | string): number {
    if (typeof data === "string") return writeText(this.#bytes, at, data);
    this.#bytes.set(data, at);
    return data.byteLength;
  }

  #reserve(byteLength: number): void {
    const capacity = this.#bytes.byteLength;
    if (byteLength <= capacity) return;
    // Doubling stops at the target: beyond it, a batch has exactly one record or is closed.
    const doubled = Math.min(capacity * 2, this.#bytesTarget + FIRST_CAPACITY_BYTES);
    const buffer = this.#pool.take(Math.max(byteLength, doubled));
    const bytes = new Uint8Array(buffer);
    bytes.set(this.#bytes.subarray(0, this.#byteLength));
    this.#pool.give(this.#view.buffer);
    this.#bytes = bytes;
    this.#view = new DataView(buffer);
  }
}
