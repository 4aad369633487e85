/** Puts that wait for memory: whatever the sealer is about to do, one that waits is taken up at once. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";
import { microtasks, turns } from "../support/turns.ts";

const MIB = 1_048_576;
/** More microtasks than storing a frame and one segment take. */
const MICROTASKS_MAX = 34;
const OPEN_SEGMENTS = 8;
const SMALL = someRecords(1, 50_000);
const SEALED = someRecords(3, 50_000);
/** Together with the open segments more than may wait to be sealed, which is half of the arena. */
const LARGE = someRecords(4, 400_000);

it("a put that finds memory full waits for no clock while the sealer comes to its end", async () => {
  for (let between = 0; between <= MICROTASKS_MAX; between += 1) {
    const log = await TestLog.open(virtualPlatform(), { arenaBytesMax: 4 * MIB });
    for (let i = 0; i < OPEN_SEGMENTS; i += 1) {
      await log.createStream(`open-${i}`);
      await log.put(SMALL, `open-${i}`);
    }
    await log.createStream("sealed");
    await log.createStream("large");
    const fate = { settled: false, closed: false };
    const before = log.put(SEALED, "sealed");
    await microtasks(between);
    const put = log.put(LARGE, "large").then(() => {
      fate.settled = true;
    });
    await turns(4);
    expect(fate.settled, `${between} microtasks`).toBe(true);
    void log.log.close().then(() => {
      fate.closed = true;
    });
    await turns(2);
    expect(fate.closed, `${between} microtasks`).toBe(true);
    await Promise.all([before, put]);
  }
});
