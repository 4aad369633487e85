/**
 * Data keys that are wrapped by a key-encryption key: what the vaults of browser, Node and memory have in
 * common. Where the wrapped keys and the key-encryption key are kept is a shelf's matter.
 */
import type { Cipher, KeyVault } from "./platform.ts";

/** Where a vault keeps what it has; all of it is made on first use, and not before. */
export interface KeyShelf {
  /** The key that wraps all others, made when there is none and `create` says so. */
  keyEncryptionKey(create: boolean): Promise<CryptoKey | undefined>;
  /** Keeps a wrapped key; durable when it resolves. @throws FrameExistsError when the number is taken. */
  add(dataKeyId: number, wrapped: Uint8Array<ArrayBuffer>): Promise<void>;
  get(dataKeyId: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  ids(): Promise<number[]>;
  /** Deletes a wrapped key; durable when it resolves. */
  delete(dataKeyId: number): Promise<void>;
  close(): Promise<void>;
}

/** Algorithm of the key-encryption key. */
export const WRAPPING = { name: "AES-KW", length: 256 } as const;
/** What it is used for. */
export const WRAPPING_USAGES: readonly ("wrapKey" | "unwrapKey")[] = ["wrapKey", "unwrapKey"];

const VECTOR_BYTES = 12;
const utf8 = new TextEncoder();

/** The platform's types tell shared memory from other memory; what comes here is never shared. */
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

/** Vector of AES-GCM: 32 zero bits, then the counter in 64 bits, big endian. */
function vectorOf(counter: number): Uint8Array<ArrayBuffer> {
  const vector = new Uint8Array(VECTOR_BYTES);
  new DataView(vector.buffer).setBigUint64(4, BigInt(counter));
  return vector;
}

/** AES-256-GCM of WebCrypto under one working key. */
class GcmCipher implements Cipher {
  readonly #key: CryptoKey;

  constructor(key: CryptoKey) {
    this.#key = key;
  }

  async encrypt(
    counter: number,
    additional: Uint8Array,
    plain: Uint8Array,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const sealed = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv: vectorOf(counter), additionalData: unshared(additional) },
      this.#key,
      unshared(plain),
    );
    return new Uint8Array(sealed);
  }

  async decrypt(
    counter: number,
    additional: Uint8Array,
    sealed: Uint8Array,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const plain = await crypto.subtle.decrypt(
        { name: "AES-GCM", iv: vectorOf(counter), additionalData: unshared(additional) },
        this.#key,
        unshared(sealed),
      );
      return new Uint8Array(plain);
    } catch (error) {
      if (error instanceof DOMException && error.name === "OperationError") return undefined;
      throw error;
    }
  }
}

/** A {@link KeyVault} over a shelf, with the platform's WebCrypto. */
export class WrappedKeyVault implements KeyVault {
  readonly #shelf: KeyShelf;

  constructor(shelf: KeyShelf) {
    this.#shelf = shelf;
  }

  async createKey(dataKeyId: number): Promise<void> {
    const wrapping = await this.#shelf.keyEncryptionKey(true);
    if (wrapping === undefined) throw new Error("the shelf made no key-encryption key");
    const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, [
      "encrypt",
    ]);
    const wrapped = await crypto.subtle.wrapKey("raw", key, wrapping, "AES-KW");
    await this.#shelf.add(dataKeyId, new Uint8Array(wrapped));
  }

  async keyIds(): Promise<number[]> {
    return await this.#shelf.ids();
  }

  async cipher(
    dataKeyId: number,
    salt: Uint8Array,
    purpose: "wal" | "segment",
  ): Promise<Cipher | undefined> {
    const wrapped = await this.#shelf.get(dataKeyId);
    const wrapping = wrapped === undefined ? undefined : await this.#shelf.keyEncryptionKey(false);
    if (wrapped === undefined || wrapping === undefined) return undefined;
    const dataKey = await unwrap(wrapped, wrapping);
    if (dataKey === undefined) return undefined;
    const derivation = {
      name: "HKDF",
      hash: "SHA-256",
      salt: unshared(salt),
      info: utf8.encode(`millrace ${purpose}`),
    };
    const algorithm = { name: "AES-GCM", length: 256 };
    const usages: readonly KeyUsage[] = ["encrypt", "decrypt"];
    return new GcmCipher(
      await crypto.subtle.deriveKey(derivation, dataKey, algorithm, false, [...usages]),
    );
  }

  async destroyKey(dataKeyId: number): Promise<void> {
    await this.#shelf.delete(dataKeyId);
  }

  async close(): Promise<void> {
    await this.#shelf.close();
  }
}

/** The data key, which can derive working keys and nothing else; undefined when it does not unwrap. */
async function unwrap(
  wrapped: Uint8Array<ArrayBuffer>,
  wrapping: CryptoKey,
): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.unwrapKey("raw", wrapped, wrapping, "AES-KW", "HKDF", false, [
      "deriveKey",
    ]);
  } catch (error) {
    // Which of its names the platform gives to a wrapping that does not verify differs.
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}
