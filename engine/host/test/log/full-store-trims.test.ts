/** Segments that are deleted before the frame that says so, because the store is full: expired ones are nobody's loss. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";
import { microtasks } from "../support/turns.ts";

const MIB = 1_048_576;
const HOUR_MS = 3_600_000;
/** More microtasks than a sweep takes whose first frame is refused. */
const MICROTASKS_MAX = 40;

async function withExpiredSegment(): Promise<TestLog> {
  const platform = virtualPlatform();
  const first = await TestLog.open(platform);
  await first.createStream();
  await first.put(someRecords(10));
  await first.log.checkpoint();
  await first.log.close();
  // Nothing of it is in memory.
  const log = await TestLog.open(platform);
  platform.clock.advanceBy(25 * HOUR_MS);
  platform.stores.faults.add({ kind: "full", nth: 1, operations: ["appendFrame"] });
  return log;
}

it("a read and a scrub beside a sweep in a full store report no loss", async () => {
  for (let between = 0; between <= MICROTASKS_MAX; between += 1) {
    const log = await withExpiredSegment();
    const sweep = log.log.sweep();
    await microtasks(between);
    const scrub = log.log.scrub();
    await log.read(log.shard(0), 1);
    await sweep;
    expect((await scrub).damage, `${between} microtasks`).toEqual([]);
    expect(log.log.losses, `${between} microtasks`).toEqual([]);
    await log.log.close();
  }
});

it("segments that went without a frame that says so are told as lost", async () => {
  const platform = virtualPlatform();
  const sizes = { arenaBytesMax: 8 * MIB, storageBudgetBytes: 6 * MIB };
  const first = await TestLog.open(platform, sizes);
  const { uid } = await first.createStream("clicks", 1, { whenFull: "drop-oldest" });
  for (let i = 0; i < 14; i += 1) await first.put(someRecords(1, 250_000, i));
  await first.log.checkpoint();
  await first.log.close();
  const log = await TestLog.open(platform, sizes);
  for (let i = 14; i < 20; i += 1) await log.put(someRecords(1, 250_000, i));
  const shard = log.shard(0);
  const before = log.log.countRecords(shard, await log.log.trimHorizon(shard));
  for (let nth = 1; nth <= 12; nth += 1) {
    platform.stores.faults.add({ kind: "full", nth, operations: ["appendFrame"] });
  }
  await log.put(someRecords(1, 250_000, 21)).catch(() => undefined);
  // Nothing is dropped from it any more.
  const settings = { whenFull: "refuse-new" } as const;
  const keep = () => log.log.change([{ kind: "stream-updated", streamUid: uid, settings }]);
  for (let attempt = 1; attempt <= 12; attempt += 1) await keep().catch(() => undefined);
  const left = (await log.readAll()).records.length;
  expect(left).toBeLessThan(before);
  const lost = log.log.losses.reduce((sum, { recordCount = 0 }) => sum + recordCount, 0);
  expect(lost).toBe(before - left);
  await log.log.close();
});
