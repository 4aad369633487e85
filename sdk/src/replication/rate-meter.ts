/** How many of something there were per second, of late. */
import type { EngineClient } from "@millrace/engine";

/** What is older counts no more, in ms. */
const WINDOW_MS = 10_000;
/** What comes within this time is one sample, in ms. */
const SAMPLE_MS = 250;
/** Too short a time says nothing of a rate, in ms. */
const SPAN_MS_MIN = 1000;

interface Sample {
  readonly atMs: number;
  count: number;
}

/** Counts over the last ten seconds. */
export class RateMeter {
  readonly #clock: Pick<EngineClient["clock"], "monotonicMs">;
  readonly #begunMs: number;
  #samples: Sample[] = [];

  constructor(clock: Pick<EngineClient["clock"], "monotonicMs">) {
    this.#clock = clock;
    this.#begunMs = clock.monotonicMs();
  }

  /** Adds what there was just now. */
  add(count: number): void {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#samples.at(-1);
    if (last !== undefined && nowMs - last.atMs < SAMPLE_MS) last.count += count;
    else this.#samples.push({ atMs: nowMs, count });
    this.#forget(nowMs);
  }

  /** The rate over the last ten seconds, or since it began. */
  get perSecond(): number {
    const nowMs = this.#clock.monotonicMs();
    this.#forget(nowMs);
    const total = this.#samples.reduce((sum, { count }) => sum + count, 0);
    const spanMs = Math.min(WINDOW_MS, Math.max(SPAN_MS_MIN, nowMs - this.#begunMs));
    return (total * 1000) / spanMs;
  }

  #forget(nowMs: number): void {
    this.#samples = this.#samples.filter(({ atMs }) => nowMs - atMs <= WINDOW_MS);
  }
}
