/** How many of something come in a second, over the last few seconds. */

const WINDOW_MS = 4000;
/** What came in one step may have come over so long a time before it, in ms. */
const STEP_MS_MAX = 2000;

/** Counts what is added at moments that only go forward; each addition is what came since the one before. */
export class RateWindow {
  /** When the first addition of the window began to gather. */
  #fromMs: number;
  readonly #added: { readonly atMs: number; readonly count: number }[] = [];

  /** `beganMs`: when counting begins; a window that is not full yet is shorter. */
  constructor(beganMs: number) {
    this.#fromMs = beganMs;
  }

  /** So many came up to a moment. */
  add(count: number, atMs: number): void {
    this.#added.push({ atMs, count });
    this.#forget(atMs);
  }

  /** Per second, over the window that ends now. */
  perSecond(nowMs: number): number {
    this.#forget(nowMs);
    const lastedMs = nowMs - this.#fromMs;
    if (lastedMs <= 0) return 0;
    const sum = this.#added.reduce((total, { count }) => total + count, 0);
    return (sum * 1000) / lastedMs;
  }

  #forget(nowMs: number): void {
    const from = this.#added.findIndex(({ atMs }) => atMs > nowMs - WINDOW_MS);
    const gone = this.#added.splice(0, from < 0 ? this.#added.length : from);
    this.#fromMs = Math.max(gone.at(-1)?.atMs ?? this.#fromMs, nowMs - WINDOW_MS - STEP_MS_MAX);
  }
}
