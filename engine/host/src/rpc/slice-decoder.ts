/** Packed read slices as batches of records; nothing is decoded before somebody asks for it. */
import {
  FRAME_ARRIVAL,
  FRAME_DATA_LENGTH,
  FRAME_HEADER_BYTES,
  FRAME_KEY_LENGTH,
  FRAME_LENGTH,
  FRAME_SEQUENCE_INDEX,
  PART_AT_END,
  PART_HEADER_BYTES,
  PART_HOLE,
  PART_SHARD_CLOSED,
  PART_TRIMMED,
  SLICE_ENCRYPTED,
  SLICE_FLAGS,
  SLICE_FORMAT,
  SLICE_HEADER_BYTES,
  SLICE_MAGIC,
} from "@millrace/core/layout";
import { InternalFailureError, InvalidArgumentError } from "../errors/index.ts";
import { formatSequenceNumber, shardIdOf } from "../sequence/sequence-number.ts";
import { readText } from "./text.ts";

/** What one batch says of one shard. */
export interface BatchShard {
  readonly shardId: string;
  readonly shardIndex: number;
  /** Records of this shard in the batch. */
  readonly recordCount: number;
  /** How far the batch's end is behind the newest record of the shard, in ms. */
  readonly millisBehindLatest: number;
  /** The batch reaches the newest durable record. */
  readonly atEnd: boolean;
  /** The shard is closed, and the batch reaches its last record. */
  readonly shardClosed: boolean;
  /** Retention dropped records between the position asked for and the batch. */
  readonly trimmed: boolean;
  /** Records before the batch were lost to damage; see `millrace.dataLoss()`. */
  readonly hole: boolean;
}

/** One shard's part of a slice, with where its next read goes on. */
export interface SlicePart extends BatchShard {
  readonly createdSeconds: number;
  readonly nextIndex: number;
  /** Position in the batch of its first record. */
  readonly firstRecord: number;
}

/** Byte offset of the engine's time in a slice. */
const SLICE_TIME = 24;

function readIndex(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 4_294_967_296 + view.getUint32(at, true);
}

/**
 * One record of a batch. `data` is a view that keeps the whole batch in memory for as long as it is
 * held; `bytes()` copies.
 */
export class StreamRecord {
  readonly #batch: RecordBatch;
  readonly #position: number;

  /** The record at a position of the batch, which must have one there. */
  constructor(batch: RecordBatch, position: number) {
    this.#batch = batch;
    this.#position = position;
  }

  /** 1 to 256 Unicode characters. */
  get partitionKey(): string {
    return this.#batch.partitionKey(this.#position);
  }

  /** 56 decimal digits; grows within a shard. */
  get sequenceNumber(): string {
    return this.#batch.sequenceNumber(this.#position);
  }

  /** `shardId-000000000000`. */
  get shardId(): string {
    return this.#batch.shardId(this.#position);
  }

  /** When the engine took the record, in ms since the Unix epoch. */
  get arrivalMs(): number {
    return this.#batch.arrivalMs(this.#position);
  }

  /** The data in the batch's own memory. Do not write to it. */
  get data(): Uint8Array<ArrayBuffer> {
    return this.#batch.data(this.#position);
  }

  /** A copy of the data, the caller's own. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#batch.bytes(this.#position);
  }

  /** The data read as UTF-8. */
  text(): string {
    return this.#batch.text(this.#position);
  }

  /** The data read as JSON. @throws SyntaxError when it is none. */
  json<Value = unknown>(): Value {
    return this.#batch.json<Value>(this.#position);
  }
}

/**
 * The records of one read: packed, shard after shard, each shard's in order. Positions go from 0 to
 * `length` - 1.
 */
export class RecordBatch implements Iterable<StreamRecord> {
  readonly #view: DataView<ArrayBuffer>;
  readonly #frames: Uint32Array;
  readonly #parts: readonly SlicePart[];
  /** Number of records. */
  readonly length: number;

  /** Made by {@link decodeSlice}. `frames` holds where each record's frame begins. */
  constructor(view: DataView<ArrayBuffer>, frames: Uint32Array, parts: readonly SlicePart[]) {
    this.#view = view;
    this.#frames = frames;
    this.#parts = parts;
    this.length = frames.length;
  }

  /** What the read says of each shard that it covers, also of those that gave no record. */
  get shards(): readonly BatchShard[] {
    return this.#parts;
  }

  /** When the engine made the slice, by its own clock, in ms since the Unix epoch. */
  get readMs(): number {
    return this.#view.getFloat64(SLICE_TIME, true);
  }

