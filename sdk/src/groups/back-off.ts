/** Pauses before something is tried again. */
import { randomFraction, systemRandom } from "@millrace/engine";

/** No pause is longer, in ms. */
const PAUSE_MS_MAX = 60_000;

/**
 * The pause before the next attempt in ms: the first one doubled with every failure after the first, up to a
 * minute, of which a random half is left out.
 */
export function backOffMs(firstMs: number, failures: number): number {
  const longestMs = Math.min(PAUSE_MS_MAX, firstMs * 2 ** Math.max(0, failures - 1));
  return longestMs * (1 - randomFraction(systemRandom) / 2);
}
