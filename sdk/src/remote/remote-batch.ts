/** Records that came over the network, as batches like those of an engine. */
import { RecordBatch, type SlicePart, shardIndexOf } from "@millrace/engine";
import type { StructureOf } from "@millrace/engine/model";
import { refuse } from "../check.ts";
import { partsOf } from "./remote-description.ts";

/** What one answer says of its shard. */
export interface ShardAnswer {
  readonly shardId: string;
  readonly records: readonly StructureOf<"Record">[];
  readonly millisBehindLatest: number;
  /** The shard is closed, and this is its end. */
  readonly closed: boolean;
  /** When the answer came, in ms since the Unix epoch. */
  readonly readMs: number;
}

function partOf({ shardId, records, millisBehindLatest, closed }: ShardAnswer): SlicePart {
  const last = partsOf(records.at(-1)?.SequenceNumber ?? "");
  return {
    shardId,
    shardIndex: shardIndexOf(shardId),
    createdSeconds: last?.createdSeconds ?? 0,
    nextIndex: last === undefined ? 0 : last.sequenceIndex + 1,
    firstRecord: 0,
    recordCount: records.length,
    millisBehindLatest,
    atEnd: millisBehindLatest === 0,
    shardClosed: closed,
    // AWS's answers do not say what retention dropped, and AWS loses no records.
    trimmed: false,
    hole: false,
  };
}

/** The records of one answer, which are those of one shard. */
export class RemoteBatch extends RecordBatch {
  readonly #records: readonly StructureOf<"Record">[];
  readonly #readMs: number;

  constructor(answer: ShardAnswer) {
    const { records } = answer;
    super(new DataView(new ArrayBuffer(0)), new Uint32Array(records.length), [partOf(answer)]);
    this.#records = records;
    this.#readMs = answer.readMs;
  }

  /** When the answer came, by this machine's clock, in ms since the Unix epoch. */
  override get readMs(): number {
    return this.#readMs;
  }

  /** Whether the newest record was encrypted at rest. */
  override get encrypted(): boolean {
    return this.#records.at(-1)?.EncryptionType === "KMS";
  }

  override partitionKey(i: number): string {
    return this.#record(i).PartitionKey ?? "";
  }

  override sequenceNumber(i: number): string {
    return this.#record(i).SequenceNumber;
  }

  /** AWS's ApproximateArrivalTimestamp, in ms since the Unix epoch. */
  override arrivalMs(i: number): number {
    return this.#record(i).ApproximateArrivalTimestamp?.getTime() ?? 0;
  }

  override data(i: number): Uint8Array<ArrayBuffer> {
    const { buffer, byteOffset, byteLength } = this.#record(i).Data;
    // Never Node's Buffer, whose slice() is no copy; and AWS's clients share no memory with other threads.
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  }

  #record(i: number): StructureOf<"Record"> {
    const limit = `0 to ${this.length - 1}`;
    return this.#records[i] ?? refuse("i", `an integer from ${limit}`, i, limit);
  }
}
