/** Places in hash key ranges. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arcsOf, pointAt } from "../src/live/ring-geometry.ts";
import {
  bordersOf,
  canSplit,
  PLACES,
  placeInArc,
  shareOfPoint,
  splitKeyAt,
} from "../src/streams/hash-keys.ts";

const HASH_KEYS = 1n << 128n;

const range = fc
  .tuple(fc.bigInt({ min: 0n, max: HASH_KEYS - 5n }), fc.bigInt({ min: 3n, max: HASH_KEYS }))
  .map(([start, width]) => ({
    shardIndex: 0,
    startingHashKey: start.toString(),
    endingHashKey: (start + width >= HASH_KEYS ? HASH_KEYS - 1n : start + width).toString(),
  }));

describe("the place of a split", () => {
  it("is always one that SplitShard accepts", () => {
    fc.assert(
      fc.property(range, fc.integer({ min: 0, max: PLACES }), (shard, place) => {
        expect(canSplit(shard)).toBe(true);
        const key = BigInt(splitKeyAt(shard, place));
        expect(key > BigInt(shard.startingHashKey) + 1n).toBe(true);
        expect(key < BigInt(shard.endingHashKey)).toBe(true);
      }),
    );
  });

  it("is the middle of the ring at half of it", () => {
    const all = { startingHashKey: "0", endingHashKey: (HASH_KEYS - 1n).toString() };
    expect(splitKeyAt(all, PLACES / 2)).toBe((HASH_KEYS / 2n).toString());
  });

  it("is refused where a child would own nothing", () => {
    expect(canSplit({ startingHashKey: "10", endingHashKey: "12" })).toBe(false);
  });

  it("is where the pointer is", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), (share) => {
        const { x, y } = pointAt(share, 100, 0);
        expect(shareOfPoint(x, y)).toBeCloseTo(share, 9);
        const arc = { start: 0, end: 1 };
        expect(placeInArc(shareOfPoint(x, y), arc)).toBe(Math.round(share * PLACES));
      }),
    );
    expect(placeInArc(0.9, { start: 0, end: 0.5 })).toBe(999);
  });
});

describe("borders", () => {
  const shards = [2, 0, 1].map((shardIndex) => ({
    shardIndex,
    startingHashKey: String(shardIndex * 10),
    endingHashKey: String(shardIndex * 10 + 9),
  }));

  it("are between neighbours, never over the ends of the ring", () => {
    const pairs = bordersOf(shards).map(({ lower, upper }) => [lower.shardIndex, upper.shardIndex]);
    expect(pairs).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(arcsOf(shards)).toHaveLength(3);
  });

  it("are none where hash keys are missing between two shards", () => {
    expect(bordersOf(shards.filter(({ shardIndex }) => shardIndex !== 1))).toEqual([]);
  });
});
