/** The course of one run: when records were acknowledged, what befell the engine, and what it told. */

/** Something that happened, with its time since the run began. */
export interface Mark {
  readonly atMs: number;
  /** "done": by the page; "told": by the engine. */
  readonly kind: "done" | "told";
  readonly text: string;
}

/** A time in which nothing was acknowledged. */
export interface Gap {
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Answer {
  readonly atMs: number;
  readonly records: number;
}

/** Grows while the run goes on; times are ms since its beginning. */
export class Trace {
  readonly #nowMs: () => number;
  readonly #beganMs: number;
  readonly #answers: Answer[] = [];
  readonly #marks: Mark[] = [];
  #endedMs: number | undefined;

  /** `nowMs` is a monotonic clock. The run begins now. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#beganMs = nowMs();
  }

  /** How long the run has lasted. */
  get lastedMs(): number {
    return this.#endedMs ?? this.#nowMs() - this.#beganMs;
  }

  /** What happened, in order. */
  get marks(): readonly Mark[] {
    return this.#marks;
  }

  /** Records that were acknowledged so far. */
  get acknowledged(): number {
    return this.acknowledgedBefore(Number.POSITIVE_INFINITY);
  }

  /** Records that were acknowledged before a moment. */
  acknowledgedBefore(beforeMs: number): number {
    return this.#answers.reduce(
      (sum, { atMs, records }) => sum + (atMs < beforeMs ? records : 0),
      0,
    );
  }

  /** When the first fault befell the engine; undefined before that. */
  get firstFaultMs(): number | undefined {
    return this.#marks.find(({ kind }) => kind === "done")?.atMs;
  }

  /** Records were acknowledged just now. */
  answered(records: number): void {
    this.#answers.push({ atMs: this.lastedMs, records });
  }

  /** Something happened just now; answers when. */
  mark(kind: Mark["kind"], text: string): number {
    const atMs = this.lastedMs;
    this.#marks.push({ atMs, kind, text });
    return atMs;
  }

  /** The producer was stopped: what comes later is not of the run. */
  end(): void {
    this.#endedMs ??= this.lastedMs;
  }

  /** The longest time between two acknowledgements that reaches beyond the first fault; undefined without one. */
  get longestGap(): Gap | undefined {
    const { firstFaultMs = 0 } = this;
    let longest: Gap | undefined;
    for (const [i, { atMs: untilMs }] of this.#answers.entries()) {
      const fromMs = this.#answers[i - 1]?.atMs;
      if (fromMs === undefined || untilMs < firstFaultMs) continue;
      if (longest === undefined || untilMs - fromMs > longest.untilMs - longest.fromMs) {
        longest = { fromMs, untilMs };
      }
    }
    return longest;
  }

  /** Records acknowledged in each of so many equal parts of the run. */
  bins(count: number): number[] {
    const bins = new Array<number>(count).fill(0);
    const widthMs = Math.max(1, this.lastedMs) / count;
    for (const { atMs, records } of this.#answers) {
      const bin = Math.min(count - 1, Math.floor(atMs / widthMs));
      bins[bin] = (bins[bin] ?? 0) + records;
    }
    return bins;
  }
}
