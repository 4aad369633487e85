/** Witnesses of a virtual machine: they outlive its processes and its disks, and can be lost by hand. */
import type { Witnesses } from "./platform.ts";

/** {@link Witnesses} in memory. */
export class VirtualWitnesses implements Witnesses {
  readonly #bytes = new Map<string, Uint8Array>();
  /** Makes every writing fail while it is true. */
  broken = false;

  async read(engineName: string): Promise<Uint8Array | undefined> {
    return this.#bytes.get(engineName)?.slice();
  }

  async write(engineName: string, bytes: Uint8Array): Promise<void> {
    if (this.broken) throw new Error("the witness cannot be written");
    this.#bytes.set(engineName, bytes.slice());
  }

  /** Forgets the witness of an engine. */
  lose(engineName: string): void {
    this.#bytes.delete(engineName);
  }
}
