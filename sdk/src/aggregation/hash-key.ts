/** Hash keys of 128 bits: where a record stands on a stream's ring, and the ranges that shards have of it. */
import { md5Words } from "./md5.ts";

/** A hash key: four words of 32 bits, the most significant one first. */
export type HashKey = readonly [number, number, number, number];

/** A part of the ring, both ends inclusive. */
export interface HashKeyRange {
  readonly start: HashKey;
  readonly end: HashKey;
}

const KEY_BYTES_EXPECTED = 1024;
const RING = 1n << 128n;
const ENCODER = new TextEncoder();
const keyBytes = new Uint8Array(KEY_BYTES_EXPECTED);

/** The hash key that a decimal text from 0 to 2^128 - 1 stands for; undefined when it stands for none. */
export function parseHashKey(decimal: string): HashKey | undefined {
  if (!/^\d{1,39}$/.test(decimal)) return undefined;
  const value = BigInt(decimal);
  return value < RING ? hashKeyFrom(value) : undefined;
}

/** The hash key of a number from 0 to 2^128 - 1. */
export function hashKeyFrom(value: bigint): HashKey {
  const word = (shift: bigint): number => Number((value >> shift) & 0xffff_ffffn);
  return [word(96n), word(64n), word(32n), word(0n)];
}

/** A hash key as AWS writes it: decimal. */
export function formatHashKey(hashKey: HashKey): string {
  let value = 0n;
  for (const word of hashKey) value = (value << 32n) | BigInt(word);
  return value.toString();
}

/** The hash key of a partition key: its MD5 as a number, the first byte being the most significant one. */
export function hashKeyOf(partitionKey: string): HashKey {
  // A key of 256 characters has at most 1,024 bytes; foreign aggregates may hold longer ones.
  const { read, written } = ENCODER.encodeInto(partitionKey, keyBytes);
  const fits = read === partitionKey.length;
  return md5Words(fits ? keyBytes.subarray(0, written) : ENCODER.encode(partitionKey));
}

/** Below 0, 0 or above 0, as the left one is before, at or after the right one. */
export function compareHashKeys(left: HashKey, right: HashKey): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2] || left[3] - right[3];
}

/** Whether a hash key lies in a range. */
export function rangeHolds({ start, end }: HashKeyRange, hashKey: HashKey): boolean {
  return compareHashKeys(start, hashKey) <= 0 && compareHashKeys(hashKey, end) <= 0;
}
