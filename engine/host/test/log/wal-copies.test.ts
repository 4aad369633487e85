/** Segments that are damaged while the WAL still holds their records: nothing of them is lost. */
import { PART_HOLE } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";
import { encrypt, numbers, range, shred, storeOf } from "../support/encrypted-logs.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";

/**
 * A log with one segment of 30 records from three frames, which the WAL has again: a power cut brings back
 * what a checkpoint deleted. Returns the frames and the segment's key.
 */
async function twice(
  platform: VirtualPlatform,
  encrypted: boolean,
): Promise<{ readonly frames: number[]; readonly key: SegmentKey }> {
  const log = await TestLog.open(platform);
  await log.createStream();
  if (encrypted) await encrypt(log);
  const store = storeOf(platform);
  const frames: number[] = [];
  for (let i = 0; i < 3; i++) {
    await log.put(someRecords(10, 100, i * 10));
    frames.push(await store.lastFrameNumber());
  }
  const kept = await store.readFrames(frames[0] ?? 0, frames[2] ?? 0);
  await log.log.checkpoint();
  await log.log.close();
  for (const { frameNumber, bytes } of kept) {
    expect(await store.readFrame(frameNumber)).toBeUndefined();
    platform.stores.disk("test").overwriteFrame(frameNumber, bytes);
  }
  const [key] = await store.segmentKeys();
  if (key === undefined) throw new Error("there is no segment");
  return { frames, key };
}

function damageSegment(platform: VirtualPlatform, key: SegmentKey, how: "flip" | "lose"): void {
  const disk = platform.stores.disk("test");
  const bytes = disk.readSegment(key)?.slice() ?? new Uint8Array(0);
  // In the first record's data, and in the last one's.
  for (const at of [200, bytes.byteLength - 20]) bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  disk.overwriteSegment(key, how === "flip" ? bytes : new Uint8Array(3));
}

describe("a damaged segment whose records the WAL still has", () => {
  for (const encrypted of [false, true]) {
    for (const how of ["flip", "lose"] as const) {
      it(`is served whole (${encrypted ? "encrypted" : "plain"}, ${how})`, async () => {
        const platform = virtualPlatform();
        const { key } = await twice(platform, encrypted);
        damageSegment(platform, key, how);
        const log = await TestLog.open(platform.restart());
        expect(await numbers(log)).toEqual(range(0, 30));
        expect(log.log.losses).toMatchObject([{ kind: "segment", recordCount: 0 }]);
        const part = await log.read(log.shard(0), 0);
        expect(part.records).not.toHaveLength(0);
        expect(part.flags & PART_HOLE).toBe(0);
        expect((await log.log.scrub()).damage).toMatchObject([{ kind: "segment" }]);
        await log.log.close();
      });
    }
  }

  it("costs what neither has, and is read with a mark", async () => {
    const platform = virtualPlatform();
    const { frames, key } = await twice(platform, false);
    damageSegment(platform, key, "lose");
    const disk = platform.stores.disk("test");
    const middle = disk.readFrame(frames[1] ?? 0)?.slice() ?? new Uint8Array(0);
    middle.fill(0xee, 200, 210);
    disk.overwriteFrame(frames[1] ?? 0, middle);
    const log = await TestLog.open(platform.restart());
    expect(await numbers(log)).toEqual([...range(0, 10), ...range(20, 30)]);
    expect(log.log.losses.find(({ kind }) => kind === "segment")).toMatchObject({
      recordCount: 10,
    });
    const part = await log.read(log.shard(0), 0);
    expect(part.flags & PART_HOLE).toBe(PART_HOLE);
    await log.log.close();
  });

  it("stays shredded when its key was destroyed", async () => {
    const platform = virtualPlatform();
    const { key } = await twice(platform, true);
    const before = await TestLog.open(platform.restart());
    await shred(before);
    await before.log.close();
    damageSegment(platform, key, "flip");
    const log = await TestLog.open(platform.restart());
    expect(await numbers(log)).toEqual([]);
    await log.log.close();
  });
});

describe("a scrub of an open log", () => {
  it("names a declared segment whose key the store had lost before the log was opened", async () => {
    const platform = virtualPlatform();
    const { key } = await twice(platform, false);
    await storeOf(platform).deleteSegments([key]);
    const log = await TestLog.open(platform.restart());
    const { damage } = await log.log.scrub();
    expect(damage).toMatchObject([
      { kind: "segment", where: `shard uid ${key[0]}, segment ${key[1]}` },
    ]);
    await log.log.close();
  });
});
