/** The surroundings of an engine in Node: stores in memory, or in files of a directory. */
import { join } from "node:path";
import { StorageUnavailableError } from "../errors/store-errors.ts";
import { MemoryLogStore } from "../storage/memory-store.ts";
import { FileLogStore } from "../storage/node-file-store.ts";
import { InProcessLocks } from "./in-process-locks.ts";
import { FileLocks } from "./node-locks.ts";
import { nodeVaults } from "./node-vault.ts";
import { FileWitnesses } from "./node-witness.ts";
import type { Platform, StorageKind, Stores } from "./platform.ts";
import { systemClock } from "./system-clock.ts";
import { systemRandom } from "./system-random.ts";

/** What an engine's surroundings in Node are made of. */
export interface NodePlatformOptions {
  /** Where stores of the kind "file" and their locks are; without it there are none. */
  readonly dataDirectory?: string | undefined;
}

function nodeStores(dataDirectory: string | undefined): Stores {
  return {
    async open(engineName: string, storage?: StorageKind) {
      const kind = storage ?? (dataDirectory === undefined ? "memory" : "file");
      if (kind === "memory") return new MemoryLogStore({ recoverable: false });
      if (kind === "file" && dataDirectory !== undefined) {
        // The suffix keeps the names "." and ".." from being directories that exist.
        const store = await FileLogStore.open(join(dataDirectory, `${engineName}.engine`));
        // What cannot be deleted now is no reason to fail: it is in nobody's way, and the next opening tries again.
        await new FileWitnesses(dataDirectory).deleteUnfinished(engineName).catch(() => undefined);
        return store;
      }
      throw new StorageUnavailableError(
        kind === "file"
          ? 'storage "file" needs a directory to keep its files in'
          : `storage "${kind}" needs a browser; in Node storage "memory" and "file" work`,
        { argument: "storage", value: kind, limit: '"memory" or "file"' },
      );
    },
  };
}

/** Engines of one process exclude each other, whichever platform object they were given. */
const processLocks = new InProcessLocks();

/**
 * Node: its clock and randomness. With a data directory, stores in files by default, and locks between
 * processes; without one, stores in memory and locks within the process.
 */
export function nodePlatform({ dataDirectory }: NodePlatformOptions = {}): Platform {
  return {
    clock: systemClock,
    random: systemRandom,
    locks: dataDirectory === undefined ? processLocks : new FileLocks(dataDirectory),
    stores: nodeStores(dataDirectory),
    vaults: nodeVaults(dataDirectory),
    ...(dataDirectory === undefined ? {} : { witnesses: new FileWitnesses(dataDirectory) }),
  };
}
