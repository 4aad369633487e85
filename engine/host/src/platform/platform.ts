/**
 * Everything the engine takes from its surroundings. Nothing outside this folder reads a clock, draws
 * a random number, sets a timer, takes a lock or opens a store by itself, so that a seeded simulation
 * can stand in for the browser.
 */
import type { LogStore } from "../storage/log-store.ts";

/** Wall and monotonic time, and timers. */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch; may jump. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never runs backwards. */
  monotonicMs(): number;
  /** Runs `callback` once after `delayMs`. The timer does not keep a process alive. Returns its cancellation. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Randomness. */
export interface Random {
  /** Fills and returns the array. */
  fill(bytes: Uint8Array): Uint8Array;
}

/** A lock that is held until it is released or its holder dies. */
export interface HeldLock {
  release(): void;
}

/** Named locks over all contexts of one origin. */
export interface Locks {
  /** Takes the lock if nobody holds it; undefined when somebody does. */
  tryAcquire(name: string): Promise<HeldLock | undefined>;
}

/** Kinds of store that an engine can ask for. */
export type StorageKind = "indexeddb" | "memory" | "file";

/** Access to the places where logs are kept. */
export interface Stores {
  /**
   * Opens (creates) the store of an engine; the most durable kind the platform has when `storage` is
   * absent.
   * @throws StorageUnavailableError when the platform has none or refuses.
   */
  open(engineName: string, storage?: StorageKind): Promise<LogStore>;
}

/** The surroundings of one engine. */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly locks: Locks;
  readonly stores: Stores;
}
