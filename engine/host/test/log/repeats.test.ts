/** Batches that are sent again: the answer names the shards that took the records then. */
import { describe, expect, it } from "vitest";
import { IndeterminateError } from "../../src/errors/index.ts";
import type { StreamSettings } from "../../src/log/control-records.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { readBatchHeader } from "../../src/service/put-service.ts";
import { repeatResult } from "../../src/service/repeat-result.ts";
import { readResult, type TestRecord, type TestResultRow } from "../support/batches.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";

function repeat(log: TestLog, batch: Uint8Array): TestResultRow[] {
  const result = log.log.producers.find(readBatchHeader(batch));
  if (result === undefined) throw new Error("the batch is not known");
  return readResult(repeatResult(log.log, log.stream(), batch, result));
}

async function putAndReshard(
  platform: VirtualPlatform,
  records: readonly TestRecord[],
  settings: Partial<StreamSettings> = {},
): Promise<{ log: TestLog; rows: TestResultRow[]; batch: Uint8Array }> {
  const log = await TestLog.open(platform);
  await log.createStream("clicks", 3, settings);
  await log.put(someRecords(7, 10, 900));
  const rows = await log.put(records);
  const batch = log.lastBatch;
  await log.split(0);
  await log.merge(1);
  await log.put(someRecords(20, 10, 1000));
  return { log, rows, batch };
}

describe("a batch that is sent again after a reshard", () => {
  const explicit = someRecords(9, 10, 60).map((record, i) => ({
    ...record,
    explicitHashKey: (1n << 125n) * BigInt(i % 8),
  }));

  it("is answered with the shards of the first time, by keys and by explicit hash keys", async () => {
    for (const records of [someRecords(50), explicit, someRecords(1)]) {
      const platform = virtualPlatform();
      const { log, rows, batch } = await putAndReshard(platform, records);
      expect(rows.every(({ shardIndex }) => shardIndex < 3)).toBe(true);
      expect(repeat(log, batch)).toEqual(rows);
      const again = await TestLog.open(platform.restart());
      expect(repeat(again, batch)).toEqual(rows);
      await again.log.checkpoint();
      await again.log.close();
      const third = await TestLog.open(platform.restart());
      expect(repeat(third, batch)).toEqual(rows);
      await third.log.close();
    }
  });

  it("is answered alike where records are spread whatever their keys", async () => {
    for (const count of [1, 2, 3, 4, 50]) {
      const platform = virtualPlatform();
      const spread = { distribution: "AUTO" } as const;
      const { log, rows, batch } = await putAndReshard(platform, someRecords(count), spread);
      const shards = new Set(rows.map(({ shardIndex }) => shardIndex));
      expect(shards.size).toBe(Math.min(count, 3));
      expect(repeat(log, batch)).toEqual(rows);
      const again = await TestLog.open(platform.restart());
      expect(repeat(again, batch)).toEqual(rows);
      await again.log.close();
    }
  });

  it("is told as indeterminate when a shard of then has expired", async () => {
    const platform = virtualPlatform();
    const { log, batch } = await putAndReshard(platform, someRecords(50));
    await log.log.change([{ kind: "shards-expired", shardUids: [log.shard(0).uid] }]);
    expect(() => repeat(log, batch)).toThrow(IndeterminateError);
    await log.log.close();
  });
});

describe("the write quotas of a log", () => {
  const writeCapacity = { recordsPerSecond: 30, bytesPerSecond: 4_000_000 };

  async function accepted(log: TestLog, count: number): Promise<number> {
    const rows = await log.put(someRecords(count, 10));
    return rows.filter(({ status }) => status === 0).length;
  }

  it("are those of the stream where it has a capacity, in every life and through reshards", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform, { writeQuotas: true });
    await log.createStream("clicks", 2, { writeCapacity });
    expect(await accepted(log, 100)).toBe(30);
    await log.split(0);
    expect(await accepted(log, 100)).toBe(0);
    await platform.clock.advance(1000);
    expect(await accepted(log, 100)).toBe(30);
    const again = await TestLog.open(platform.restart(), { writeQuotas: true });
    expect(await accepted(again, 100)).toBe(30);
    const settings = { writeCapacity: null };
    await again.log.change([{ kind: "stream-updated", streamUid: again.stream().uid, settings }]);
    expect(await accepted(again, 1500)).toBe(1500);
    expect(await accepted(again, 3000)).toBeLessThan(3000);
    await again.log.close();
  });

  it("are not enforced where the engine has none", async () => {
    const log = await TestLog.open(virtualPlatform());
    await log.createStream("clicks", 2, { writeCapacity });
    expect(await accepted(log, 5000)).toBe(5000);
    await log.log.close();
  });
});
