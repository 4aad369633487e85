/** Counts of responses per HTTP status code and second, for a window of time. */

/** Seconds that are kept and drawn. */
export const HISTORY_SECONDS = 90;

/** What one status code amounts to. */
export interface StatusTotal {
  readonly status: number;
  /** Records since the history began. */
  readonly count: number;
  /** Records per second over the last complete seconds. */
  readonly ratePerSecond: number;
}

/** Columns for a plot: seconds, and per status code counts; null where nobody was looking. */
export interface StatusColumns {
  readonly seconds: readonly number[];
  readonly counts: ReadonlyMap<number, readonly (number | null)[]>;
}

/** Seconds over which a rate is averaged. */
const RATE_SECONDS = 5;

/** History of counts per status code by the second of arrival. */
export class StatusHistory {
  readonly #bySecond = new Map<number, Map<number, number>>();
  readonly #totals = new Map<number, number>();

  /** Records counted since the history began. */
  get total(): number {
    let sum = 0;
    for (const count of this.#totals.values()) sum += count;
    return sum;
  }

  /** Counts one response that arrived at this moment (ms since the Unix epoch). */
  add(status: number, arrivalMs: number): void {
    const second = Math.floor(arrivalMs / 1000);
    this.observe(second);
    const counts = this.#bySecond.get(second);
    counts?.set(status, (counts.get(status) ?? 0) + 1);
    this.#totals.set(status, (this.#totals.get(status) ?? 0) + 1);
  }

  /** Notes that this second was watched, so that no records in it are zeros and not a gap. */
  observe(second: number): void {
    if (this.#bySecond.has(second)) return;
    this.#bySecond.set(second, new Map());
    for (const known of this.#bySecond.keys()) {
      if (known < second - HISTORY_SECONDS) this.#bySecond.delete(known);
    }
  }

  /** Totals by status code, the smallest code first. `nowSecond` is still running and not counted. */
  totals(nowSecond: number): StatusTotal[] {
    return [...this.#totals]
      .sort(([left], [right]) => left - right)
      .map(([status, count]) => ({ status, count, ratePerSecond: this.#rate(status, nowSecond) }));
  }

  /** The window that ends before `nowSecond`, which is still running. */
  columns(nowSecond: number): StatusColumns {
    const seconds = Array.from({ length: HISTORY_SECONDS }, (_, i) => {
      return nowSecond - HISTORY_SECONDS + i;
    });
    const counts = new Map<number, (number | null)[]>();
    for (const { status } of this.totals(nowSecond)) {
      counts.set(
        status,
        seconds.map((second) => this.#countAt(second, status)),
      );
    }
    return { seconds, counts };
  }

  #countAt(second: number, status: number): number | null {
    const counts = this.#bySecond.get(second);
    return counts === undefined ? null : (counts.get(status) ?? 0);
  }

  #rate(status: number, nowSecond: number): number {
    let count = 0;
    for (let second = nowSecond - RATE_SECONDS; second < nowSecond; second += 1) {
      count += this.#countAt(second, status) ?? 0;
    }
    return count / RATE_SECONDS;
  }
}
