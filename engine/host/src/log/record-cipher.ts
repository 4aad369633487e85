/**
 * Encrypts and decrypts stretches of records with the data keys of a vault.
 *
 * What is stored is the salt of the life that wrote it, the ciphertext, and its tag. Every life of a log
 * draws a salt of its own, so that its working keys are new and its counters may begin at 1: no two
 * leaders, and no two lives, ever use one key with one vector.
 */
import { KeyLostError } from "../errors/index.ts";
import type { Cipher, KeyVault, Random } from "../platform/platform.ts";

/** Length of the salt in front of a ciphertext. */
export const SALT_BYTES = 16;
/** Length of the tag behind it. */
export const TAG_BYTES = 16;
/** Bytes that encrypting adds to a stretch. */
export const CIPHER_BYTES = SALT_BYTES + TAG_BYTES;

/** Ciphers of earlier lives that are kept for the next reading. */
const READING_MAX = 64;

/** What is encrypted: the keys differ, so that a frame's bytes never fit a segment. */
export type CipherPurpose = "wal" | "segment";

/** Why something cannot be decrypted: the data key is gone, or the bytes are not what was encrypted. */
export type Undecipherable = "no-key" | "damaged";

/** Where an encrypted stretch belongs, and what it stands beside. */
export interface CipherPlace {
  readonly dataKeyId: number;
  readonly purpose: CipherPurpose;
  readonly counter: number;
  /** Bytes beside the stretch that must be as they were when it is decrypted. */
  readonly additional: Uint8Array;
}

/** An encrypted stretch, in the two parts in which it is stored. */
export interface SealedStretch {
  readonly salt: Uint8Array;
  /** In a buffer of its own, which is the caller's. */
  readonly sealed: Uint8Array;
}

function nameOf({ dataKeyId, purpose }: Pick<CipherPlace, "dataKeyId" | "purpose">): string {
  return `${dataKeyId} ${purpose}`;
}

/** The ciphers of one life of a log. */
export class RecordCipher {
  readonly #vault: KeyVault | undefined;
  readonly #random: Random;
  #salt: Uint8Array | undefined;
  #counter = 0;
  /** By data key and purpose. */
  readonly #writing = new Map<string, Cipher>();
  /** By data key, purpose and salt, least recently used first. */
  readonly #reading = new Map<string, Cipher>();
  /** Data key by ordinal and shard uid, of segments with encrypted records that are not declared yet. */
  readonly #segments = new Map<number, Map<number, number>>();

  /** Without a vault every data key counts as lost. */
  constructor(vault: KeyVault | undefined, random: Random) {
    this.#vault = vault;
    this.#random = random;
  }

  /** A counter that this life has not used yet. */
  nextCounter(): number {
    this.#counter++;
    return this.#counter;
  }

  /** Whether a data key can encrypt at once. */
  isReady(dataKeyId: number): boolean {
    return (["wal", "segment"] as const).every((purpose) =>
      this.#writing.has(nameOf({ dataKeyId, purpose })),
    );
  }

