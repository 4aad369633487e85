/** The line for the writer lock: waits for it, steals it from a frozen leader, and lines up again after a term. */

import { pause } from "../platform/deadline.ts";
import type { Clock, HeldLock, Locks } from "../platform/platform.ts";

/** Shortest and longest pause after a term or an opening that failed, in ms; it doubles each time. */
const PAUSE_MS = { min: 100, max: 5000 } as const;
/** After a term of this length, in ms, failures are counted anew. */
const LONG_TERM_MS = 10_000;

/** Pause after a term that another context ended, in ms: it leads by then, or is about to. */
const YIELD_MS = 50;

/** Whether to line up again after a term: at once, shortly, after a pause that grows, or never. */
export type Next = "again" | "soon" | "later" | "never";

/** What a campaign works with. */
export interface CampaignParts {
  readonly clock: Clock;
  readonly locks: Locks;
  readonly lockName: string;
  /** Leads behind the lock, and resolves when the term is over. The lock is released afterwards. */
  readonly lead: (lock: HeldLock) => Promise<Next>;
  /** The platform refused the lock. */
  readonly refused: (error: unknown) => void;
}

/** One context's wish to lead. */
export class Campaign {
  readonly #parts: CampaignParts;
  readonly #over = new AbortController();
  #line: AbortController | undefined;
  #stealing = false;

  constructor(parts: CampaignParts) {
    this.#parts = parts;
  }

  /** Lines up. Resolves when the campaign is over. */
  async run(): Promise<void> {
    const { clock, lead, refused } = this.#parts;
    let failures = 0;
    while (!this.#over.signal.aborted) {
      const startedMs = clock.monotonicMs();
      let next: Next = "later";
      try {
        const lock = await this.#wait();
        if (lock === undefined) continue;
        try {
          if (this.#over.signal.aborted) return;
          next = await lead(lock);
        } finally {
          lock.release();
        }
      } catch (error) {
        refused(error);
      }
      if (next === "never") return;
      if (clock.monotonicMs() - startedMs > LONG_TERM_MS) failures = 0;
      if (next === "again") continue;
      const grownMs = Math.min(PAUSE_MS.max, PAUSE_MS.min * 2 ** failures);
      const pauseMs = next === "soon" ? YIELD_MS : grownMs;
      if (next === "later") failures += 1;
      await pause(clock, pauseMs, this.#over.signal).catch(() => undefined);
    }
  }

  /** Takes the lock from whoever holds it, unless this context has it or no longer wants it. */
  steal(): void {
    if (this.#line === undefined) return;
    this.#stealing = true;
    this.#line.abort();
  }

  /** Leaves the line for good. */
  stop(): void {
    this.#over.abort();
    this.#line?.abort();
  }

  /** Undefined when the line was left. @throws what the platform refuses the lock with. */
  async #wait(): Promise<HeldLock | undefined> {
    const { locks, lockName } = this.#parts;
    const line = new AbortController();
    this.#line = line;
    try {
      if (this.#stealing) {
        this.#stealing = false;
        this.#line = undefined;
        return await locks.acquire(lockName, { steal: true });
      }
      const lock = await locks.acquire(lockName, { signal: line.signal });
      // It was granted at the very moment in which somebody lost patience: there is nothing to steal any more.
      this.#stealing = false;
      return lock;
    } catch (error) {
      if (line.signal.aborted) return undefined;
      throw error;
    } finally {
      this.#line = undefined;
    }
  }
}
