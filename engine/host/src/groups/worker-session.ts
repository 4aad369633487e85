/**
 * One worker of a group as the leader knows it: whether it lives, and what it has not heard of yet. A worker
 * that is known from an earlier leader only is waited for as one that has just polled.
 */
import { memberLockName } from "../platform/locks.ts";
import type { Clock, Locks } from "../platform/platform.ts";
import type { LeaseOwner } from "./group-types.ts";

/** What a session works with. */
export interface SessionParts {
  readonly clock: Clock;
  readonly locks: Locks;
  readonly engineName: string;
  /** A worker without a poll under way for this long is dead, in ms. */
  readonly failoverMs: number;
  /** Called once when the worker died, not when the session was ended. */
  readonly onDead: (session: WorkerSession) => void;
}

/** Who a session is for. */
export interface SessionWorker extends LeaseOwner {
  /** Undefined for a worker that has not joined this leader. */
  readonly sessionId: string | undefined;
  /** Infinity for any number. */
  readonly leasesMax: number;
}

/** See above. */
export class WorkerSession {
  readonly worker: SessionWorker;
  /** Whether the worker finishes what it has and wants no more. */
  leaving = false;
  readonly #parts: SessionParts;
  readonly #gone = new AbortController();
  #version = 1;
  #polls = 0;
  #wake: () => void = () => undefined;
  #cancelDeath: () => void = () => undefined;
  #failure: Error | undefined;

  constructor(parts: SessionParts, worker: SessionWorker) {
    this.#parts = parts;
    this.worker = worker;
    this.#expect();
    if (worker.memberId !== null) void this.#watch(worker.memberId);
  }

  /** Whether leases may be given to the worker. */
  get takes(): boolean {
    return this.worker.sessionId !== undefined && !this.leaving;
  }

  /** Rises when the worker's leases change. */
  get version(): number {
    return this.#version;
  }

  /** The worker's leases have changed. */
  touch(): void {
    this.#version += 1;
    this.#wake();
  }

  /**
   * Waits for another version than the one that was seen, up to `waitMs`, and answers. The poll before it, if
   * one is still under way, answers at once. @throws what the session was ended with.
   */
  async poll<Answer>(
    seenVersion: number,
    waitMs: number,
    answer: () => Promise<Answer>,
  ): Promise<Answer> {
    this.#requireLiving();
    this.#wake();
    this.#cancelDeath();
    this.#polls += 1;
    try {
      if (this.#version === seenVersion && waitMs > 0) await this.#news(waitMs);
      this.#requireLiving();
      return await answer();
    } finally {
      this.#polls -= 1;
      if (this.#polls === 0) this.#expect();
    }
  }

  /** Ends the session; polls under way fail with this error. Safe to call twice. */
  end(error: Error): void {
    this.#failure ??= error;
    this.#cancelDeath();
    this.#gone.abort();
    this.#wake();
  }

  #requireLiving(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #news(waitMs: number): Promise<void> {
    let cancel: () => void = () => undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      cancel = this.#parts.clock.after(waitMs, resolve);
    });
    cancel();
  }

  /** From here on the next poll must come in time. */
  #expect(): void {
    if (this.#failure !== undefined) return;
    const { clock, failoverMs } = this.#parts;
    this.#cancelDeath();
    this.#cancelDeath = clock.after(failoverMs, () => this.#die());
  }

  /** The lock that a context holds for as long as it lives is free when it died. */
  async #watch(memberId: string): Promise<void> {
    const { locks, engineName } = this.#parts;
    const wish = { mode: "shared", signal: this.#gone.signal } as const;
    try {
      const lock = await locks.acquire(memberLockName(engineName, memberId), wish);
      lock.release();
      this.#die();
    } catch {
      // The session ended first; or locks are not to be had, and polls alone tell.
    }
  }

  #die(): void {
    if (this.#failure === undefined) this.#parts.onDead(this);
  }
}
