import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decimalHashKey, uniformRanges } from "../../src/streams/hash-ranges.ts";

describe("uniform hash key ranges", () => {
  it("are those that AWS gives three shards", () => {
    expect(
      uniformRanges(3).map((range) =>
        [range.startingHashKey, range.endingHashKey].map(decimalHashKey),
      ),
    ).toEqual([
      ["0", "113427455640312821154458202477256070484"],
      ["113427455640312821154458202477256070485", "226854911280625642308916404954512140969"],
      ["226854911280625642308916404954512140970", "340282366920938463463374607431768211455"],
    ]);
  });

  it("cover the ring exactly once, whatever their number", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), (count) => {
        const ranges = uniformRanges(count).map(({ startingHashKey, endingHashKey }) => ({
          start: BigInt(`0x${startingHashKey}`),
          end: BigInt(`0x${endingHashKey}`),
        }));
        let next = 0n;
        for (const { start, end } of ranges) {
          expect(start).toBe(next);
          expect(end >= start).toBe(true);
          next = end + 1n;
        }
        expect(next).toBe(1n << 128n);
      }),
    );
  });
});
