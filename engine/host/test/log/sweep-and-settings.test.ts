/** Sweeps and the making of room beside changes of a stream: what a stream was told to keep, and still had by then, is kept. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";
import { microtasks } from "../support/turns.ts";

const HOUR_MS = 3_600_000;
const MIB = 1_048_576;
/** More microtasks than the sweep of three shards takes. */
const MICROTASKS_MAX = 60;

it("a longer retention that is durable keeps what the sweep has not come to", async () => {
  for (let between = 0; between <= MICROTASKS_MAX; between += 1) {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 3);
    await log.put(someRecords(30, 100));
    await log.log.checkpoint();
    platform.clock.advanceBy(25 * HOUR_MS);
    const sweep = log.log.sweep();
    await microtasks(between);
    const { uid } = log.stream();
    await log.log.change([
      { kind: "stream-updated", streamUid: uid, settings: { retentionHours: 48 } },
    ]);
    const kept = (await log.readAll()).records.length;
    await sweep;
    expect((await log.readAll()).records.length, `${between} microtasks`).toBe(kept);
    await log.log.close();
  }
});

it("a stream that was told to refuse what is new loses nothing old any more", async () => {
  const batches = Array.from({ length: 21 }, (_, i) => someRecords(1, 250_000, i));
  const [last = []] = batches.splice(-1);
  for (let between = 56; between <= 74; between += 3) {
    const sizes = { arenaBytesMax: 8 * MIB, storageBudgetBytes: 6 * MIB };
    const log = await TestLog.open(virtualPlatform(), sizes);
    const { uid } = await log.createStream("clicks", 1, { whenFull: "drop-oldest" });
    for (const batch of batches.slice(0, -1)) await log.put(batch);
    // There is no room for this one.
    const put = log.put(last).catch(() => undefined);
    await microtasks(between);
    const settings = { whenFull: "refuse-new" } as const;
    await log.log.change([{ kind: "stream-updated", streamUid: uid, settings }]);
    const oldest = await log.log.trimHorizon(log.shard(0));
    await put;
    await log.log.sweep();
    expect(await log.log.trimHorizon(log.shard(0)), `${between} microtasks`).toBe(oldest);
    await log.log.close();
  }
});
