/** Settings in the address of the page. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RATES_PER_SECOND, SETTINGS_DEFAULT, searchOf, settingsOf } from "../src/live/settings.ts";

describe("settings in the address", () => {
  it("come back as they were written", () => {
    const settings = fc.record({
      ratePerSecond: fc.constantFrom(...RATES_PER_SECOND),
      hotPercent: fc.integer({ min: 0, max: 100 }),
      shardIndex: fc.option(fc.integer({ min: 0, max: 499 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(settings, (written) => {
        expect(settingsOf(searchOf(written))).toEqual(written);
      }),
    );
  });

  it("are those of a first visit where the address says nothing, and write nothing then", () => {
    expect(settingsOf("")).toEqual(SETTINGS_DEFAULT);
    expect(searchOf(SETTINGS_DEFAULT)).toBe("");
  });

  it.each(["?rate=7", "?rate=-5", "?rate=1e9", "?hot=101", "?hot=x", "?shard=500", "?shard="])(
    "are those of a first visit where %s is out of range",
    (search) => {
      expect(settingsOf(search)).toEqual(SETTINGS_DEFAULT);
    },
  );
});
