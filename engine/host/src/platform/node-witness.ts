/** Witnesses in Node: a file beside each engine's directory, written aside and given its name in one step. */
import { mkdir, open, rename } from "node:fs/promises";
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

  async write(engineName: string, bytes: Uint8Array): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const path = this.#path(engineName);
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

  #path(engineName: string): string {
    return join(this.#directory, `${engineName}.witness`);
  }
}
