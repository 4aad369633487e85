/** A set of uids as ranges: uids count up and are never reused, so that few ranges hold very many. */

/** First and last uid of a range, both inclusive. */
export type UidRange = readonly [first: number, last: number];

/** Uids that only ever get more. */
export class UidRanges {
  /** Ascending, with a gap between any two. */
  #ranges: UidRange[];

  constructor(ranges: Iterable<UidRange> = []) {
    this.#ranges = [...ranges];
  }

  has(uid: number): boolean {
    const range = this.#ranges[this.#lastFrom(uid)];
    return range !== undefined && uid <= range[1];
  }

  add(uid: number): void {
    if (this.has(uid)) return;
    const at = this.#lastFrom(uid);
    const [before, after] = [this.#ranges[at], this.#ranges[at + 1]];
    const joinsBefore = before !== undefined && before[1] === uid - 1;
    const joinsAfter = after !== undefined && after[0] === uid + 1;
    const joined: UidRange = [joinsBefore ? before[0] : uid, joinsAfter ? after[1] : uid];
    const from = joinsBefore ? at : at + 1;
    this.#ranges.splice(from, Number(joinsBefore) + Number(joinsAfter), joined);
  }

  /** The ranges in ascending order. */
  ranges(): UidRange[] {
    return [...this.#ranges];
  }

  /** Position of the last range that begins at or before a uid, or -1. */
  #lastFrom(uid: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.[0] ?? 0) <= uid) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
