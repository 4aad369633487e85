/** Witnesses in Node: a file beside each engine's directory, written aside and given its name in one step. */
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { readWholeFile } from "../storage/node-files.ts";
import type { Witnesses } from "./platform.ts";

/** {@link Witnesses} in a directory. */
export class FileWitnesses implements Witnesses {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  read(engineName: string): Promise<Uint8Array | undefined> {
    return readWholeFile(this.#path(engineName)).catch(() => undefined);
  }

  write(engineName: string, bytes: Uint8Array): Promise<void> {
    return this.#replace(this.#path(engineName), bytes);
  }

  readCopy(engineName: string): Promise<Uint8Array | undefined> {
    return readWholeFile(this.#copyPath(engineName)).catch(() => undefined);
  }

  writeCopy(engineName: string, bytes: Uint8Array): Promise<void> {
    return this.#replace(this.#copyPath(engineName), bytes);
  }

  async #replace(path: string, bytes: Uint8Array): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const aside = `${path}.${process.pid}.tmp`;
    const file = await open(aside, "w");
    try {
      await file.writeFile(bytes);
      // A name that is durable before its bytes are would be an empty witness after a power cut.
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  }

  readUnforced(engineName: string): Promise<Uint8Array | undefined> {
    return readWholeFile(this.#unforcedPath(engineName)).catch(() => undefined);
  }

  async writeUnforced(engineName: string, bytes: Uint8Array): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    await writeFile(this.#unforcedPath(engineName), bytes);
  }

  #copyPath(engineName: string): string {
    return join(this.#directory, `${engineName}.copy`);
  }

  #unforcedPath(engineName: string): string {
    return join(this.#directory, `${engineName}.unforced`);
  }

  #path(engineName: string): string {
    return join(this.#directory, `${engineName}.witness`);
  }
}
