/**
 * How large frames should be, judged by how long commits took.
 *
 * Where the platform keeps values of 64 KiB and more in files of their own, a strict commit of such a
 * value waits for the disk three times instead of once. On a slow disk two frames below that size are
 * then done before one above it; a long queue still goes in frames that are as large as they may be.
 */

/** Frames up to this length in bytes are small: none of them gets a file of its own in any browser. */
export const SMALL_FRAME_BYTES = 57_344;
/** Beyond this many bytes one large frame needs no more waits for the disk than small ones would. */
const CUT_SMALL_MAX_BYTES = 3 * SMALL_FRAME_BYTES;
/** Lengths in bytes by which the cost of frames that are not small is told: beyond, the transfer counts. */
const MIDDLE_FRAME_BYTES = { min: 65_536, max: 524_288 } as const;
/** Commits that are faster than this, in ms, leave nothing to gain. */
const SLOW_COMMIT_MS = 2;
/** A middle frame must take this many times as long as a small one. */
const COST_RATIO = 2;
/** Part that a new duration has in the average. */
const WEIGHT = 0.125;
/** Every so many chances to cut one is let go, so that what middle frames cost stays known. */
const TRIAL_EVERY = 32;

/** Durations of strict commits by the length of their frames. */
export class CommitPace {
  #smallMs: number | undefined;
  #middleMs: number | undefined;
  #chances = 0;

  /** Notes a strict commit: length of its frame in bytes and its duration in ms. */
  note(byteLength: number, durationMs: number): void {
    if (byteLength <= SMALL_FRAME_BYTES) this.#smallMs = averaged(this.#smallMs, durationMs);
    const { min, max } = MIDDLE_FRAME_BYTES;
    if (byteLength >= min && byteLength <= max) {
      this.#middleMs = averaged(this.#middleMs, durationMs);
    }
  }

  /** Whether what waits, in bytes, is better cut into small frames than written as one. */
  cutsSmall(waitingBytes: number): boolean {
    if (waitingBytes > CUT_SMALL_MAX_BYTES) return false;
    const small = this.#smallMs;
    const middle = this.#middleMs;
    if (small === undefined || middle === undefined) return false;
    if (small < SLOW_COMMIT_MS || middle < small * COST_RATIO) return false;
    this.#chances += 1;
    return this.#chances % TRIAL_EVERY !== 0;
  }
}

function averaged(average: number | undefined, durationMs: number): number {
  return average === undefined ? durationMs : average + (durationMs - average) * WEIGHT;
}
