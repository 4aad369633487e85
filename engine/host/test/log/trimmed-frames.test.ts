/** Frames whose deletion ended without a verdict: those that are gone were to go, and are no damage. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";

it.each(["unknown-written", "unknown-not-written", "abort"] as const)(
  "a scrub finds nothing wrong after a trimming that ended as %s",
  async (kind) => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    await log.put(someRecords(20));
    platform.stores.faults.add({ kind, nth: 1, operations: ["deleteFrames"] });
    await expect(log.log.checkpoint()).rejects.toThrow("deleteFrames");
    expect((await log.log.scrub()).damage).toEqual([]);
    await log.log.close();
  },
);
