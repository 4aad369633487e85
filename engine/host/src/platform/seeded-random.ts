/** Repeatable random bytes for tests and simulations: never for anything that must not be guessed. */
import type { Random } from "./platform.ts";

/** The sfc32 generator over four 32-bit words, started from one seed. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** `seed` counts modulo 2^32; equal seeds give equal bytes. */
  constructor(seed: number) {
    this.#a = 0;
    this.#b = seed | 0;
    this.#c = 0x9e3779b9 | 0;
    // The first outputs still resemble the seed.
    for (let round = 0; round < 12; round += 1) this.nextUint32();
  }

  /** A whole number from 0 to 2^32 - 1. */
  nextUint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** A whole number from 0 to `limit` - 1; `limit` at most 2^32. */
  below(limit: number): number {
    return Math.floor((this.nextUint32() / 2 ** 32) * limit);
  }

  fill(bytes: Uint8Array): Uint8Array {
    let word = 0;
    for (let i = 0; i < bytes.byteLength; i += 1) {
      if ((i & 3) === 0) word = this.nextUint32();
      bytes[i] = word >>> ((i & 3) * 8);
    }
    return bytes;
  }
}
