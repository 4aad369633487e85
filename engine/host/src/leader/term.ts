/**
 * One term of a leader: an open engine behind the writer lock, what shows others that it lives, and its end.
 */

import { withDeadline } from "../platform/deadline.ts";
import type { Clock, HeldLock, Port } from "../platform/platform.ts";
import type { EngineService } from "../service/engine-service.ts";
import type { LeaderDesk } from "./leader-desk.ts";
import { BEAT_MS } from "./leader-link.ts";
import type { Target } from "./targets.ts";

/** Why a term ends: in order, because somebody else leads, or because the engine can do no more. */
export type TermEnd = "resigned" | "deposed" | "failed";

/**
 * How long the engine of a term may take to close before the locks are let go, in ms. Everybody waits for
 * it, and what it does not finish in time the next leader fences off; of one that was deposed nobody does.
 */
const CLOSE_MS_MAX: Readonly<Record<TermEnd, number>> = {
  resigned: 700,
  deposed: 5000,
  failed: 700,
};

/** Closes the engine of a term that ends, or never began; one that does not close in time is left to itself. */
export async function closeInTime(
  clock: Clock,
  engine: EngineService,
  how: TermEnd,
): Promise<void> {
  const late = (): Error => new Error("the engine did not close in time");
  // An engine that was deposed or failed has nothing more to save, whatever it says now.
  await withDeadline(clock, CLOSE_MS_MAX[how], engine.close(), late).catch(() => undefined);
}

/** What a term consists of. */
export interface TermParts {
  readonly clock: Clock;
  readonly engine: EngineService;
  readonly desk: LeaderDesk;
  readonly target: Target;
  readonly locks: readonly HeldLock[];
}

/** A leader, from the opened engine to the released lock. */
export class Term {
  readonly #parts: TermParts;
  #stopTicks: () => void = () => undefined;
  #asking = false;

  constructor(parts: TermParts) {
    this.#parts = parts;
    this.#tick();
  }

  get target(): Target {
    return this.#parts.target;
  }

  get members(): number {
    return this.#parts.desk.members + 1;
  }

  /** Takes a connection of another context. */
  accept(port: Port): void {
    this.#parts.desk.accept(port);
  }

  /** Closes the engine, ends all connections and lets the locks go. What is under way is settled first if in order. */
  async end(how: TermEnd, farewell: () => void): Promise<void> {
    const { clock, engine, desk, target, locks } = this.#parts;
    this.#stopTicks();
    if (how !== "resigned") desk.close();
    await closeInTime(clock, engine, how);
    desk.close();
    target.end();
    farewell();
    for (const lock of locks) lock.release();
  }

  #tick(): void {
    this.#stopTicks = this.#parts.clock.after(BEAT_MS, () => {
      this.#parts.desk.tick();
      void this.#ask();
      this.#tick();
    });
  }

  /** An engine that fails while nobody asks it for anything is found out all the same. */
  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    // Its own answer is of no interest: whoever watches the engine hears what is wrong with it.
    await this.#parts.target.service.call("memberStatus", {}).catch(() => undefined);
    this.#asking = false;
  }
}
