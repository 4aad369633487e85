/**
 * Wall time held against the monotonic clock: a wrong wall clock must not delete anything.
 *
 * After a jump of more than five minutes the wall clock is not trusted until it agrees again with what
 * the monotonic clock says, or has been steady for an hour: then the new time is taken for the right one.
 */
import type { Clock } from "../platform/platform.ts";

/** Wall time may differ by this much from what the monotonic clock says, in ms. */
const JUMP_MAX_MS = 300_000;
/** A wall clock that jumped is trusted again when it has been steady for this long, in ms. */
const STEADY_MS = 3_600_000;

/** Tells whether the wall clock can be trusted. */
export class ClockGuard {
  readonly #clock: Clock;
  /** Wall time less monotonic time, as trusted. */
  #trustedMs: number;
  /** The same as it was seen after a jump, and since when on the monotonic clock. */
  #suspect: { readonly differenceMs: number; readonly sinceMs: number } | undefined;

  /** `notBeforeMs` is a wall time that has certainly passed, as that of the newest frame in a log. */
  constructor(clock: Clock, notBeforeMs: number) {
    this.#clock = clock;
    this.#trustedMs = Math.max(clock.nowMs(), notBeforeMs) - clock.monotonicMs();
  }

  /** Why the wall clock is not to be trusted now, or undefined when it is. */
  distrust(): string | undefined {
    const monotonicMs = this.#clock.monotonicMs();
    const differenceMs = this.#clock.nowMs() - monotonicMs;
    const jumpMs = differenceMs - this.#trustedMs;
    if (Math.abs(jumpMs) <= JUMP_MAX_MS) {
      this.#trustedMs = differenceMs;
      this.#suspect = undefined;
      return undefined;
    }
    const moved = Math.abs(differenceMs - (this.#suspect?.differenceMs ?? Number.NaN));
    if (!(moved <= JUMP_MAX_MS) || this.#suspect === undefined) {
      this.#suspect = { differenceMs, sinceMs: monotonicMs };
    } else if (monotonicMs - this.#suspect.sinceMs >= STEADY_MS) {
      this.#trustedMs = differenceMs;
      this.#suspect = undefined;
      return undefined;
    }
    return (
      `the wall clock differs by ${Math.round(jumpMs / 1000)} s from what the monotonic clock says; ` +
      "nothing expires until it agrees again or has been steady for an hour"
    );
  }
}