  /** Whether the stream was encrypted at rest when the engine made the slice. */
  get encrypted(): boolean {
    return (this.#view.getUint16(SLICE_FLAGS, true) & SLICE_ENCRYPTED) !== 0;
  }

  /** Where the next read of each shard goes on. */
  get parts(): readonly SlicePart[] {
    return this.#parts;
  }

  /** @throws InvalidArgumentError when there is no such record. */
  get(i: number): StreamRecord {
    this.#frameAt(i);
    return new StreamRecord(this, i);
  }

  *[Symbol.iterator](): IterableIterator<StreamRecord> {
    for (let i = 0; i < this.length; i++) yield new StreamRecord(this, i);
  }

  /** Names the record for good, the same in every read: `<shard id>:<sequence number>`. */
  id(i: number): string {
    return `${this.shardId(i)}:${this.sequenceNumber(i)}`;
  }

  /** See {@link StreamRecord.partitionKey}. */
  partitionKey(i: number): string {
    const at = this.#frameAt(i) + FRAME_HEADER_BYTES;
    return readText(new Uint8Array(this.#view.buffer, at, this.#keyBytes(i)));
  }

  /** See {@link StreamRecord.arrivalMs}. */
  arrivalMs(i: number): number {
    return this.#view.getFloat64(this.#frameAt(i) + FRAME_ARRIVAL, true);
  }

  /** See {@link StreamRecord.shardId}. */
  shardId(i: number): string {
    return this.#partOf(i).shardId;
  }

  /** See {@link StreamRecord.sequenceNumber}. */
  sequenceNumber(i: number): string {
    const { createdSeconds, shardIndex } = this.#partOf(i);
    return formatSequenceNumber({
      createdSeconds,
      sequenceIndex: readIndex(this.#view, this.#frameAt(i) + FRAME_SEQUENCE_INDEX),
      arrivalSeconds: Math.floor(this.arrivalMs(i) / 1000),
      shardIndex,
    });
  }

  /** See {@link StreamRecord.data}. */
  data(i: number): Uint8Array<ArrayBuffer> {
    const frame = this.#frameAt(i);
    const at = frame + FRAME_HEADER_BYTES + this.#keyBytes(i);
    const byteLength = this.#view.getUint32(frame + FRAME_DATA_LENGTH, true);
    return new Uint8Array(this.#view.buffer, at, byteLength);
  }

  /** See {@link StreamRecord.bytes}. */
  bytes(i: number): Uint8Array<ArrayBuffer> {
    return this.data(i).slice();
  }

  /** See {@link StreamRecord.text}. */
  text(i: number): string {
    return readText(this.data(i));
  }

  /** See {@link StreamRecord.json}. @throws SyntaxError when the data is no JSON. */
  json<Value = unknown>(i: number): Value {
    return JSON.parse(this.text(i));
  }

  #frameAt(i: number): number {
    const frame = this.#frames[i];
    if (frame !== undefined) return frame;
    throw new InvalidArgumentError(
      `i must be an integer from 0 to ${this.length - 1}, but it is ${String(i)}`,
      { argument: "i", value: String(i), limit: `0 to ${this.length - 1}` },
    );
  }

  #keyBytes(i: number): number {
    return this.#view.getUint16(this.#frameAt(i) + FRAME_KEY_LENGTH, true);
  }

  #partOf(i: number): SlicePart {
    const part = this.#parts.findLast((one) => one.firstRecord <= i && one.recordCount > 0);
    if (part === undefined || i >= part.firstRecord + part.recordCount) {
      throw new InvalidArgumentError(`there is no record ${i}`, { argument: "i", value: i });
    }
    return part;
  }
}

/** Decodes the part at a byte offset, appending where its frames begin. */
function decodePart(view: DataView, at: number, frames: number[], endIndex: number): SlicePart {
  const flags = view.getUint32(at + 4, true);
  const shardIndex = view.getUint32(at, true);
  const firstRecord = frames.length;
  let left = view.getUint32(at + 32, true);
  let nextIndex = readIndex(view, at + 16);
  for (let frame = at + PART_HEADER_BYTES; left > 0; left--) {
    const index = readIndex(view, frame + FRAME_SEQUENCE_INDEX);
    if (index >= endIndex) {
      nextIndex = index;
      break;
    }
    frames.push(frame);
    frame += view.getUint32(frame + FRAME_LENGTH, true);
  }
  return {
    shardId: shardIdOf(shardIndex),
    shardIndex,
    createdSeconds: view.getFloat64(at + 8, true),
    nextIndex,
    firstRecord,
    recordCount: frames.length - firstRecord,
    millisBehindLatest: view.getFloat64(at + 24, true),
    atEnd: (flags & PART_AT_END) !== 0,
    shardClosed: (flags & PART_SHARD_CLOSED) !== 0,
    trimmed: (flags & PART_TRIMMED) !== 0,
    hole: (flags & PART_HOLE) !== 0,
  };
}

/**
 * Makes a batch of a packed slice, which it keeps. Of a shard in `endIndexes`, only the records before
 * that sequence index are in the batch.
 *
 * @throws InternalFailureError when it is no slice of a format that this build knows.
 */
export function decodeSlice(
  slice: ArrayBuffer,
  endIndexes?: ReadonlyMap<number, number>,
): RecordBatch {
  const view = new DataView(slice);
  const known =
    slice.byteLength >= SLICE_HEADER_BYTES &&
    view.getUint32(0, true) === SLICE_MAGIC &&
    view.getUint16(4, true) === SLICE_FORMAT;
  if (!known) throw new InternalFailureError("the engine's answer to a read is not a slice");
  const frames: number[] = [];
  const parts: SlicePart[] = [];
  let at: number = SLICE_HEADER_BYTES;
  for (let left = view.getUint32(8, true); left > 0; left--) {
    const endIndex = endIndexes?.get(view.getUint32(at, true)) ?? Number.POSITIVE_INFINITY;
    parts.push(decodePart(view, at, frames, endIndex));
    at += PART_HEADER_BYTES + view.getUint32(at + 36, true);
  }
  return new RecordBatch(view, Uint32Array.from(frames), parts);
}
