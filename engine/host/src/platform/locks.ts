/** Named locks over all contexts of an origin: Web Locks. */
import { StorageUnavailableError } from "../errors/store-errors.ts";
import type { HeldLock, Locks, LockWish } from "./platform.ts";

/** Name of the lock that the one writer of an engine holds. */
export function writerLockName(engineName: string): string {
  return `millrace:${engineName}:writer`;
}

/** Name of the lock that a context holds for as long as it lives. */
export function memberLockName(engineName: string, memberId: string): string {
  return `millrace:${engineName}:member:${memberId}`;
}

function lockManager(name: string): LockManager {
  const manager: LockManager | undefined = globalThis.navigator?.locks;
  if (manager !== undefined) return manager;
  throw new StorageUnavailableError(
    "this browser has no Web Locks here (they need a secure context: https or localhost), so a " +
      "second writer could not be kept out",
    { argument: "name", value: name },
  );
}

function refused(name: string, error: unknown): StorageUnavailableError {
  return new StorageUnavailableError(`the browser refused the lock ${name}: ${String(error)}`, {
    argument: "name",
    value: name,
    cause: error,
  });
}

/** Asks for a lock; resolves with undefined when it was only wanted if nobody held it, and somebody does. */
function request(name: string, options: LockOptions): Promise<HeldLock | undefined> {
  const manager = lockManager(name);
  return new Promise((resolve, reject) => {
    let tellStolen: () => void = () => undefined;
    const stolen = new Promise<void>((tell) => {
      tellStolen = tell;
    });
    const held = manager.request(name, options, async (lock) => {
      if (lock === null) {
        resolve(undefined);
        return;
      }
      await new Promise<void>((release) => resolve({ release, stolen }));
    });
    held.catch((error: unknown) => {
      // After the lock was given, this is the news that somebody stole it; before, that it is not to be had.
      tellStolen();
      reject(options.signal?.aborted === true ? options.signal.reason : refused(name, error));
    });
  });
}

/**
 * Web Locks. Without them there is no telling whether another tab writes, so that an attempt is then a
 * StorageUnavailableError rather than a lock that excludes nobody.
 */
export const webLocks: Locks = {
  async tryAcquire(name) {
    return await request(name, { ifAvailable: true });
  },
  async acquire(name, { mode = "exclusive", steal = false, signal }: LockWish = {}) {
    signal?.throwIfAborted();
    // The platform refuses a signal beside a theft, which never waits.
    const options = steal ? { steal } : { mode, ...(signal === undefined ? {} : { signal }) };
    const held = await request(name, options);
    if (held === undefined) throw refused(name, "it was neither given nor refused");
    return held;
  },
};

/** Calls back once nobody holds a lock; never where there are no Web Locks. Returns how to wait no longer. */
export function whenFree(name: string, callback: () => void): () => void {
  const over = new AbortController();
  const { signal } = over;
  const manager: LockManager | undefined = globalThis.navigator?.locks;
  manager?.request(name, { mode: "shared", signal }, callback).catch(() => undefined);
  return () => over.abort();
}
