/** A map over another one: it does what a copy would do, and the one below stays as it was. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LayeredMap } from "../../src/log/layered-map.ts";

const change = fc.tuple(fc.nat(6), fc.option(fc.nat(100)));

function apply(
  map: Pick<Map<number, number>, "set" | "delete">,
  changes: [number, number | null][],
) {
  for (const [key, value] of changes) {
    if (value === null) map.delete(key);
    else map.set(key, value);
  }
}

function contentOf(map: LayeredMap<number, number>): [number, number][] {
  return [...map.entries()].sort(([a], [b]) => a - b);
}

describe("a map over another one", () => {
  it("does what a copy does, and merges into the one below", () => {
    fc.assert(
      fc.property(fc.array(change), fc.array(change), fc.array(change), (first, second, third) => {
        const below = LayeredMap.of<number, number>();
        apply(below as never, first);
        const content = contentOf(below);
        const middle = below.above();
        const top = middle.above();
        apply(top as never, second);
        const model = new Map(content);
        apply(model, second);
        const expected = [...model].sort(([a], [b]) => a - b);
        expect(contentOf(top)).toEqual(expected);
        expect([...top.values()].sort()).toEqual([...model.values()].sort());
        expect(top.size).toBe(model.size);
        for (let key = 0; key <= 7; key++) {
          expect(top.get(key)).toBe(model.get(key));
          expect(top.has(key)).toBe(model.has(key));
        }
        expect(contentOf(below)).toEqual(content);
        expect(contentOf(middle)).toEqual(content);
        top.merge();
        expect(contentOf(middle)).toEqual(expected);
        expect(middle.size).toBe(model.size);
        const again = middle.above();
        apply(again as never, third);
        apply(model, third);
        again.merge();
        expect(contentOf(middle)).toEqual([...model].sort(([a], [b]) => a - b));
        expect(middle.size).toBe(model.size);
        expect(contentOf(below)).toEqual(content);
      }),
      { numRuns: 500 },
    );
  });
});
