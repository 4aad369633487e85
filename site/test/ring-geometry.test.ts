/** The ring as geometry: arcs cover the turn, and keys keep their places. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arcsOf, hexHashKey, KeyPlaces, pointAt, shortHashKey } from "../src/live/ring-geometry.ts";

const HASH_KEYS = 1n << 128n;

function evenShards(count: number): Parameters<typeof arcsOf>[0] {
  return Array.from({ length: count }, (_, i) => ({
    shardIndex: i,
    startingHashKey: String((HASH_KEYS * BigInt(i)) / BigInt(count)),
    endingHashKey: String((HASH_KEYS * BigInt(i + 1)) / BigInt(count) - 1n),
  }));
}

describe("arcs of the ring", () => {
  it("cover the whole turn without a gap, for any number of shards", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), (count) => {
        const arcs = arcsOf(evenShards(count).toReversed());
        expect(arcs[0]?.start).toBe(0);
        expect(arcs.at(-1)?.end).toBe(1);
        for (const [i, arc] of arcs.entries()) {
          expect(arc.shardIndex).toBe(i);
          expect(arc.start).toBe(i === 0 ? 0 : arcs[i - 1]?.end);
        }
      }),
    );
  });

  it("begin at the top and go clockwise", () => {
    expect(pointAt(0, 10, 50)).toEqual({ x: 50, y: 40 });
    expect(pointAt(0.25, 10, 50).x).toBeCloseTo(60);
    expect(pointAt(0.5, 10, 50).y).toBeCloseTo(60);
  });

  it("write hash keys with all of their leading zeros", () => {
    expect(hexHashKey("0")).toBe(`0x${"0".repeat(32)}`);
    expect(hexHashKey(String(HASH_KEYS - 1n))).toBe(`0x${"f".repeat(32)}`);
    expect(shortHashKey(String(HASH_KEYS / 4n))).toBe("0x40000000…");
  });
});

describe("places of keys", () => {
  it("lie inside the arc and stay the same", () => {
    const [, arc] = arcsOf(evenShards(4));
    if (arc === undefined) throw new Error("there is no second arc");
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 200 }), (keys) => {
        const places = new KeyPlaces();
        const first = keys.map((key) => places.shareOf(key, arc));
        expect(first.every((share) => share > arc.start && share < arc.end)).toBe(true);
        expect(keys.map((key) => places.shareOf(key, arc))).toEqual(first);
      }),
    );
  });

  it("are apart for different keys", () => {
    const [arc] = arcsOf(evenShards(1));
    if (arc === undefined) throw new Error("there is no arc");
    const places = new KeyPlaces();
    const shares = Array.from({ length: 1000 }, (_, i) => places.shareOf(`key-${i}`, arc));
    expect(new Set(shares).size).toBe(1000);
  });
});
