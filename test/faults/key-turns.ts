/** Records whose keys take turns: by number to their key, and back in the order of each key. */
import { numberOf } from "./numbered-record.ts";

/** What is looked at of a record that was read. */
interface ReadRecord {
  readonly partitionKey: string;
  readonly data: Uint8Array;
}

/** The partition key of a record, of so many keys. */
export function keyInTurn(number: number, keys: number): string {
  return `key-${number % keys}`;
}

/** Checks records that come back: each whole, and none of its key left out, twice or out of turn. */
export class TurnCheck {
  readonly #keys: number;
  /** Number of the next record, by key. */
  readonly #expected: number[];
  #count = 0;

  constructor(keys: number) {
    this.#keys = keys;
    this.#expected = Array.from({ length: keys }, (_, key) => key);
  }

  /** Records that were as they should be. */
  get count(): number {
    return this.#count;
  }

  /** Takes the next record; what is wrong with it, or nothing. */
  take({ partitionKey, data }: ReadRecord): string | undefined {
    const key = Number(partitionKey.slice("key-".length));
    const number = numberOf(data);
    if (number === undefined) return `a record of ${partitionKey} is torn`;
    if (number !== this.#expected[key]) {
      return `record ${number} where ${this.#expected[key]} should be`;
    }
    this.#expected[key] = number + this.#keys;
    this.#count += 1;
    return undefined;
  }
}
