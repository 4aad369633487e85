/** Hash key ranges: how the ring of 128-bit hash keys is divided among shards. */

/** Number of hash keys: 2^128. */
export const RING = 1n << 128n;

/** A range of hash keys, both ends inclusive, as 32 hexadecimal digits each. */
export interface HashKeyRange {
  readonly startingHashKey: string;
  readonly endingHashKey: string;
}

/** A hash key as 32 hexadecimal digits, so that text and number have the same order. */
export function hexHashKey(hashKey: bigint): string {
  return hashKey.toString(16).padStart(32, "0");
}

/** The number that 32 hexadecimal digits stand for. */
export function hashKeyOf(hexadecimal: string): bigint {
  return BigInt(`0x${hexadecimal}`);
}

/** A hash key of 32 hexadecimal digits as AWS writes it: decimal. */
export function decimalHashKey(hexadecimal: string): string {
  return hashKeyOf(hexadecimal).toString();
}

/**
 * Where ranges of equal size begin, but for the first one, which begins at 0; the last one takes what
 * the division leaves over, as AWS's CreateStream does.
 */
export function uniformStarts(count: number): bigint[] {
  const step = RING / BigInt(count);
  return Array.from({ length: count - 1 }, (_, i) => BigInt(i + 1) * step);
}

/** Ranges of equal size that cover the ring exactly once. */
export function uniformRanges(count: number): HashKeyRange[] {
  const starts = [0n, ...uniformStarts(count), RING];
  return starts.slice(0, -1).map((start, i) => ({
    startingHashKey: hexHashKey(start),
    endingHashKey: hexHashKey((starts[i + 1] ?? RING) - 1n),
  }));
}

/** The two ranges that a range falls into when the second one is to begin at a hash key. */
export function splitRange(range: HashKeyRange, at: bigint): [HashKeyRange, HashKeyRange] {
  return [
    { startingHashKey: range.startingHashKey, endingHashKey: hexHashKey(at - 1n) },
    { startingHashKey: hexHashKey(at), endingHashKey: range.endingHashKey },
  ];
}

/** Whether AWS lets a range be split there: beyond the second hash key and before the last one. */
export function splitsAt(range: HashKeyRange, at: bigint): boolean {
  return at > hashKeyOf(range.startingHashKey) + 1n && at < hashKeyOf(range.endingHashKey);
}

/** First hash key of the upper half of a range. */
export function middleOf(range: HashKeyRange): bigint {
  return (hashKeyOf(range.startingHashKey) + hashKeyOf(range.endingHashKey) + 1n) / 2n;
}
