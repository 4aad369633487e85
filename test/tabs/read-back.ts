/** Reads a stream of numbered records to its end: what stands there, and whether it stands in order. */
import type { Stream } from "millrace";
import { numberOf } from "./producer.ts";

/** What a stream holds. */
export interface StreamReport {
  readonly records: number;
  /** Records by partition key. */
  readonly counts: Readonly<Record<string, number>>;
  /** Records whose key and number stand there already. */
  readonly repeats: number;
  /** Records that stand where another one should, and sequence numbers that do not grow. */
  readonly problems: readonly string[];
}

const PROBLEMS_MAX = 10;

/** Holds records against what must come next: per partition key the next number, per shard a higher sequence number. */
export class OrderCheck {
  readonly #next = new Map<string, number>();
  readonly #lastOfShard = new Map<string, bigint>();
  readonly #seen = new Set<string>();
  repeats = 0;
  readonly problems: string[] = [];
  records = 0;

  take(record: {
    partitionKey: string;
    data: Uint8Array;
    shardId: string;
    sequenceNumber: string;
  }): void {
    const { partitionKey, shardId, data } = record;
    const expected = this.#next.get(partitionKey) ?? 0;
    const number = numberOf(data);
    if (number !== expected) this.#report(`${partitionKey}: ${number} where ${expected} should be`);
    this.#next.set(partitionKey, number + 1);
    const name = `${partitionKey}/${number}`;
    if (this.#seen.has(name)) this.repeats += 1;
    this.#seen.add(name);
    const sequenceNumber = BigInt(record.sequenceNumber);
    if (sequenceNumber <= (this.#lastOfShard.get(shardId) ?? -1n)) {
      this.#report(`${shardId}: ${sequenceNumber} does not grow`);
    }
    this.#lastOfShard.set(shardId, sequenceNumber);
    this.records += 1;
  }

  /** The number after the last one, by partition key. */
  get counts(): Record<string, number> {
    return Object.fromEntries(this.#next);
  }

  #report(problem: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem);
  }
}

/** Reads all records of a stream. */
export async function readBack(stream: Stream): Promise<StreamReport> {
  const check = new OrderCheck();
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    check.take(record);
  }
  const { records, counts, repeats, problems } = check;
  return { records, counts, repeats, problems };
}
