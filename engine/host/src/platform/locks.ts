/** Named locks: over all contexts of an origin by Web Locks, and within one process. */
import { StorageUnavailableError } from "../errors/store-errors.ts";
import type { HeldLock, Locks } from "./platform.ts";

/** Name of the lock that the one writer of an engine holds. */
export function writerLockName(engineName: string): string {
  return `millrace:${engineName}:writer`;
}

/**
 * Web Locks. Without them there is no telling whether another tab writes, so that an attempt is then a
 * StorageUnavailableError rather than a lock that excludes nobody.
 */
export const webLocks: Locks = {
  async tryAcquire(name) {
    const manager: LockManager | undefined = globalThis.navigator?.locks;
    if (manager === undefined) {
      throw new StorageUnavailableError(
        "this browser has no Web Locks here (they need a secure context: https or localhost), so a " +
          "second writer could not be kept out",
        { argument: "name", value: name },
      );
    }
    return await new Promise((resolve, reject) => {
      const held = manager.request(name, { ifAvailable: true }, async (lock) => {
        if (lock === null) {
          resolve(undefined);
          return;
        }
        await new Promise<void>((release) => resolve({ release }));
      });
      // A request that fails before it is decided says so here; a lock that is stolen later rejects
      // too, when the answer is long given: the fence in the log is what stops its former holder.
      held.catch((error: unknown) =>
        reject(
          new StorageUnavailableError(`the browser refused the lock ${name}: ${String(error)}`, {
            argument: "name",
            value: name,
            cause: error,
          }),
        ),
      );
    });
  },
};

/** Locks among the engines that share this object. */
export class InProcessLocks implements Locks {
  readonly #held = new Set<string>();

  async tryAcquire(name: string): Promise<HeldLock | undefined> {
    if (this.#held.has(name)) return undefined;
    this.#held.add(name);
    let released = false;
    return {
      release: () => {
        // A second release must not free the lock of whoever took it in between.
        if (!released) this.#held.delete(name);
        released = true;
      },
    };
  }
}
