import { describe, expect, it } from "vitest";
import { ReadTank } from "../../src/streams/read-tank.ts";

const SECOND_BYTES = 2_097_152;

describe("the read tank of a consumer in a shard", () => {
  it("gives what it holds, and lends for one read", () => {
    const tank = new ReadTank(0);
    tank.take(SECOND_BYTES - 1, 0);
    expect(tank.waitMs(0)).toBe(0);
    tank.take(SECOND_BYTES / 2 + 1, 0);
    expect(tank.waitMs(0)).toBe(500);
    expect(tank.waitMs(499)).toBe(1);
    expect(tank.waitMs(500)).toBe(0);
  });

  it("pauses as long as a read of the whole tank was", () => {
    const tank = new ReadTank(0);
    tank.take(5 * SECOND_BYTES, 0);
    expect(tank.waitMs(0)).toBe(5000);
    tank.take(SECOND_BYTES, 5000);
    expect(tank.waitMs(5000)).toBe(1000);
  });

  it("fills up to one second's worth and no further", () => {
    const tank = new ReadTank(0);
    tank.take(SECOND_BYTES / 2, 60_000);
    expect(tank.waitMs(60_000)).toBe(0);
    tank.take(SECOND_BYTES - 1, 60_000);
    expect(tank.waitMs(60_000)).toBe(500);
  });

  it("gives 2 MiB per second over a minute of reads as they are admitted", () => {
    for (const readBytes of [1000, 70_000, SECOND_BYTES / 3, SECOND_BYTES, 3 * SECOND_BYTES]) {
      const tank = new ReadTank(0);
      let nowMs = 0;
      let taken = 0;
      while (nowMs < 60_000) {
        const waitMs = tank.waitMs(nowMs);
        if (waitMs > 0) {
          nowMs += waitMs;
          continue;
        }
        tank.take(readBytes, nowMs);
        taken += readBytes;
      }
      expect(taken / SECOND_BYTES).toBeGreaterThanOrEqual(60);
      expect(taken / SECOND_BYTES).toBeLessThanOrEqual(62 + readBytes / SECOND_BYTES);
    }
  });

  it("takes a clock that stands or goes back for one that stands", () => {
    const tank = new ReadTank(1000);
    tank.take(1.5 * SECOND_BYTES, 1000);
    expect(tank.waitMs(900)).toBe(1500);
    expect(tank.waitMs(900)).toBe(1500);
  });
});
