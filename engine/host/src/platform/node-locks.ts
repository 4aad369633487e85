/**
 * Locks between processes, as files: the newest file of a lock's directory says who holds it.
 *
 * A file is never changed into another holder's: each holder adds the next number, which only one can,
 * and the number of a released lock stays, so that numbers never start anew under a process that looked
 * before. A lock whose process is dead is free. This keeps accidents out; the fence in the log is what
 * the guarantee rests on.
 */
import { writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { NotSupportedError } from "../errors/service-errors.ts";
import { FrameExistsError, StorageUnavailableError } from "../errors/store-errors.ts";
import { addFiles, codeOf, deleteFiles, makeDirectory } from "../storage/node-files.ts";
import type { HeldLock, Locks, LockWish } from "./platform.ts";
import { systemClock } from "./system-clock.ts";

/** A process that is not mistaken for a later one of the same number, where the system tells. */
interface Holder {
  readonly pid: number;
  /** Clock ticks from the system's start to the process's, where it can be told. */
  readonly startTicks: string;
  /** Which start of the system it was, where it can be told. */
  readonly boot: string;
}

/** Time between two looks at a lock that is waited for, in ms. */
const POLL_INTERVAL_MS = 100;
/** A lock between processes is never stolen. */
const NEVER = new Promise<void>(() => undefined);

/** What the newest lock file holds when nobody holds the lock. */
const RELEASED = "released\n";
const LOCK_NAME = /^(\d{1,16})\.lock$/;

/** {@link Locks} in a directory that all processes see. */
export class FileLocks implements Locks {
  readonly #directory: string;

  /** The directory is made when the first lock is taken. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Nobody is told when a lock between processes becomes free, so that it is asked for again and again. */
  async acquire(name: string, { steal = false, mode, signal }: LockWish = {}): Promise<HeldLock> {
    if (steal || mode === "shared") {
      throw new NotSupportedError("locks between processes are neither stolen nor shared", {
        argument: "wish",
        value: steal ? "steal" : "shared",
      });
    }
    for (;;) {
      signal?.throwIfAborted();
      const held = await this.tryAcquire(name);
      if (held !== undefined) return held;
      await new Promise<void>((resolve) => {
        systemClock.after(POLL_INTERVAL_MS, resolve);
      });
    }
  }

  /** @throws StorageUnavailableError when the directory cannot be written. */
  async tryAcquire(name: string): Promise<HeldLock | undefined> {
    const directory = lockDirectory(this.#directory, name);
    try {
      await makeDirectory(directory);
      return await acquire(directory);
    } catch (error) {
      throw new StorageUnavailableError(
        `the lock ${directory} cannot be taken: ${error instanceof Error ? error.message : String(error)}`,
        { argument: "directory", value: this.#directory, cause: error },
      );
    }
  }
}

/** Whether a living process holds a lock of a directory. Nothing is made or changed there. */
export async function isLockHeld(directory: string, name: string): Promise<boolean> {
  const locks = lockDirectory(directory, name);
  try {
    const newest = (await lockNumbers(locks)).at(-1);
    return newest !== undefined && (await isHeld(join(locks, lockName(newest))));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

function lockDirectory(directory: string, name: string): string {
  return join(directory, `${encodeURIComponent(name)}.locks`);
}

async function acquire(directory: string): Promise<HeldLock | undefined> {
  const own = `${JSON.stringify(await describeProcess(process.pid))}\n`;
  for (;;) {
    const newest = (await lockNumbers(directory)).at(-1) ?? 0;
    if (newest > 0 && (await isHeld(join(directory, lockName(newest))))) return undefined;
    const name = lockName(newest + 1);
    try {
      await addFiles(directory, [{ name, bytes: new TextEncoder().encode(own) }], false);
    } catch (error) {
      // Somebody else was quicker: look again who that is.
      if (error instanceof FrameExistsError) continue;
      throw error;
    }
    const numbers = await lockNumbers(directory);
    if (numbers.at(-1) !== newest + 1) {
      await deleteFiles(directory, [name]);
      continue;
    }
    await deleteFiles(directory, numbers.slice(0, -1).map(lockName));
    return held(join(directory, name));
  }
}

/** A lock that this process holds. Released at once and without a promise, as the contract wants it. */
function held(path: string): HeldLock {
  let released = false;
  return {
    stolen: NEVER,
    release: () => {
      if (released) return;
      released = true;
      try {
        writeFileSync(path, RELEASED, { flag: "r+" });
      } catch {
        // It was deleted, with all of the directory perhaps, or the disk failed: the end of this
        // process frees it then.
      }
    },
  };
}

async function isHeld(path: string): Promise<boolean> {
  const text = await readIfThere(path);
  const holder = text === undefined ? undefined : parseHolder(text);
  if (holder === undefined) return false;
  const now = await describeProcess(holder.pid);
  if (now === undefined) return false;
  return now.startTicks === holder.startTicks && now.boot === holder.boot;
}

/**
 * A file's text; undefined when it is not there any more.
 * @throws Error when it cannot be read: nobody can tell then who holds the lock.
 */
async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    // A process that ends while its files are read gives ESRCH.
    if (["ENOENT", "ESRCH"].includes(codeOf(error))) return undefined;
    throw error;
  }
}

/** The holder that a lock file names; undefined when it is released. */
function parseHolder(text: string): Holder | undefined {
  if (text.startsWith(RELEASED)) return undefined;
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    // Lock files are added whole: what is no JSON was torn by whoever was releasing it.
    return undefined;
  }
  if (typeof found !== "object" || found === null) return undefined;
  if (!("pid" in found && "startTicks" in found && "boot" in found)) return undefined;
  const { pid, startTicks, boot } = found;
  return { pid: Number(pid), startTicks: String(startTicks), boot: String(boot) };
}

/** A living process; undefined when there is none of that number. */
async function describeProcess(pid: number): Promise<Holder | undefined> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // A process of another user may not be signalled, but it is there.
    if (codeOf(error) !== "EPERM") return undefined;
  }
  const status = (await readIfThere(`/proc/${pid}/stat`)) ?? "";
  // The second field, a name in parentheses, may hold blanks. The state is the first after it.
  const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
  // A zombie does nothing any more; it only waits for its parent to ask how it ended.
  if (fields[0] === "Z") return undefined;
  const startTicks = fields[19] ?? "";
  const boot = (await readIfThere("/proc/sys/kernel/random/boot_id")) ?? "";
  return { pid, startTicks, boot: boot.trim() };
}

async function lockNumbers(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names
    .flatMap((name) => LOCK_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((left, right) => left - right);
}

function lockName(number: number): string {
  return `${String(number).padStart(16, "0")}.lock`;
}
