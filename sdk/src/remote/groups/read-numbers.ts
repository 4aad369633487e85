/**
 * Numbers the records of a lease in the order in which they are read: sequence numbers of a Kinesis elsewhere are too
 * big for that, and have gaps.
 */
import { InvalidArgumentError } from "@millrace/engine";

/** Of records that are read but not checkpointed, so many are remembered. */
const REMEMBERED_MAX = 262_144;

/** See above. */
export class ReadNumbers {
  /** Ascending; the first one has the index `#firstIndex`. */
  #sequenceNumbers: string[];
  #firstIndex: number;

  /** `checkpoint`: sequence number of the record that has the index 0; undefined where there is none. */
  constructor(checkpoint: string | undefined) {
    this.#sequenceNumbers = checkpoint === undefined ? [] : [checkpoint];
    this.#firstIndex = checkpoint === undefined ? 1 : 0;
  }

  /** Takes note of a record that was read. What was read before is not numbered again. */
  add(sequenceNumber: string): void {
    const last = this.#sequenceNumbers.at(-1);
    if (last !== undefined && compareNumbers(sequenceNumber, last) <= 0) return;
    this.#sequenceNumbers.push(sequenceNumber);
    if (this.#sequenceNumbers.length >= 2 * REMEMBERED_MAX) this.#drop(REMEMBERED_MAX);
  }

  /** Index of a record. @throws InvalidArgumentError for one that was not read, or is forgotten. */
  readonly indexOf = (sequenceNumber: string): number => {
    let low = 0;
    let high = this.#sequenceNumbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareNumbers(this.#sequenceNumbers[middle] ?? "", sequenceNumber) < 0) low = middle + 1;
      else high = middle;
    }
    if (this.#sequenceNumbers[low] === sequenceNumber) return this.#firstIndex + low;
    const value = String(sequenceNumber).slice(0, 200);
    throw new InvalidArgumentError(
      `"${value}" must be the sequence number of a record that was delivered, and is not checkpointed past`,
      { argument: "sequenceNumber", value, limit: "a record that was delivered" },
    );
  };

  /** Sequence number of the record with an index. @throws InvalidArgumentError when it is forgotten. */
  numberAt(index: number): string {
    const found = this.#sequenceNumbers[index - this.#firstIndex];
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`record ${index} of the lease was read too long ago`, {
      ...{ argument: "index", value: index, limit: this.#firstIndex },
    });
  }

  /** Records before an index are checkpointed. */
  forgetBefore(index: number): void {
    const count = index - this.#firstIndex;
    // Not for every checkpoint: what is left is moved.
    if (count >= this.#sequenceNumbers.length / 2) this.#drop(count);
  }

  #drop(count: number): void {
    if (count <= 0) return;
    this.#sequenceNumbers = this.#sequenceNumbers.slice(count);
    this.#firstIndex += count;
  }
}

/** Below 0, 0 or above 0: decimals without leading zeros. */
function compareNumbers(left: string, right: string): number {
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : Number(left > right);
}
