/** Stored engines that are looked at without being led: their surroundings let nothing reach the disk. */
import { basename, dirname, extname, resolve } from "node:path";
import { EngineInUseError } from "../errors/engine-errors.ts";
import { OverlayStore } from "../storage/overlay-store.ts";
import { InProcessLocks } from "./in-process-locks.ts";
import { writerLockName } from "./locks.ts";
import type { StoredLog } from "./node-inspect.ts";
import { isLockHeld } from "./node-locks.ts";
import type { Platform } from "./platform.ts";
import { systemClock } from "./system-clock.ts";
import { systemRandom } from "./system-random.ts";

const NAME = /^[a-zA-Z0-9_.-]{1,128}$/;

/** Name of the engine whose directory it is. */
export function storedEngineName(path: string): string {
  const absolute = resolve(path);
  const name = basename(absolute, extname(absolute) === ".engine" ? ".engine" : "");
  return NAME.test(name) ? name : "engine";
}

/** @throws EngineInUseError when a process has the engine of a directory open: it would read half of a change. */
export async function requireUnused(path: string): Promise<void> {
  const name = storedEngineName(path);
  if (!(await isLockHeld(dirname(resolve(path)), writerLockName(name)))) return;
  throw new EngineInUseError(`a process has the engine "${name}" open; close it first`, {
    argument: "path",
    value: path,
    retryable: true,
  });
}

/**
 * Surroundings over one stored log. There is no vault, so that no key can be destroyed: what is encrypted
 * stays unread. There is no witness either.
 */
export function storedPlatform(log: Extract<StoredLog, { kind: "store" }>): Platform {
  return {
    clock: systemClock,
    random: systemRandom,
    locks: new InProcessLocks(),
    stores: { open: () => OverlayStore.open(() => log.open()) },
  };
}
