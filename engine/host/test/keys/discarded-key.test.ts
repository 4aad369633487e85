/** Data keys that are made at once: what is encrypted with the one that stays, and with later ones, can be read later. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { numbers, range, start } from "../support/encrypted-engines.ts";
import { someRecords, TestEngine } from "../support/engines.ts";
import { microtasks } from "../support/turns.ts";

/** More microtasks than the making of a data key takes. */
const MICROTASKS_MAX = 40;

it("are not taken for a key of the same number that was discarded", async () => {
  const lost: number[] = [];
  for (let between = 0; between <= MICROTASKS_MAX; between += 1) {
    const platform = virtualPlatform();
    const options = { memoryBudgetBytes: 16 * 1024 * 1024 };
    const engine = await TestEngine.open(platform, options);
    const stream = await engine.createStream("clicks");
    const { keyId } = await engine.service.call("keysCreate", {
      alias: "alias/shop",
      policy: null,
    });
    // Both make a data key; one of them is of no use then, and is discarded.
    const first = start(engine);
    await microtasks(between);
    await Promise.all([first, start(engine)]);
    await engine.put(stream, someRecords(5));
    // The next data key.
    await engine.service.call("keysRotate", { keyId });
    await engine.put(stream, someRecords(5, 100, 5));
    await engine.service.close();
    const later = await TestEngine.open(platform, options);
    const read = await numbers(later, stream).catch(() => []);
    if (read.length !== 10) lost.push(between);
    else expect(read).toEqual(range(0, 10));
    await later.service.close();
  }
  expect(lost).toEqual([]);
});
