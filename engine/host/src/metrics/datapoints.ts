/** One metric over time: a statistic set for every minute in which something happened, for three hours. */

/** What CloudWatch calls a statistic set, of one minute. */
export interface Datapoint {
  /** Beginning of the minute, ms since the Unix epoch. */
  readonly timestampMs: number;
  readonly sum: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly sampleCount: number;
}

/** Length of a period in ms. */
export const PERIOD_MS = 60_000;
/** How long datapoints are kept, in ms: 3 hours. */
export const KEPT_MS = 180 * PERIOD_MS;

/** Numbers of one datapoint: minute, sum, minimum, maximum, samples. */
const STRIDE = 5;

/** Beginning of the minute that a time falls into. */
function periodOf(timeMs: number): number {
  return Math.floor(timeMs / PERIOD_MS) * PERIOD_MS;
}

/**
 * The datapoints of one metric, oldest first. They stand in one flat array of numbers, because an
 * engine with 500 monitored shards keeps more than half a million of them.
 */
export class Datapoints {
  #values: number[] = [];

  /** Beginning of the newest minute, or undefined when there is none. */
  get newestMs(): number | undefined {
    return this.#values.at(-STRIDE);
  }

  /** Adds one sample to the minute of `nowMs`. */
  add(sample: number, nowMs: number): void {
    const values = this.#values;
    const at = this.#place(periodOf(nowMs));
    values[at + 1] = (values[at + 1] ?? 0) + sample;
    values[at + 2] = Math.min(values[at + 2] ?? sample, sample);
    values[at + 3] = Math.max(values[at + 3] ?? sample, sample);
    values[at + 4] = (values[at + 4] ?? 0) + 1;
  }

  /** Datapoints whose minutes begin in [startMs, endMs). */
  between(startMs: number, endMs: number): Datapoint[] {
    const values = this.#values;
    const found: Datapoint[] = [];
    for (let at = 0; at < values.length; at += STRIDE) {
      const [timestampMs = 0, sum = 0, minimum = 0, maximum = 0, sampleCount = 0] = values.slice(
        at,
        at + STRIDE,
      );
      if (timestampMs < startMs || timestampMs >= endMs) continue;
      found.push({ timestampMs, sum, minimum, maximum, sampleCount });
    }
    return found;
  }

  /** Where a minute stands; made when it is new. The wall clock may have been set back in between. */
  #place(periodMs: number): number {
    const values = this.#values;
    let at = values.length;
    while (at > 0 && (values[at - STRIDE] ?? 0) > periodMs) at -= STRIDE;
    if (at > 0 && values[at - STRIDE] === periodMs) return at - STRIDE;
    values.splice(at, 0, periodMs, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0);
    return at - this.#dropBefore(periodMs - KEPT_MS + PERIOD_MS);
  }

  /** Forgets the minutes before a time; gives how far the others moved. */
  #dropBefore(timeMs: number): number {
    const values = this.#values;
    let dropped = 0;
    while (dropped < values.length && (values[dropped] ?? 0) < timeMs) dropped += STRIDE;
    if (dropped > 0) values.splice(0, dropped);
    return dropped;
  }
}
