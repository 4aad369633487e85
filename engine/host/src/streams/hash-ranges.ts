/** Hash key ranges: how the ring of 128-bit hash keys is divided among the shards of a new stream. */

/** Number of hash keys: 2^128. */
const RING = 1n << 128n;

/** A range of hash keys, both ends inclusive, as 32 hexadecimal digits each. */
export interface HashKeyRange {
  readonly startingHashKey: string;
  readonly endingHashKey: string;
}

function hex(hashKey: bigint): string {
  return hashKey.toString(16).padStart(32, "0");
}

/**
 * Ranges of equal size that cover the ring exactly once; the last one takes what the division leaves
 * over, as AWS's CreateStream does.
 */
export function uniformRanges(count: number): HashKeyRange[] {
  const step = RING / BigInt(count);
  return Array.from({ length: count }, (_, i) => ({
    startingHashKey: hex(BigInt(i) * step),
    endingHashKey: hex(i === count - 1 ? RING - 1n : BigInt(i + 1) * step - 1n),
  }));
}

/** A hash key of 32 hexadecimal digits as AWS writes it: decimal. */
export function decimalHashKey(hexadecimal: string): string {
  return BigInt(`0x${hexadecimal}`).toString();
}
