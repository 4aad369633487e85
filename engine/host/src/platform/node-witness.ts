/**
 * Witnesses in Node: a file beside each engine's directory, written aside and given its name in one step. The
 * unforced record is written in place, because only what is in the file at every moment outlives a kill.
 */
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  codeOf,
  deleteTemporaryFiles,
  makeDirectory,
  readWholeFile,
  replaceFile,
} from "../storage/node-files.ts";
import type { FileHandle } from "./handle-files.ts";
import type { Witnesses } from "./platform.ts";
import { newestSlot, UNFORCED_PAGES, writeSlot } from "./slot-pages.ts";

/** {@link Witnesses} in a directory. */
export class FileWitnesses implements Witnesses {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  read(engineName: string): Promise<Uint8Array | undefined> {
    return this.#read(witnessFile(engineName));
  }

  write(engineName: string, bytes: Uint8Array): Promise<void> {
    return this.#replace(witnessFile(engineName), bytes);
  }

  readCopy(engineName: string): Promise<Uint8Array | undefined> {
    return this.#read(copyFile(engineName));
  }

  writeCopy(engineName: string, bytes: Uint8Array): Promise<void> {
    return this.#replace(copyFile(engineName), bytes);
  }

  async readUnforced(engineName: string): Promise<Uint8Array | undefined> {
    try {
      return withFile(
        this.#unforcedPath(engineName),
        constants.O_RDONLY,
        (file) => newestSlot(file, UNFORCED_PAGES)?.bytes,
      );
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  async writeUnforced(engineName: string, bytes: Uint8Array): Promise<void> {
    await makeDirectory(this.#directory);
    const flags = constants.O_RDWR | constants.O_CREAT;
    withFile(this.#unforcedPath(engineName), flags, (file) =>
      writeSlot(file, bytes, UNFORCED_PAGES),
    );
  }

  /** Deletes what processes that died left unfinished of an engine that nobody else has open. */
  async deleteUnfinished(engineName: string): Promise<void> {
    await deleteTemporaryFiles(this.#directory, [witnessFile(engineName), copyFile(engineName)]);
  }

  #read(name: string): Promise<Uint8Array | undefined> {
    return readWholeFile(join(this.#directory, name)).catch(() => undefined);
  }

  async #replace(name: string, bytes: Uint8Array): Promise<void> {
    await makeDirectory(this.#directory);
    await replaceFile(this.#directory, { name, bytes });
  }

  #unforcedPath(engineName: string): string {
    return join(this.#directory, `${engineName}.unforced`);
  }
}

function witnessFile(engineName: string): string {
  return `${engineName}.witness`;
}

function copyFile(engineName: string): string {
  return `${engineName}.copy`;
}

/** Opens a file, uses it and closes it; nothing is forced to the disk. @throws a system error. */
function withFile<Result>(
  path: string,
  flags: number,
  use: (file: Pick<FileHandle, "read" | "write">) => Result,
): Result {
  const file = openSync(path, flags, 0o666);
  try {
    return use({
      read: (into, { at }) => readSync(file, into, 0, into.byteLength, at),
      write: (bytes, { at }) => writeSync(file, bytes, 0, bytes.byteLength, at),
    });
  } finally {
    closeSync(file);
  }
}
