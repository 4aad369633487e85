/** Counts per status code and second. */
import { describe, expect, it } from "vitest";
import { HISTORY_SECONDS, StatusHistory } from "../src/live/status-history.ts";

const NOW = 1_000_000;

describe("status history", () => {
  it("shows seconds without records as zero when they were watched, and else as a gap", () => {
    const history = new StatusHistory();
    history.add(200, (NOW - 3) * 1000 + 999);
    history.observe(NOW - 2);
    const { seconds, counts } = history.columns(NOW);
    expect(seconds.slice(-3)).toEqual([NOW - 3, NOW - 2, NOW - 1]);
    expect(counts.get(200)?.slice(-4)).toEqual([null, 1, 0, null]);
  });

  it("forgets seconds that have left the window, and keeps the totals", () => {
    const history = new StatusHistory();
    for (let second = 0; second < 3 * HISTORY_SECONDS; second += 1) history.add(404, second * 1000);
    const { counts } = history.columns(3 * HISTORY_SECONDS);
    expect(counts.get(404)).toEqual(Array(HISTORY_SECONDS).fill(1));
    expect(history.columns(HISTORY_SECONDS).counts.get(404)).toEqual(
      Array(HISTORY_SECONDS).fill(null),
    );
    expect(history.total).toBe(3 * HISTORY_SECONDS);
  });

  it("takes rates over five whole seconds, without the one that is running", () => {
    const history = new StatusHistory();
    for (let i = 0; i < 10; i += 1) history.add(200, (NOW - 1) * 1000);
    for (let i = 0; i < 90; i += 1) history.add(200, NOW * 1000);
    expect(history.totals(NOW)).toEqual([{ status: 200, count: 100, ratePerSecond: 2 }]);
  });
});
