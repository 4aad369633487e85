/**
 * Files that are whole or absent: written aside under a temporary name, forced to the disk, then given
 * their name, which nobody may have yet. What a killed process leaves behind is a temporary file.
 */
import { link, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import {
  FrameExistsError,
  OutcomeUnknownError,
  StoreFailedError,
  StoreFullError,
} from "../errors/store-errors.ts";

const TEMPORARY = ".tmp";
/** What a temporary name has behind the name that it stands for. */
const UNFINISHED = /^\.\d+-\d+\.tmp$/;
let temporaryFiles = 0;

/** One file on its way into a directory. */
export interface NewFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Permissions of the file; what the process gives by itself when absent. */
  readonly mode?: number;
}

/** The code of a system error, as in `ENOENT`; empty for anything else. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** Turns a system error of a write that did not take effect into the store error that says so. */
export function notWritten(
  what: string,
  error: unknown,
): FrameExistsError | StoreFullError | StoreFailedError | OutcomeUnknownError {
  const reason = `${what}: ${error instanceof Error ? error.message : String(error)}`;
  const details = { cause: error };
  switch (codeOf(error)) {
    case "EEXIST":
      return new FrameExistsError(reason, details);
    case "ENOSPC":
    case "EDQUOT":
      return new StoreFullError(reason, details);
    case "ENOENT":
      // The directory is gone. Whoever opens the store anew finds out what that means.
      return new OutcomeUnknownError(reason, details);
    default:
      return new StoreFailedError(reason, details);
  }
}

/** Turns a system error of a read into the store error that says so. */
export function notRead(what: string, error: unknown): StoreFailedError | OutcomeUnknownError {
  const told = notWritten(what, error);
  if (told instanceof StoreFailedError || told instanceof OutcomeUnknownError) return told;
  return new StoreFailedError(told.message, { cause: error });
}

/** Forces the names in a directory to the disk. */
export async function syncDirectory(directory: string): Promise<void> {
  // Windows has no handle for a directory that could be forced; its file systems journal names.
  if (process.platform === "win32") return;
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a directory, and its parents, unless it is there. Returns whether it was made; it is durable then. */
export async function makeDirectory(directory: string): Promise<boolean> {
  const whole = resolve(directory);
  const first = await mkdir(whole, { recursive: true });
  if (first === undefined) return false;
  // Each of the directories that were made is a name in its parent.
  for (let made = whole; made.length >= first.length; made = dirname(made)) {
    await syncDirectory(dirname(made));
  }
  return true;
}

/** Deletes what processes that died left unfinished: all of it, or that of some names only. */
export async function deleteTemporaryFiles(
  directory: string,
  ofNames?: readonly string[],
): Promise<void> {
  const isOurs = (name: string): boolean =>
    ofNames === undefined ||
    ofNames.some((one) => name.startsWith(`${one}.`) && UNFINISHED.test(name.slice(one.length)));
  const names = await readdir(directory);
  await deleteFiles(
    directory,
    names.filter((name) => name.endsWith(TEMPORARY) && isOurs(name)),
  );
}

/** Deletes files; those that are not there are ignored. Not forced to the disk. */
export async function deleteFiles(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) await unlink(join(directory, name)).catch(ignoreAbsence);
}

function ignoreAbsence(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}

/**
 * Adds files, all or none as long as the process lives; one that dies in between may leave some of
 * them. Durable when it resolves, unless `durable` is false.
 *
 * @throws FrameExistsError when a name is taken, StoreFullError, StoreFailedError: nothing was added.
 * @throws OutcomeUnknownError when names were given but could not be forced to the disk.
 */
export async function addFiles(
  directory: string,
  files: readonly NewFile[],
  durable: boolean,
): Promise<void> {
  const what = `adding ${files.map(({ name }) => name).join(", ")} to ${directory}`;
  const temporary: string[] = [];
  const named: string[] = [];
  try {
    for (const file of files) {
      temporary.push(await writeAside(directory, file, durable));
    }
    for (const [i, { name }] of files.entries()) {
      await link(join(directory, temporary[i] ?? ""), join(directory, name));
      named.push(name);
    }
  } catch (error) {
    const left = await deleteFiles(directory, named).catch((second: unknown) => ({ second }));
    if (left === undefined) throw notWritten(what, error);
    throw new OutcomeUnknownError(`${what}: it could not be taken back`, { cause: left.second });
  } finally {
    // A temporary file that stays is deleted when the store is opened next.
    await deleteFiles(directory, temporary).catch(() => undefined);
  }
  if (!durable) return;
  try {
    await syncDirectory(directory);
  } catch (error) {
    throw new OutcomeUnknownError(`${what}: the names may not be durable`, { cause: error });
  }
}

/** Gives a name new content, whole or not at all. Durable when it resolves. @throws a system error. */
export async function replaceFile(directory: string, file: NewFile): Promise<void> {
  const temporaryName = await writeAside(directory, file, true);
  try {
    await rename(join(directory, temporaryName), join(directory, file.name));
  } catch (error) {
    await deleteFiles(directory, [temporaryName]).catch(() => undefined);
    throw error;
  }
  await syncDirectory(directory);
}

/** Writes a file under a temporary name. Returns that name; on failure nothing is left if possible. */
async function writeAside(
  directory: string,
  { name, bytes, mode }: NewFile,
  durable: boolean,
): Promise<string> {
  const { temporaryName, handle } = await openAside(directory, name, mode);
  try {
    await handle.writeFile(bytes);
    if (durable) await handle.sync();
  } catch (error) {
    await deleteFiles(directory, [temporaryName]).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
  return temporaryName;
}

async function openAside(
  directory: string,
  name: string,
  mode: number | undefined,
): Promise<{ temporaryName: string; handle: Awaited<ReturnType<typeof open>> }> {
  for (;;) {
    temporaryFiles += 1;
    const temporaryName = `${name}.${process.pid}-${temporaryFiles}${TEMPORARY}`;
    try {
      return { temporaryName, handle: await open(join(directory, temporaryName), "wx", mode) };
    } catch (error) {
      // A process of the same number may have left it; the next name is free sooner or later.
      if (codeOf(error) !== "EEXIST") throw error;
    }
  }
}

/** A whole file in a buffer of its own; undefined when there is none. */
export async function readWholeFile(path: string): Promise<Uint8Array | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, "r");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled === size ? bytes : bytes.slice(0, filled);
  } finally {
    await handle.close();
  }
}
