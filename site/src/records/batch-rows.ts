/** Takes the records of a packed batch one page after the other, in order of arrival. */
import type { RecordBatch } from "millrace";
import { mergeByArrival, type RecordRow } from "./rows.ts";

/** Positions of a batch's records in order of arrival. */
function orderOf(batch: RecordBatch): number[] {
  let first = 0;
  const arrivals = batch.shards.flatMap(({ shardIndex, recordCount }) => {
    const start = first;
    first += recordCount;
    return Array.from({ length: recordCount }, (_, i) => {
      return { i: start + i, shardIndex, arrivalMs: batch.arrivalMs(start + i) };
    });
  });
  return mergeByArrival(arrivals).map(({ i }) => i);
}

function rowOf(batch: RecordBatch, i: number): RecordRow {
  const shardId = batch.shardId(i);
  return {
    shardId,
    shardIndex: Number(shardId.slice(shardId.indexOf("-") + 1)),
    sequenceNumber: batch.sequenceNumber(i),
    partitionKey: batch.partitionKey(i),
    arrivalMs: batch.arrivalMs(i),
    data: batch.bytes(i),
  };
}

/** One batch that is being taken. */
export class BatchRows {
  readonly #batch: RecordBatch;
  readonly #order: readonly number[];
  #next = 0;

  constructor(batch: RecordBatch) {
    this.#batch = batch;
    this.#order = orderOf(batch);
  }

  /** Whether all records were taken. */
  get done(): boolean {
    return this.#next >= this.#order.length;
  }

  /** The next records, at most so many. */
  take(count: number): RecordRow[] {
    const first = this.#next;
    this.#next = Math.min(this.#order.length, first + count);
    return this.#order.slice(first, this.#next).map((i) => rowOf(this.#batch, i));
  }
}
