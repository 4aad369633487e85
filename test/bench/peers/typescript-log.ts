/**
 * The core's append in plain TypeScript, without any checksum: hash, route, throttle, sequence index
 * and a frame in the shard's segment of a ring. What the project would be without Wasm.
 */
import { BATCH_HEADER_BYTES, FRAME_HEADER_BYTES, ROW_HEADER_BYTES } from "@millrace/core/layout";
import { keyHasher } from "./md5.ts";

const RECORDS_PER_SECOND = 1000;
const BYTES_PER_SECOND = 1_048_576;
const TANK_BYTES = 10_485_760;

/** Bytes of MD5 read as a big-endian number: its first word, unsigned. */
function bigEndian(word: number): number {
  return (
    (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
  );
}

/** A shard log of equal hash key ranges over one ring of memory. */
export class TypeScriptLog {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #hash = keyHasher();
  readonly #digest = new Int32Array(4);
  /** First word of the hash key range of each shard: enough to tell ranges of equal size apart. */
  readonly #starts: Float64Array;
  readonly #positions: Float64Array;
  readonly #ends: Float64Array;
  readonly #nextIndexes: Float64Array;
  readonly #recordTokens: Float64Array;
  readonly #byteTokens: Float64Array;
  readonly #refillMs: Float64Array;
  readonly #segmentBytes: number;
  #nextSegment = 0;

  constructor(shardCount: number, ringBytes: number, segmentBytes: number) {
    this.#segmentBytes = segmentBytes;
    const ring = new ArrayBuffer(ringBytes);
    this.#bytes = new Uint8Array(ring);
    this.#view = new DataView(ring);
    this.#starts = Float64Array.from({ length: shardCount }, (_, i) =>
      Math.ceil((i * 2 ** 32) / shardCount),
    );
    this.#positions = new Float64Array(shardCount);
    this.#ends = new Float64Array(shardCount);
    this.#nextIndexes = new Float64Array(shardCount);
    this.#recordTokens = new Float64Array(shardCount).fill(RECORDS_PER_SECOND);
    this.#byteTokens = new Float64Array(shardCount).fill(TANK_BYTES);
    this.#refillMs = new Float64Array(shardCount);
  }

  /** Appends a request batch; returns how many records were refused. */
  append(batch: Uint8Array, nowMs: number): number {
    const rows = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    const count = rows.getUint32(8, true);
    let refused = 0;
    let at: number = BATCH_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      const keyLength = rows.getUint16(at, true);
      const dataLength = rows.getUint32(at + 4, true);
      const keyAt = at + ROW_HEADER_BYTES;
      this.#hash(batch, keyAt, keyLength, this.#digest);
      const shard = this.#route(bigEndian(this.#digest[0] ?? 0));
      if (this.#admit(shard, keyLength + dataLength, nowMs)) {
        this.#write(shard, batch, keyAt, keyLength, dataLength, nowMs);
      } else {
        refused++;
      }
      at = keyAt + ((keyLength + dataLength + 7) & ~7);
    }
    return refused;
  }

  #route(word: number): number {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= word) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #admit(shard: number, bytes: number, nowMs: number): boolean {
    const elapsedSeconds = (nowMs - (this.#refillMs[shard] ?? 0)) / 1000;
    const filledRecords = (this.#recordTokens[shard] ?? 0) + elapsedSeconds * RECORDS_PER_SECOND;
    const filledBytes = (this.#byteTokens[shard] ?? 0) + elapsedSeconds * BYTES_PER_SECOND;
    const records = Math.min(RECORDS_PER_SECOND, filledRecords);
    const tank = Math.min(TANK_BYTES, filledBytes);
    const admitted = records >= 1 && tank >= bytes;
    this.#refillMs[shard] = nowMs;
    this.#recordTokens[shard] = admitted ? records - 1 : records;
    this.#byteTokens[shard] = admitted ? tank - bytes : tank;
    return admitted;
  }

  #write(
    shard: number,
    batch: Uint8Array,
    keyAt: number,
    keyLength: number,
    dataLength: number,
    nowMs: number,
  ): void {
    const frameBytes = (FRAME_HEADER_BYTES + keyLength + dataLength + 7) & ~7;
    let at = this.#positions[shard] ?? 0;
    if (at + frameBytes > (this.#ends[shard] ?? 0)) at = this.#openSegment(shard);
    const index = this.#nextIndexes[shard] ?? 0;
    const view = this.#view;
    view.setUint32(at + 8, frameBytes, true);
    view.setUint32(at + 12, dataLength, true);
    view.setUint32(at + 16, index >>> 0, true);
    view.setUint32(at + 20, Math.floor(index / 2 ** 32), true);
    view.setFloat64(at + 24, nowMs, true);
    view.setUint16(at + 32, keyLength, true);
    this.#bytes.set(batch.subarray(keyAt, keyAt + keyLength + dataLength), at + FRAME_HEADER_BYTES);
    this.#nextIndexes[shard] = index + 1;
    this.#positions[shard] = at + frameBytes;
  }

  #openSegment(shard: number): number {
    if (this.#nextSegment + this.#segmentBytes > this.#bytes.byteLength) this.#nextSegment = 0;
    const start = this.#nextSegment;
    this.#nextSegment += this.#segmentBytes;
    this.#ends[shard] = start + this.#segmentBytes;
    return start;
  }
}
