/**
 * Encrypts and decrypts stretches of records with the data keys of a vault.
 *
 * What is stored is the salt of the life that wrote it, the ciphertext, and its tag. Every life of a log
 * draws a salt of its own, so that its working keys are new and its counters may begin at 1: no two
 * leaders, and no two lives, ever use one key with one vector.
 */
import { KeyLostError } from "../errors/index.ts";
import type { Cipher, KeyVault, Random } from "../platform/platform.ts";
import { viewOf } from "./bytes.ts";

/** Length of the salt in front of a ciphertext. */
export const SALT_BYTES = 16;
/** Length of the tag behind it. */
export const TAG_BYTES = 16;
/**
 * Bytes of a stretch that are encrypted together, with a tag of their own. Pieces of this size are encrypted
 * nearly twice as fast as whole megabytes, beside each other, and in memory that was used before.
 */
const PIECE_BYTES = 262_144;

/** Length of the number and the count of a piece, which are part of its additional data. */
const PIECE_PLACE_BYTES = 8;

function piecesOf(plainBytes: number): number {
  return Math.max(1, Math.ceil(plainBytes / PIECE_BYTES));
}

/** Bytes that encrypting adds to a stretch: the salt, and a tag per piece. */
export function cipherBytes(plainBytes: number): number {
  return SALT_BYTES + piecesOf(plainBytes) * TAG_BYTES;
}

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
  /** Of the first piece; the others have the next ones. */
  readonly counter: number;
  /** Bytes beside the stretch that must be as they were when it is decrypted. */
  readonly additional: Uint8Array;
}

/** An encrypted stretch, in the two parts in which it is stored. */
export interface SealedStretch {
  readonly salt: Uint8Array;
  /** Piece after piece, each in a buffer of its own, which is the caller's. */
  readonly sealed: readonly Uint8Array[];
}

/** Additional data of a piece: no piece fits another place of its stretch, and no stretch can be cut short. */
function additionalOf(additional: Uint8Array, piece: number, count: number): Uint8Array {
  const all = new Uint8Array(additional.byteLength + PIECE_PLACE_BYTES);
  all.set(additional);
  const view = viewOf(all);
  view.setUint32(additional.byteLength, piece, true);
  view.setUint32(additional.byteLength + 4, count, true);
  return all;
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

  /** The first of as many counters as a stretch needs, which this life has not used yet. */
  nextCounter(plainBytes: number): number {
    const first = this.#counter + 1;
    this.#counter += piecesOf(plainBytes);
    return first;
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

  /**
   * Salt and ciphertexts: {@link cipherBytes} more than `plain`, which is read before the call returns. Kept
   * apart, because a copy of a megabyte costs as much as encrypting it.
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
    if (stored.byteLength < cipherBytes(0)) return "damaged";
    const salt = stored.slice(0, SALT_BYTES);
    const cipher = await this.#readingCipher(dataKeyId, salt, purpose);
    if (cipher === undefined) return "no-key";
    const step = PIECE_BYTES + TAG_BYTES;
    const sealed = stored.subarray(SALT_BYTES);
    const count = Math.ceil(sealed.byteLength / step);
    const plain = new Uint8Array(Math.max(0, sealed.byteLength - count * TAG_BYTES));
    // One after the other: whoever reads has time, and each piece is let go before the next.
    for (let i = 0; i < count; i++) {
      const piece = sealed.subarray(i * step, (i + 1) * step);
      const found = await cipher.decrypt(counter + i, additionalOf(additional, i, count), piece);
      if (found === undefined) return "damaged";
      plain.set(found, i * PIECE_BYTES);
    }
    return plain;
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
    const count = piecesOf(plain.byteLength);
    const sealing = Array.from({ length: count }, (_, i) =>
      cipher.encrypt(
        counter + i,
        additionalOf(additional, i, count),
        plain.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
      ),
    );
    return { salt: this.#ownSalt(), sealed: await Promise.all(sealing) };
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
