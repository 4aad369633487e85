/** Witnesses of a virtual machine: they outlive its processes and its disks, and can be lost by hand. */
import type { Witnesses } from "./platform.ts";

/** {@link Witnesses} in memory. */
export class VirtualWitnesses implements Witnesses {
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #unforced = new Map<string, Uint8Array>();
  readonly #copies = new Map<string, Uint8Array>();
  /** Makes every writing fail while it is true. */
  broken = false;

  async read(engineName: string): Promise<Uint8Array | undefined> {
    return this.#bytes.get(engineName)?.slice();
  }

  async write(engineName: string, bytes: Uint8Array): Promise<void> {
    if (this.broken) throw new Error("the witness cannot be written");
    this.#bytes.set(engineName, bytes.slice());
  }

  async readUnforced(engineName: string): Promise<Uint8Array | undefined> {
    return this.#unforced.get(engineName)?.slice();
  }

  async writeUnforced(engineName: string, bytes: Uint8Array): Promise<void> {
    if (this.broken) throw new Error("the witness cannot be written");
    this.#unforced.set(engineName, bytes.slice());
  }

  async readCopy(engineName: string): Promise<Uint8Array | undefined> {
    return this.#copies.get(engineName)?.slice();
  }

  async writeCopy(engineName: string, bytes: Uint8Array): Promise<void> {
    if (this.broken) throw new Error("the copy cannot be written");
    this.#copies.set(engineName, bytes.slice());
  }

  /** Forgets the witness of an engine, and what lies beside it. */
  lose(engineName: string): void {
    this.loseWitness(engineName);
    this.loseCopy(engineName);
  }

  /** Forgets the copy of the control state alone. */
  loseCopy(engineName: string): void {
    this.#copies.delete(engineName);
  }

  /** Forgets the witness alone: the copy of the control state stays. */
  loseWitness(engineName: string): void {
    this.#bytes.delete(engineName);
    for (const name of [...this.#unforced.keys()]) {
      if (name.startsWith(`${engineName}.`)) this.#unforced.delete(name);
    }
  }

  /** Cuts the power: what was not forced to the disk is gone. */
  powerCut(): void {
    this.#unforced.clear();
  }
}
