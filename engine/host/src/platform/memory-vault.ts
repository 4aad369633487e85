/** The vault of an engine in memory: real keys that end with the process and are never written anywhere. */
import { FrameExistsError } from "../errors/store-errors.ts";
import type { KeyVault } from "./platform.ts";
import { type KeyShelf, WRAPPING, WRAPPING_USAGES, WrappedKeyVault } from "./wrapped-keys.ts";

class MemoryShelf implements KeyShelf {
  readonly #keys = new Map<number, Uint8Array<ArrayBuffer>>();
  #wrapping: Promise<CryptoKey> | undefined;

  async keyEncryptionKey(create: boolean): Promise<CryptoKey | undefined> {
    if (create) {
      this.#wrapping ??= crypto.subtle.generateKey(WRAPPING, false, [...WRAPPING_USAGES]);
    }
    return await this.#wrapping;
  }

  async add(dataKeyId: number, wrapped: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#keys.has(dataKeyId)) {
      throw new FrameExistsError(`data key ${dataKeyId} exists`, { value: dataKeyId });
    }
    this.#keys.set(dataKeyId, wrapped);
  }

  async get(dataKeyId: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#keys.get(dataKeyId);
  }

  async ids(): Promise<number[]> {
    return [...this.#keys.keys()];
  }

  async delete(dataKeyId: number): Promise<void> {
    this.#keys.delete(dataKeyId);
  }

  async close(): Promise<void> {
    this.#keys.clear();
    this.#wrapping = undefined;
  }
}

/** A new, empty vault. */
export function memoryVault(): KeyVault {
  return new WrappedKeyVault(new MemoryShelf());
}
