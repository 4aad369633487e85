/** The surroundings of an engine in a page or a worker. */
import { StorageUnavailableError } from "../errors/store-errors.ts";
import { IndexedDbLogStore } from "../storage/indexeddb-store.ts";
import type { LogStore } from "../storage/log-store.ts";
import { MemoryLogStore } from "../storage/memory-store.ts";
import { browserVaults } from "./browser-vault.ts";
import { browserWitnesses } from "./browser-witness.ts";
import { pause } from "./deadline.ts";
import { webLocks } from "./locks.ts";
import type { Platform, StorageKind, Stores } from "./platform.ts";
import { systemClock } from "./system-clock.ts";
import { systemRandom } from "./system-random.ts";

const browserStores: Stores = {
  async open(engineName: string, storage: StorageKind = "indexeddb"): Promise<LogStore> {
    switch (storage) {
      case "indexeddb":
        return await IndexedDbLogStore.open(engineName, (delayMs) => pause(systemClock, delayMs));
      case "memory":
        return new MemoryLogStore({ recoverable: false });
      default:
        throw new StorageUnavailableError(`there is no storage of the kind ${String(storage)}`, {
          argument: "storage",
          value: String(storage),
          limit: '"indexeddb" or "memory"',
        });
    }
  },
};

/** The browser: its clock and randomness, Web Locks, and IndexedDB unless memory is asked for. */
export function browserPlatform(): Platform {
  const witnesses = browserWitnesses();
  return {
    clock: systemClock,
    random: systemRandom,
    locks: webLocks,
    stores: browserStores,
    vaults: browserVaults,
    ...(witnesses === undefined ? {} : { witnesses }),
  };
}
