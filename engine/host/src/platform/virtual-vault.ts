/**
 * Vaults of a virtual machine: equal seeds and calls give equal bytes, nothing waits for the real machine,
 * and using a vector of AES-GCM twice is an error at once. The cipher hides bytes from whoever looks for
 * them in a store and notices every change; it is for tests and keeps no secret.
 */
import { FrameExistsError } from "../errors/store-errors.ts";
import type { Cipher, KeyVault, Vaults } from "./platform.ts";
import { SeededRandom } from "./seeded-random.ts";

const TAG_BYTES = 16;
const HASH_START = 0x811c9dc5;
const HASH_FACTOR = 0x01000193;

/** FNV-1a over stretches of bytes, each with its length. */
function hashOf(seed: number, ...parts: readonly Uint8Array[]): number {
  let hash = (HASH_START ^ seed) >>> 0;
  for (const part of parts) {
    for (const byte of part) hash = Math.imul(hash ^ byte, HASH_FACTOR) >>> 0;
    hash = Math.imul(hash ^ part.byteLength, HASH_FACTOR) >>> 0;
  }
  return hash;
}

function tagOf(seed: number, additional: Uint8Array, plain: Uint8Array): Uint8Array {
  const tag = new Uint8Array(TAG_BYTES);
  const view = new DataView(tag.buffer);
  for (let word = 0; word < TAG_BYTES / 4; word++) {
    view.setUint32(word * 4, hashOf(seed + word, additional, plain), true);
  }
  return tag;
}

class VirtualCipher implements Cipher {
  readonly #name: string;
  readonly #seed: number;
  readonly #used: Set<string>;

  constructor(name: string, secret: number, used: Set<string>) {
    this.#name = name;
    this.#seed = hashOf(secret, new TextEncoder().encode(name));
    this.#used = used;
  }

  async encrypt(
    counter: number,
    additional: Uint8Array,
    plain: Uint8Array,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const use = `${this.#name} ${counter}`;
    if (this.#used.has(use)) throw new Error(`a vector was used twice: ${use}`);
    this.#used.add(use);
    const sealed = new Uint8Array(plain.byteLength + TAG_BYTES);
    sealed.set(this.#crypt(counter, plain));
    sealed.set(tagOf(this.#seed ^ counter, additional, plain), plain.byteLength);
    return sealed;
  }

  async decrypt(
    counter: number,
    additional: Uint8Array,
    sealed: Uint8Array,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (sealed.byteLength < TAG_BYTES) return undefined;
    const end = sealed.byteLength - TAG_BYTES;
    const plain = this.#crypt(counter, sealed.subarray(0, end));
    const tag = tagOf(this.#seed ^ counter, additional, plain);
    return tag.every((byte, i) => byte === sealed[end + i]) ? plain : undefined;
  }

  #crypt(counter: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const stream = new Uint8Array(bytes.byteLength);
    new SeededRandom(this.#seed ^ Math.imul(counter, 0x9e3779b1)).fill(stream);
    for (const [i, byte] of bytes.entries()) stream[i] = (stream[i] ?? 0) ^ byte;
    return stream;
  }
}

/** What the vault of one engine holds: data keys by their numbers. */
type Keys = Map<number, number>;

class VirtualVault implements KeyVault {
  readonly #vaults: VirtualVaults;
  readonly #engineName: string;

  constructor(vaults: VirtualVaults, engineName: string) {
    this.#vaults = vaults;
    this.#engineName = engineName;
  }

  async createKey(dataKeyId: number): Promise<void> {
    this.#vaults.create(this.#engineName, dataKeyId);
  }

  async keyIds(): Promise<number[]> {
    return [...this.#vaults.keys(this.#engineName).keys()];
  }

  async cipher(
    dataKeyId: number,
    salt: Uint8Array,
    purpose: "wal" | "segment",
  ): Promise<Cipher | undefined> {
    const secret = this.#vaults.keys(this.#engineName).get(dataKeyId);
    if (secret === undefined) return undefined;
    const name = `${secret} ${Array.from(salt).join(".")} ${purpose}`;
    return new VirtualCipher(name, secret, this.#vaults.used);
  }

  async destroyKey(dataKeyId: number): Promise<void> {
    this.#vaults.keys(this.#engineName).delete(dataKeyId);
  }

  async close(): Promise<void> {
    // The machine keeps what it has.
  }
}

/** The vaults of a virtual machine; they survive its processes. */
export class VirtualVaults implements Vaults {
  readonly #random: SeededRandom;
  readonly #engines = new Map<string, Keys>();
  /** Every (key, salt, purpose, counter) that encrypted something. */
  readonly used = new Set<string>();

  /** `seed` decides what keys are made. */
  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  async open(engineName: string): Promise<KeyVault> {
    return new VirtualVault(this, engineName);
  }

  /** The data keys of an engine, to be looked at or taken away. */
  keys(engineName: string): Keys {
    const known = this.#engines.get(engineName);
    if (known !== undefined) return known;
    const keys: Keys = new Map();
    this.#engines.set(engineName, keys);
    return keys;
  }

  /** Whether an engine has ever made a key. */
  has(engineName: string): boolean {
    return (this.#engines.get(engineName)?.size ?? 0) > 0;
  }

  /** Makes a key. @throws FrameExistsError when the number is taken. */
  create(engineName: string, dataKeyId: number): void {
    const keys = this.keys(engineName);
    if (keys.has(dataKeyId)) {
      throw new FrameExistsError(`data key ${dataKeyId} exists`, { value: dataKeyId });
    }
    keys.set(dataKeyId, this.#random.nextUint32());
  }
}
