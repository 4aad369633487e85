/** What came of a `putRecords` call, record by record. */
import type { PutOutcome } from "@millrace/engine";
import { refuse } from "./check.ts";

/** What came of a run of records that went in one batch. */
export interface ResultPart {
  readonly length: number;
  readonly failedCount: number;
  /** What came of the record at a position of the run. */
  get(row: number): PutOutcome;
}

/** Outcomes in the order of the call's records; each is made when it is asked for. */
export class PutRecordsResult implements Iterable<PutOutcome> {
  readonly #parts: readonly ResultPart[];
  /** Number of records of the call. */
  readonly length: number;
  /** How many of them were refused; those are not stored. */
  readonly failedRecordCount: number;

  /** Keeps the parts, which are in the order of the call's records. */
  constructor(parts: readonly ResultPart[]) {
    this.#parts = parts;
    this.length = parts.reduce((sum, part) => sum + part.length, 0);
    this.failedRecordCount = parts.reduce((sum, part) => sum + part.failedCount, 0);
  }

  /**
   * `{sequenceNumber, shardId}` of a stored record, or `{errorCode, errorMessage, retryAfterMs}` of a
   * refused one.
   *
   * @throws InvalidArgumentError when the call had no such record.
   */
  get(i: number): PutOutcome {
    let row = Number.isInteger(i) && i >= 0 ? i : this.length;
    for (const part of this.#parts) {
      if (row < part.length) return part.get(row);
      row -= part.length;
    }
    const limit = `0 to ${this.length - 1}`;
    return refuse("i", `an integer from ${limit}`, i, limit);
  }

  *[Symbol.iterator](): IterableIterator<PutOutcome> {
    for (const part of this.#parts) {
      for (let row = 0; row < part.length; row++) yield part.get(row);
    }
  }
}
