/** Named locks among the engines that share one object: of one process, or of a simulated machine. */
import type { HeldLock, Locks, LockWish } from "./platform.ts";

interface Claim {
  readonly owner: string;
  readonly exclusive: boolean;
  readonly grant: (lock: HeldLock) => void;
  readonly tellStolen: () => void;
  readonly stolen: Promise<void>;
}

interface Lock {
  readonly holders: Set<Claim>;
  /** First come, first served. */
  readonly line: Claim[];
}

/** Whoever asks for locks as nobody in particular. */
const ANYBODY = "";

/** Locks in memory. A context that dies is told by {@link InProcessLocks.releaseAll}. */
export class InProcessLocks implements Locks {
  readonly #locks = new Map<string, Lock>();

  tryAcquire(name: string): Promise<HeldLock | undefined> {
    return this.of(ANYBODY).tryAcquire(name);
  }

  acquire(name: string, wish?: LockWish): Promise<HeldLock> {
    return this.of(ANYBODY).acquire(name, wish);
  }

  /** The locks as one context asks for them. */
  of(owner: string): Locks {
    return {
      tryAcquire: async (name) => {
        const lock = this.#lock(name);
        if (lock.holders.size > 0 || lock.line.length > 0) return undefined;
        return await this.#claim(name, owner, {});
      },
      acquire: (name, wish = {}) => this.#claim(name, owner, wish),
    };
  }

  /** Frees what a context held, and takes it out of all lines, as the platform does when it dies. */
  releaseAll(owner: string): void {
    for (const [name, { holders, line }] of this.#locks) {
      for (const claim of holders) if (claim.owner === owner) holders.delete(claim);
      const left = line.filter((claim) => claim.owner !== owner);
      line.splice(0, line.length, ...left);
      this.#serve(name);
    }
  }

  #lock(name: string): Lock {
    const known = this.#locks.get(name);
    if (known !== undefined) return known;
    const lock: Lock = { holders: new Set(), line: [] };
    this.#locks.set(name, lock);
    return lock;
  }

  async #claim(name: string, owner: string, wish: LockWish): Promise<HeldLock> {
    const { mode = "exclusive", steal = false, signal } = wish;
    signal?.throwIfAborted();
    const lock = this.#lock(name);
    let tellStolen: () => void = () => undefined;
    const stolen = new Promise<void>((resolve) => {
      tellStolen = resolve;
    });
    return await new Promise<HeldLock>((resolve, reject) => {
      const exclusive = steal || mode === "exclusive";
      const grant = (held: HeldLock): void => {
        // One signal may be that of many wishes, and outlive them all.
        signal?.removeEventListener("abort", leave);
        resolve(held);
      };
      const claim: Claim = { owner, exclusive, grant, tellStolen, stolen };
      if (steal) {
        for (const robbed of lock.holders) robbed.tellStolen();
        lock.holders.clear();
        lock.line.unshift(claim);
      } else {
        lock.line.push(claim);
      }
      const leave = (): void => {
        const place = lock.line.indexOf(claim);
        if (place < 0) return;
        lock.line.splice(place, 1);
        reject(signal?.reason);
        this.#serve(name);
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#serve(name);
    });
  }

  /** Gives the lock to as many of the line as can have it now. */
  #serve(name: string): void {
    const lock = this.#lock(name);
    for (;;) {
      const next = lock.line[0];
      if (next === undefined) break;
      const shareable = !next.exclusive && [...lock.holders].every(({ exclusive }) => !exclusive);
      if (lock.holders.size > 0 && !shareable) break;
      lock.line.shift();
      lock.holders.add(next);
      next.grant({ release: () => this.#release(name, next), stolen: next.stolen });
    }
    if (lock.holders.size === 0 && lock.line.length === 0) this.#locks.delete(name);
  }

  /** A second release finds the claim gone, and frees nothing of whoever took the lock in between. */
  #release(name: string, claim: Claim): void {
    if (this.#locks.get(name)?.holders.delete(claim) === true) this.#serve(name);
  }
}
