/** Retention: what is expired is unreadable at once, goes by whole segments, and takes empty closed shards along. */
import { PART_AT_END, PART_SHARD_CLOSED, PART_TRIMMED } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestLog } from "../support/logs.ts";
import { numberOf, someRecords } from "../support/records.ts";

const HOUR_MS = 3_600_000;

async function retain(log: TestLog, retentionHours: number): Promise<void> {
  const streamUid = log.stream().uid;
  await log.log.change([{ kind: "stream-updated", streamUid, settings: { retentionHours } }]);
}

/** Writes ten records in each of `hours` hours; the log is open only while it writes. */
async function writeHours(platform: VirtualPlatform, hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour++) {
    const log = await TestLog.open(platform.restart());
    if (hour === 0) await log.createStream("clicks", 1, { retentionHours: 168 });
    await log.put(someRecords(10, 100, hour * 10));
    await log.log.close();
    platform.clock.advanceBy(HOUR_MS);
  }
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

describe("a retention period that is lowered", () => {
  it("makes older records unreadable at once, and a raised one brings what is left back", async () => {
    const platform = virtualPlatform();
    await writeHours(platform, 48);
    const log = await TestLog.open(platform.restart());
    // All of it is sealed into one segment, which outlives its older half.
    await log.log.checkpoint();
    expect((await log.readAll()).records.map(numberOf)).toEqual(range(0, 480));
    await retain(log, 24);
    expect((await log.readAll()).records.map(numberOf)).toEqual(range(240, 480));
    await retain(log, 168);
    expect((await log.readAll()).records.map(numberOf)).toEqual(range(0, 480));
    await log.log.close();
  });

  it("tells a reader that stood in what expired, but not one at the trim horizon", async () => {
    const platform = virtualPlatform();
    await writeHours(platform, 30);
    const log = await TestLog.open(platform.restart());
    const shard = log.shard(0);
    const all = (await log.readAll()).records;
    const indexOf = (number: number): number => all[number]?.index ?? -1;
    await retain(log, 24);
    const limits = { recordsMax: 5, bytesMax: 1000 };
    const behind = await log.read(shard, indexOf(7), limits);
    expect(behind.flags & PART_TRIMMED).toBe(PART_TRIMMED);
    expect(behind.records[0]?.index).toBe(indexOf(60));
    const horizon = await log.read(shard, 0, limits);
    expect(horizon.flags & PART_TRIMMED).toBe(0);
    expect(horizon.records[0]?.index).toBe(indexOf(60));
    expect(await log.log.trimHorizon(shard)).toBe(indexOf(60));
    const inside = await log.read(shard, indexOf(150), limits);
    expect(inside.flags & PART_TRIMMED).toBe(0);
    expect(inside.records[0]?.index).toBe(indexOf(150));
    expect(await log.log.indexAtTime(shard, 0)).toBe(indexOf(60));
    await log.log.close();
  });

  it("holds for records that no segment holds yet, and for all of a shard", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.put(someRecords(10));
    await platform.clock.advance(1000);
    // Nothing seals while the timers do not get their turn.
    platform.clock.advanceBy(23 * HOUR_MS);
    await log.put(someRecords(10, 100, 10));
    expect((await log.readAll()).records.map(numberOf)).toEqual(range(0, 20));
    platform.clock.advanceBy(HOUR_MS);
    expect((await log.readAll()).records.map(numberOf)).toEqual(range(10, 20));
    platform.clock.advanceBy(24 * HOUR_MS);
    const part = await log.read(log.shard(0), 0);
    expect([part.records.length, part.flags]).toEqual([0, PART_AT_END]);
    expect(await log.log.trimHorizon(log.shard(0))).toBe(part.nextIndex);
    await log.log.close();
  });

  it("expires nothing while the wall clock is not to be trusted", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.put(someRecords(10));
    platform.clock.jumpWall(30 * HOUR_MS);
    expect((await log.readAll()).records).toHaveLength(10);
    await log.log.sweep();
    expect(log.log.status().retentionPausedBecause).toContain("wall clock");
    await log.log.close();
  });
});

describe("the sweep", () => {
  it("drops segments by the period that the stream has now", async () => {
    const platform = virtualPlatform();
    await writeHours(platform, 40);
    const log = await TestLog.open(platform.restart());
    await log.log.checkpoint();
    const before = log.log.status().segments;
    await log.log.sweep();
    expect(log.log.status().segments).toBe(before);
    platform.clock.advanceBy(HOUR_MS);
    await retain(log, 24);
    platform.clock.advanceBy(20 * HOUR_MS);
    await log.log.sweep();
    expect((await log.readAll()).records.map(numberOf)).toEqual(range(370, 400));
    platform.clock.advanceBy(10 * HOUR_MS);
    await log.log.sweep();
    expect(log.log.status().segments).toBe(0);
    expect(log.stream().shards).toHaveLength(1);
    await log.log.close();
  });

  it("forgets closed shards once they hold nothing and closed before the period began", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    await log.put(someRecords(40));
    await log.split(0);
    const { uid } = log.shard(0);
    const parent = log.shard(0);
    await log.put(someRecords(40, 100, 40));
    await log.log.checkpoint();
    platform.clock.advanceBy(24 * HOUR_MS - 1);
    await log.log.sweep();
    const part = await log.read(parent, 0);
    expect(part.flags).toBe(PART_AT_END | PART_SHARD_CLOSED);
    expect(part.records.length).toBeGreaterThan(0);
    platform.clock.advanceBy(2);
    await log.log.sweep();
    expect(log.stream().shards.map(({ shardIndex }) => shardIndex)).toEqual([1, 2, 3]);
    expect(log.log.slots.ofUid(uid)).toBeUndefined();
    await expect(log.read(parent, 0)).rejects.toThrow(
      "Shard shardId-000000000000 in stream clicks",
    );
    // The slot is free again, and the shard index is not.
    await log.split(1);
    expect(log.shard(4).slot).toBe(parent.slot);
    await log.put(someRecords(40, 100, 80));
    const state = log.stream();
    const again = await TestLog.open(platform.restart());
    expect(again.log.losses).toEqual([]);
    expect(again.stream()).toEqual(state);
    await again.log.checkpoint();
    await again.log.close();
    const third = await TestLog.open(platform.restart());
    expect(third.stream()).toMatchObject({ nextShardIndex: state.nextShardIndex });
    expect(third.log.losses).toEqual([]);
    await third.log.close();
  });

  it("keeps a closed shard whose records are in memory alone", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.put(someRecords(10));
    for (let nth = 1; nth <= 6; nth++) {
      platform.stores.faults.add({ kind: "full", nth: 1, operations: ["addSegments"] });
    }
    await log.split(0);
    platform.clock.advanceBy(25 * HOUR_MS);
    await log.log.sweep();
    expect(log.stream().shards.map(({ shardIndex }) => shardIndex)).toEqual([0, 1, 2]);
    await platform.clock.advance(120_000);
    await log.log.sweep();
    expect(log.stream().shards.map(({ shardIndex }) => shardIndex)).toEqual([1, 2]);
    await log.log.close();
  });
});
