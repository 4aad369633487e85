/** Tells by this worker's own clock how long the counters of leases have stood still: nobody's clock is compared with another's. */
import type { LeaseRow } from "../../lease-table.ts";

/** See above. */
export class CounterWatch {
  #seen = new Map<string, { readonly counter: number; readonly sinceMs: number }>();

  /** Takes note of all rows, as they were seen at a time (monotonic, in ms) that is not before the answer came. */
  see(rows: readonly LeaseRow[], nowMs: number): void {
    const seen = rows.map(({ leaseKey, counter }) => {
      const before = this.#seen.get(leaseKey);
      const entry = before?.counter === counter ? before : { counter, sinceMs: nowMs };
      return [leaseKey, entry] as const;
    });
    this.#seen = new Map(seen);
  }

  /** Since when a row is as it was seen last, in ms; 0 for one that was not. */
  stillMs({ leaseKey, counter }: LeaseRow, nowMs: number): number {
    const seen = this.#seen.get(leaseKey);
    return seen?.counter === counter ? nowMs - seen.sinceMs : 0;
  }
}
