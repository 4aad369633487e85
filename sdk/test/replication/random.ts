/** Chance that comes again: the same numbers for the same seed. */

/** See above. */
export interface Random {
  /** An integer from 0 to one below the limit. */
  below(limit: number): number;
  /** From 0 to 1, without 1. */
  fraction(): number;
  /** 0 to 2^128 - 1; now and then a border of uniform shards. */
  hashKey(): bigint;
}

/** Mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(fraction() * limit);
  return {
    below,
    fraction,
    hashKey: () => {
      if (below(3) === 0) return BigInt(below(16)) << 124n;
      let key = 0n;
      for (let word = 0; word < 4; word++) key = (key << 32n) | BigInt(below(4_294_967_296));
      return key;
    },
  };
}
