/** Rates over the last few seconds. */
import { describe, expect, it } from "vitest";
import { RateWindow } from "../src/live/rate-window.ts";

describe("a rate window", () => {
  it("is shorter while it is young, and forgets what is old", () => {
    const rate = new RateWindow(1000);
    expect(rate.perSecond(1000)).toBe(0);
    rate.add(10, 1500);
    expect(rate.perSecond(2000)).toBe(10);
    rate.add(30, 4000);
    expect(rate.perSecond(5000)).toBe(10);
    expect(rate.perSecond(5500)).toBe(7.5);
    expect(rate.perSecond(60_000)).toBe(0);
  });

  it.each([50, 250, 500, 1500])("says a steady rate as it is, added every %d ms", (stepMs) => {
    const rate = new RateWindow(0);
    for (let atMs = stepMs; atMs <= 30_000; atMs += stepMs) rate.add(stepMs / 2, atMs);
    expect(rate.perSecond(30_000)).toBe(500);
  });
});