  /** Makes a data key ready to encrypt. Whether it is; false when the vault does not have it. @throws StoreFailedError. */
  async prepare(dataKeyId: number): Promise<boolean> {
    for (const purpose of ["wal", "segment"] as const) {
      if ((await this.#writingCipher(dataKeyId, purpose)) === undefined) return false;
    }
    return true;
  }

  /** A data key that nothing was encrypted with is discarded: the next one may bear its number. */
  forgetKey(dataKeyId: number): void {
    for (const purpose of ["wal", "segment"] as const) {
      this.#writing.delete(nameOf({ dataKeyId, purpose }));
    }
  }

  /**
   * Salt, and ciphertext with its tag: {@link CIPHER_BYTES} more than `plain`, which is read before the call
   * returns. Kept apart, because a copy of a megabyte costs as much as encrypting it.
   * @throws KeyLostError, StoreFailedError.
   */
  encrypt(place: CipherPlace, plain: Uint8Array): Promise<SealedStretch> {
    const ready = this.#writing.get(nameOf(place));
    return ready === undefined
      ? this.#encryptLater(place, plain.slice())
      : this.#encryptWith(ready, place, plain);
  }

  /** What {@link encrypt} was given, or why that cannot be told. @throws StoreFailedError. */
  async decrypt(place: CipherPlace, stored: Uint8Array): Promise<Uint8Array | Undecipherable> {
    const { dataKeyId, purpose, counter, additional } = place;
    if (stored.byteLength < CIPHER_BYTES) return "damaged";
    const salt = stored.slice(0, SALT_BYTES);
    const cipher = await this.#readingCipher(dataKeyId, salt, purpose);
    if (cipher === undefined) return "no-key";
    return (await cipher.decrypt(counter, additional, stored.subarray(SALT_BYTES))) ?? "damaged";
  }

  /** Notes that records of a segment which is not stored yet are encrypted. */
  noteSegment(shardUid: number, ordinal: number, dataKeyId: number): void {
    const ofShard = this.#segments.get(shardUid) ?? new Map<number, number>();
    this.#segments.set(shardUid, ofShard.set(ordinal, dataKeyId));
  }

  /** The data key of the last encrypted records of a segment that is not stored yet. */
  keyOfSegment(shardUid: number, ordinal: number): number | undefined {
    return this.#segments.get(shardUid)?.get(ordinal);
  }

  /** The segment is stored. */
  forgetSegment(shardUid: number, ordinal: number): void {
    const ofShard = this.#segments.get(shardUid);
    if (ofShard?.delete(ordinal) === true && ofShard.size === 0) this.#segments.delete(shardUid);
  }

  /** The shard is gone, with all that was not stored. */
  forgetShard(shardUid: number): void {
    this.#segments.delete(shardUid);
  }

  /** Drawn on first use: a log without encryption takes nothing from the source of randomness. */
  #ownSalt(): Uint8Array {
    this.#salt ??= this.#random.fill(new Uint8Array(SALT_BYTES));
    return this.#salt;
  }

  async #encryptLater(place: CipherPlace, plain: Uint8Array): Promise<SealedStretch> {
    const { dataKeyId, purpose } = place;
    const cipher = await this.#writingCipher(dataKeyId, purpose);
    if (cipher === undefined) throw keyLost(dataKeyId);
    return await this.#encryptWith(cipher, place, plain);
  }

  async #encryptWith(
    cipher: Cipher,
    { counter, additional }: CipherPlace,
    plain: Uint8Array,
  ): Promise<SealedStretch> {
    const sealing = cipher.encrypt(counter, additional, plain);
    return { salt: this.#ownSalt(), sealed: await sealing };
  }

  async #writingCipher(dataKeyId: number, purpose: CipherPurpose): Promise<Cipher | undefined> {
    const name = nameOf({ dataKeyId, purpose });
    const known = this.#writing.get(name);
    if (known !== undefined) return known;
    const cipher = await this.#vault?.cipher(dataKeyId, this.#ownSalt(), purpose);
    if (cipher !== undefined) this.#writing.set(name, cipher);
    return cipher;
  }

  async #readingCipher(
    dataKeyId: number,
    salt: Uint8Array,
    purpose: CipherPurpose,
  ): Promise<Cipher | undefined> {
    const name = `${dataKeyId} ${purpose} ${salt.join(".")}`;
    const known = this.#reading.get(name);
    const cipher = known ?? (await this.#vault?.cipher(dataKeyId, salt, purpose));
    if (cipher === undefined) return undefined;
    this.#reading.delete(name);
    this.#reading.set(name, cipher);
    const [oldest] = this.#reading.keys();
    if (this.#reading.size > READING_MAX && oldest !== undefined) this.#reading.delete(oldest);
    return cipher;
  }
}

/** The error for what a data key that is gone has encrypted, or was to encrypt. */
export function keyLost(dataKeyId: number): KeyLostError {
  return new KeyLostError(
    `data key ${dataKeyId} is gone; what it encrypted cannot be read, and nothing is written without it`,
    { argument: "dataKeyId", value: dataKeyId },
  );
}
