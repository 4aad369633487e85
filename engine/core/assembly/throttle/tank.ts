/**
 * Token tanks: a tank holds up to a capacity and refills evenly with time.
 *
 * Time is an argument in ms. A clock that goes backwards refills nothing; the tank then refills from
 * the earlier time on.
 */

/** A tank that lacks less than this is full enough: rounding must not turn a wait into two. */
const TOLERANCE: f64 = 0.001;
/** Waits are rounded up to whole ms unless they are over one by less than this. */
const TOLERANCE_MS: f64 = 0.0000001;

/** Level after `elapsedMs`, which may be negative. */
export function refilled(level: f64, capacity: f64, perSecond: f64, elapsedMs: f64): f64 {
  if (elapsedMs <= 0) return level;
  return min(capacity, level + (elapsedMs * perSecond) / 1000);
}

/** Whether the tank gives `amount`. */
export function holds(level: f64, amount: f64): bool {
  return level + TOLERANCE >= amount;
}

/** Whole ms until the tank gives `amount`; 0 when it does now. */
export function waitFor(level: f64, amount: f64, perSecond: f64): f64 {
  if (holds(level, amount)) return 0;
  return ceil(((amount - level) * 1000) / perSecond - TOLERANCE_MS);
}
