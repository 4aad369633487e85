/**
 * Records that show by themselves whether they are whole: a number, a checksum of everything else, and
 * random bytes.
 *
 *   0  u32  checksum of all bytes from 4 on
 *   4  u32  number
 *   8       random bytes
 */

/** Bytes before the random ones. */
export const RECORD_HEADER_BYTES = 8;

/** FNV-1a over bytes four at a time, the rest one by one: simple, and none of the engine's own hashes. */
export function checksumOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wordsEnd = bytes.byteLength & ~3;
  let hash = 0x811c9dc5;
  for (let at = 4; at < wordsEnd; at += 4) {
    hash = Math.imul(hash ^ view.getUint32(at, true), 0x01000193);
    hash ^= hash >>> 15;
  }
  for (let at = wordsEnd; at < bytes.byteLength; at++) {
    hash = Math.imul(hash ^ view.getUint8(at), 0x01000193);
  }
  return hash >>> 0;
}

/** Writes number and checksum into a record whose random bytes are there already. */
export function seal(bytes: Uint8Array, number: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(4, number, true);
  view.setUint32(0, checksumOf(bytes), true);
}

/** The number of a record; undefined when it is torn. */
export function numberOf(bytes: Uint8Array): number | undefined {
  if (bytes.byteLength < RECORD_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0, true) === checksumOf(bytes) ? view.getUint32(4, true) : undefined;
}

const RANDOM_POOL_BYTES = 8_388_608;
const RANDOM_CALL_BYTES = 65_536;

/** Cuts records out of a pool of random bytes, each at a place of its own. */
export class RandomBytes {
  readonly #pool = new Uint8Array(RANDOM_POOL_BYTES);

  constructor() {
    for (let at = 0; at < RANDOM_POOL_BYTES; at += RANDOM_CALL_BYTES) {
      crypto.getRandomValues(this.#pool.subarray(at, at + RANDOM_CALL_BYTES));
    }
  }

  /** A copy of `byteLength` random bytes. */
  take(byteLength: number): Uint8Array<ArrayBuffer> {
    const at = Math.floor(Math.random() * (RANDOM_POOL_BYTES - byteLength));
    return this.#pool.slice(at, at + byteLength);
  }
}
