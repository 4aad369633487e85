import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesWildcard } from "../../src/access/wildcards.ts";

describe("wildcards", () => {
  it("agree with the regular expressions they stand for", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", ".", ":"), maxLength: 12 });
    const pattern = fc.string({
      unit: fc.constantFrom("a", "b", ".", "*", "?"),
      maxLength: 8,
    });
    const matched = { yes: 0, no: 0 };
    const property = fc.property(pattern, text, (wanted, found) => {
      const source = [...wanted]
        .map((one) => (one === "*" ? ".*" : one === "?" ? "." : one.replace(".", "\\.")))
        .join("");
      const expected = new RegExp(`^${source}$`).test(found);
      expect(matchesWildcard(wanted, found)).toBe(expected);
      matched[expected ? "yes" : "no"]++;
    });
    fc.assert(property, { numRuns: 3000, seed: 1 });
    expect(Math.min(matched.yes, matched.no)).toBeGreaterThan(100);
  });

  it("do not take for ever where nothing matches", () => {
    expect(matchesWildcard(`${"*a".repeat(500)}b`, "a".repeat(5000))).toBe(false);
  });
});
