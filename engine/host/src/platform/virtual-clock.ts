/** A clock that stands still until it is told otherwise, for tests and simulations. */
import type { Clock } from "./platform.ts";

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Time by hand. Timers fire in the order they are due, those of one instant in the order they were set. */
export class VirtualClock implements Clock {
  readonly #timers = new Set<Timer>();
  #wallMs: number;
  #monotonicMs = 0;
  #timersSet = 0;

  /** Starts at `startMs`, in ms since the Unix epoch. */
  constructor(startMs: number) {
    this.#wallMs = startMs;
  }

  /** Number of timers that are set. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer is due, 0 when it is overdue; undefined when none is set. */
  get nextTimerInMs(): number | undefined {
    let dueMs: number | undefined;
    for (const timer of this.#timers) dueMs = Math.min(dueMs ?? timer.dueMs, timer.dueMs);
    return dueMs === undefined ? undefined : Math.max(0, dueMs - this.#monotonicMs);
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    this.#timersSet += 1;
    const timer: Timer = {
      dueMs: this.#monotonicMs + Math.max(0, delayMs),
      order: this.#timersSet,
      callback,
    };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Moves the wall clock alone, as an administrator or a time server does; timers do not notice. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** Lets `byMs` pass and fires what is due, without a pause between timers. */
  advanceBy(byMs: number): void {
    const endMs = this.#monotonicMs + byMs;
    while (this.#fireNext(endMs)) {
      // Each timer may set further ones, which count when they are due in time.
    }
    this.#moveTo(endMs);
  }

  /** Lets `byMs` pass; before the first timer and after each one, promises and messages get their turn. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#monotonicMs + byMs;
    await settle();
    while (this.#fireNext(endMs)) await settle();
    this.#moveTo(endMs);
  }

  #fireNext(endMs: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > endMs) continue;
      if (next === undefined || comesBefore(timer, next)) next = timer;
    }
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#moveTo(next.dueMs);
    next.callback();
    return true;
  }

  /** Time only goes forward: a timer that is overdue fires now. */
  #moveTo(monotonicMs: number): void {
    const passedMs = Math.max(0, monotonicMs - this.#monotonicMs);
    this.#monotonicMs += passedMs;
    this.#wallMs += passedMs;
  }
}

function comesBefore(left: Timer, right: Timer): boolean {
  return left.dueMs === right.dueMs ? left.order < right.order : left.dueMs < right.dueMs;
}

/** Resolves when everything that is ready to run has run: one turn of the real event loop. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
