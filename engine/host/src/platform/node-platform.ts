/** The surroundings of an engine in Node: nothing outlives the process. */
import { StorageUnavailableError } from "../errors/store-errors.ts";
import type { LogStore } from "../storage/log-store.ts";
import { MemoryLogStore } from "../storage/memory-store.ts";
import { InProcessLocks } from "./locks.ts";
import type { Platform, StorageKind, Stores } from "./platform.ts";
import { systemClock } from "./system-clock.ts";
import { systemRandom } from "./system-random.ts";

const memoryStores: Stores = {
  async open(_engineName: string, storage: StorageKind = "memory"): Promise<LogStore> {
    if (storage !== "memory") {
      throw new StorageUnavailableError(
        `storage "${storage}" needs a browser; in Node only storage "memory" works`,
        { argument: "storage", value: storage, limit: '"memory"' },
      );
    }
    return new MemoryLogStore({ recoverable: false });
  },
};

/** Engines of one process exclude each other, whichever platform object they were given. */
const processLocks = new InProcessLocks();

/** Node: its clock and randomness, locks within the process, stores in memory. */
export function nodePlatform(): Platform {
  return { clock: systemClock, random: systemRandom, locks: processLocks, stores: memoryStores };
}
