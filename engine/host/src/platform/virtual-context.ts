/**
 * One context of a simulated machine, as a tab's worker is one of a browser: it shares disks, locks and
 * channels with the others, and can die at any moment. What it was waiting for then never comes.
 */
import type { LogStore } from "../storage/log-store.ts";
import type { InProcessLocks } from "./in-process-locks.ts";
import type { Clock, HeldLock, Locks, Platform, Stores } from "./platform.ts";
import type { VirtualNetwork } from "./virtual-channels.ts";

/** A platform whose context can be frozen and ended from outside. */
export interface VirtualContext extends Platform {
  readonly owner: string;
  readonly alive: boolean;
  /** Ends it: its locks are free, its ports silent, its timers and store calls come to nothing. */
  kill(): void;
  /** Frees its locks and cuts its channels, but lets it go on: what a browser takes for dead and is not. */
  cutOff(): void;
  /** Stops it with all that it holds: what becomes due or arrives waits. */
  freeze(): void;
  /** Lets it go on: what waited happens now, in its order. */
  thaw(): void;
}

/** What the contexts of a machine share. */
export interface SharedMachine extends Omit<Platform, "channels" | "locks"> {
  readonly locks: InProcessLocks;
  readonly network: VirtualNetwork;
}

/** Makes a context; every name is used for one context only. */
export function virtualContext(machine: SharedMachine, owner: string): VirtualContext {
  const life = new Life();
  const cutOff = (): void => {
    machine.network.kill(owner);
    machine.locks.releaseAll(owner);
  };
  machine.network.gate(owner, (task) => life.pass(task));
  const { network: _network, ...shared } = machine;
  return {
    ...shared,
    owner,
    get alive() {
      return life.alive;
    },
    clock: mortalClock(machine.clock, life),
    locks: mortalLocks(machine.locks.of(owner), life),
    stores: mortalStores(machine.stores, life),
    channels: machine.network.of(owner),
    kill: () => {
      life.alive = false;
      cutOff();
    },
    cutOff,
    freeze: () => life.freeze(),
    thaw: () => life.thaw(),
  };
}

/** Whether a context runs, is frozen, or is dead. */
class Life {
  alive = true;
  #held: (() => void)[] | undefined;

  /** Does what comes in from outside, as soon as the context runs. */
  pass(task: () => void): void {
    if (!this.alive) return;
    if (this.#held === undefined) task();
    else this.#held.push(task);
  }

  freeze(): void {
    this.#held ??= [];
  }

  thaw(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const task of held) this.pass(task);
  }
}

/** Passes a value on when the context runs; when it is dead, nothing ever comes. */
function mortal<Value>(life: Life, promise: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    promise.then(
      (value) => life.pass(() => resolve(value)),
      (error: unknown) => life.pass(() => reject(error)),
    );
  });
}

function mortalClock(clock: Clock, life: Life): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, callback) => {
      let cancelled = false;
      const cancel = clock.after(delayMs, () => {
        life.pass(() => {
          if (!cancelled) callback();
        });
      });
      return () => {
        cancelled = true;
        cancel();
      };
    },
  };
}

function mortalLocks(locks: Locks, life: Life): Locks {
  const never = (): Promise<never> => new Promise(() => undefined);
  return {
    tryAcquire: (name) => (life.alive ? mortal(life, locks.tryAcquire(name)) : never()),
    acquire: (name, wish): Promise<HeldLock> =>
      life.alive ? mortal(life, locks.acquire(name, wish)) : never(),
  };
}

function mortalStores(stores: Stores, life: Life): Stores {
  return {
    open: async (engineName, storage) => {
      const store = await mortal(life, stores.open(engineName, storage));
      return mortalStore(store, life);
    },
  };
}

/** The dead write nothing. What was written just before stays, and nobody hears of it. */
function mortalStore(store: LogStore, life: Life): LogStore {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...parameters: unknown[]): unknown => {
        if (!life.alive) return new Promise(() => undefined);
        const result: unknown = Reflect.apply(member, target, parameters);
        return result instanceof Promise ? mortal(life, result) : result;
      };
    },
  });
}
