/** Takeovers that meet each other, and what a new leader must never give out again. */
import { describe, expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { numberOf, someRecords } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";

describe("a candidate that stands still between its fence and its recovery", () => {
  it("deletes nothing that its successors stored", async () => {
    const platform = virtualPlatform();
    const first = await TestLog.open(platform);
    await first.createStream();
    await first.put(someRecords(10));
    await first.log.checkpoint();
    await first.log.close();

    const { stores } = platform;
    const open = stores.open.bind(stores);
    let goOn: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let reached: () => void = () => undefined;
    const standsStill = new Promise<void>((resolve) => {
      reached = resolve;
    });
    stores.open = async (name) => {
      stores.open = open;
      const store = await open(name);
      const segmentKeys = store.segmentKeys.bind(store);
      let calls = 0;
      store.segmentKeys = async () => {
        calls += 1;
        if (calls === 2) {
          reached();
          await gate;
        }
        return await segmentKeys();
      };
      return store;
    };
    const frozen = TestLog.open(platform.restart());
    frozen.catch(() => undefined);
    await standsStill;

    const successor = await TestLog.open(platform.restart());
    expect(successor.log.status().epoch).toBe(3);
    await successor.put(someRecords(100, 100, 10));
    await successor.log.checkpoint();
    await successor.log.close();
    goOn();
    await frozen.catch(() => undefined);

    const last = await TestLog.open(platform.restart());
    expect(last.log.losses).toEqual([]);
    expect((await last.readAll()).records.map(numberOf)).toHaveLength(110);
    await last.log.close();
  });
});
