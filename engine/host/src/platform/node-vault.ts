/**
 * The vault of Node: a directory beside an engine's files, readable by its owner only. It protects a copy
 * of the log that was made without the directory; whoever can read both can read the records.
 */
import { chmod, open, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { FrameExistsError } from "../errors/store-errors.ts";
import {
  addFiles,
  codeOf,
  makeDirectory,
  notRead,
  notWritten,
  readWholeFile,
  syncDirectory,
} from "../storage/node-files.ts";
import { memoryVault } from "./memory-vault.ts";
import type { Vaults } from "./platform.ts";
import { type KeyShelf, WRAPPING, WRAPPING_USAGES, WrappedKeyVault } from "./wrapped-keys.ts";

const WRAPPING_FILE = "wrapping.key";
const WRAPPING_BYTES = 32;
const KEY_FILE = /^(\d{1,10})\.wrapped$/;
const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

function fileOf(dataKeyId: number): string {
  return `${dataKeyId}.wrapped`;
}

function isAbsent(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

class DirectoryShelf implements KeyShelf {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async keyEncryptionKey(create: boolean): Promise<CryptoKey | undefined> {
    let bytes = await this.#read(WRAPPING_FILE);
    if (bytes === undefined && create) {
      const made = crypto.getRandomValues(new Uint8Array(WRAPPING_BYTES));
      await this.#add(WRAPPING_FILE, made).catch((error: unknown) => {
        // Whoever was first has wrapped keys by it already.
        if (!(error instanceof FrameExistsError)) throw error;
      });
      bytes = await this.#read(WRAPPING_FILE);
    }
    if (bytes?.byteLength !== WRAPPING_BYTES) return undefined;
    return await crypto.subtle.importKey("raw", bytes, WRAPPING, false, [...WRAPPING_USAGES]);
  }

  async add(dataKeyId: number, wrapped: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#add(fileOf(dataKeyId), wrapped);
  }

  async get(dataKeyId: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await this.#read(fileOf(dataKeyId));
  }

  async ids(): Promise<number[]> {
    try {
      const names = await readdir(this.#directory);
      return names.flatMap((name) => {
        const digits = KEY_FILE.exec(name)?.[1];
        return digits === undefined ? [] : [Number(digits)];
      });
    } catch (error) {
      if (isAbsent(error)) return [];
      throw notRead(`listing ${this.#directory}`, error);
    }
  }

  async delete(dataKeyId: number): Promise<void> {
    const path = join(this.#directory, fileOf(dataKeyId));
    try {
      await overwrite(path);
      await unlink(path);
      await syncDirectory(this.#directory);
    } catch (error) {
      if (!isAbsent(error)) throw notWritten(`deleting ${path}`, error);
    }
  }

  async close(): Promise<void> {
    // Every call opens what it needs.
  }

  async #read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const bytes = await readWholeFile(join(this.#directory, name));
      return bytes === undefined ? undefined : new Uint8Array(bytes);
    } catch (error) {
      throw notRead(`reading ${name} in ${this.#directory}`, error);
    }
  }

  async #add(name: string, bytes: Uint8Array): Promise<void> {
    try {
      await makeDirectory(this.#directory);
      await chmod(this.#directory, OWNER_ONLY_DIRECTORY);
    } catch (error) {
      throw notWritten(`making ${this.#directory}`, error);
    }
    await addFiles(this.#directory, [{ name, bytes, mode: OWNER_ONLY }], true);
  }
}

/** A file system that writes in place keeps nothing of the key then; on others it does no harm. */
async function overwrite(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    const { size } = await handle.stat();
    await handle.write(new Uint8Array(size), 0, size, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Vaults in a directory each; those of engines in memory, and all without a data directory, are in memory. */
export function nodeVaults(dataDirectory: string | undefined): Vaults {
  return {
    async open(engineName, storage) {
      if (storage === "memory" || dataDirectory === undefined) return memoryVault();
      return new WrappedKeyVault(new DirectoryShelf(join(dataDirectory, `${engineName}.keys`)));
    },
  };
}
