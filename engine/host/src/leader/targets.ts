/**
 * Where requests go: to whoever leads at present, here or in another context. Requests that find nobody wait;
 * those that were under way when a leader went are told, and come back to wait for the next one.
 */
import type { Clock } from "../platform/platform.ts";
import type { EngineService } from "../service/engine-service.ts";

/** The leader that a request went to is gone; whether the request took effect is not known. Never leaves the member. */
export class LeaderGoneError extends Error {}

/** What is known of a leader. */
export interface LeaderFacts {
  /** The epoch with which its term began. */
  readonly epoch: number;
  readonly leaderId: string;
  readonly transport: "local" | "port" | "broadcast";
}

/** One leader, for as long as it can be reached in one way. */
export class Target {
  readonly service: EngineService;
  readonly facts: LeaderFacts;
  /** Told when an answer says that this leader leads no more. */
  readonly onDoubt: () => void;
  readonly #rejects = new Set<(reason: LeaderGoneError) => void>();
  #ended = false;

  constructor(service: EngineService, facts: LeaderFacts, onDoubt: () => void) {
    this.service = service;
    this.facts = facts;
    this.onDoubt = onDoubt;
  }

  /** Whether it was given up. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Makes a request of it. @throws LeaderGoneError at once when the leader goes. */
  run<Result>(request: (service: EngineService) => Promise<Result>): Promise<Result> {
    if (this.#ended) return Promise.reject(new LeaderGoneError());
    return new Promise((resolve, reject) => {
      this.#rejects.add(reject);
      const settled = (): boolean => this.#rejects.delete(reject);
      request(this.service).then(
        (result) => settled() && resolve(result),
        (error: unknown) => settled() && reject(error),
      );
    });
  }

  /** Gives up everything under way, in the order in which it was begun. */
  end(): void {
    this.#ended = true;
    const rejects = [...this.#rejects];
    this.#rejects.clear();
    for (const reject of rejects) reject(new LeaderGoneError());
  }
}

interface Waiter {
  readonly place: number;
  readonly resolve: (target: Target) => void;
  readonly reject: (reason: unknown) => void;
}

/** How a request waits for a leader. */
export interface Wait {
  /** Its place among all requests of the context: whoever came first goes first. */
  readonly place: number;
  /** How long it waits at most, in ms. */
  readonly waitMs: number;
  /** Makes the error for the end of its patience. */
  readonly late: () => Error;
  readonly signal?: AbortSignal | undefined;
}

/** The present target, and the requests that wait for the next one. */
export class Targets {
  readonly #clock: Clock;
  #current: Target | undefined;
  #waiting = new Set<Waiter>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whoever leads at present, if that is known. */
  get current(): Target | undefined {
    return this.#current;
  }

  /** From now on requests go to this leader; those that wait do at once, in their order. */
  begin(target: Target): void {
    const before = this.#current;
    this.#current = target;
    if (before !== target) before?.end();
    for (const { resolve } of this.#leave()) resolve(target);
  }

  /** Sends no further request to a leader; those under way may still be answered. */
  retire(target: Target): void {
    if (this.#current === target) this.#current = undefined;
  }

  /** Gives a leader up, and with it what is under way. */
  end(target: Target): void {
    this.retire(target);
    target.end();
  }

  /** Fails all requests that wait. */
  fail(error: unknown): void {
    for (const { reject } of this.#leave()) reject(error);
  }

  /** Waits for a leader. @throws as `wait.late`; the signal's reason. */
  async next({ place, waitMs, late, signal }: Wait): Promise<Target> {
    signal?.throwIfAborted();
    let over: () => void = () => undefined;
    try {
      return await new Promise<Target>((resolve, reject) => {
        const waiter = { place, resolve, reject };
        this.#waiting.add(waiter);
        const abort = (): void => reject(signal?.reason);
        signal?.addEventListener("abort", abort, { once: true });
        const stopTimer = this.#clock.after(waitMs, () => reject(late()));
        over = () => {
          this.#waiting.delete(waiter);
          signal?.removeEventListener("abort", abort);
          stopTimer();
        };
      });
    } finally {
      over();
    }
  }

  #leave(): Waiter[] {
    const waiters = [...this.#waiting].sort((one, other) => one.place - other.place);
    this.#waiting.clear();
    return waiters;
  }
}
