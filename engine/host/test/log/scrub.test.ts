/** The scrub: finds every damage in a store, and none where there is none, while puts go on. */
import { describe, expect, it } from "vitest";
import { EngineFailedError } from "../../src/errors/index.ts";
import { scrubStore } from "../../src/log/scrub.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { newCore, numberOf, someRecords } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";

function storeOf(platform: VirtualPlatform): MemoryLogStore {
  return new MemoryLogStore({ disk: platform.stores.disk("test") });
}

async function written(platform: VirtualPlatform): Promise<TestLog> {
  const log = await TestLog.open(platform);
  await log.createStream("clicks", 2);
  for (let i = 0; i < 20; i++) await log.put(someRecords(10, 20_000, i * 10));
  await log.log.checkpoint();
  await log.put(someRecords(10, 100, 200));
  return log;
}

function flip(bytes: Uint8Array | undefined, at: number): Uint8Array {
  const flipped = bytes?.slice() ?? new Uint8Array(0);
  flipped[at] = (flipped[at] ?? 0) ^ 4;
  return flipped;
}

describe("a scrub of an open log", () => {
  it("counts everything and finds nothing in a whole store", async () => {
    const platform = virtualPlatform();
    const log = await written(platform);
    const disk = platform.stores.disk("test");
    const report = await log.log.scrub();
    expect(report).toMatchObject({
      walFrames: disk.frameNumbers().length,
      segments: disk.segmentKeys().length,
      records: 210,
      damage: [],
    });
    expect(report.walBytes + report.segmentBytes).toBe(disk.usedBytes);
    await log.log.close();
  });

  it("finds each damaged and missing frame and segment, and what no manifest declares", async () => {
    const platform = virtualPlatform();
    const log = await written(platform);
    const disk = platform.stores.disk("test");
    const frames = disk.frameNumbers();
    const [damaged = 0, missing = 0] = frames.slice(-2);
    disk.overwriteFrame(damaged, flip(disk.readFrame(damaged), 100));
    disk.overwriteFrame(missing, undefined);
    const [first, second, third] = disk.segmentKeys();
    if (first === undefined || second === undefined || third === undefined) throw new Error("few");
    disk.overwriteSegment(first, flip(disk.readSegment(first), 5000));
    disk.overwriteSegment(second, undefined);
    const stray = [third[0], third[1], third[2], third[3], third[4], 0] as const;
    disk.overwriteSegment(stray, disk.readSegment(third));
    const { damage } = await log.log.scrub();
    expect(damage.map(({ kind, where }) => `${kind}: ${where}`).sort()).toEqual(
      [
        `wal-frame: WAL frame ${damaged}`,
        `wal-frame: WAL frame ${missing}`,
        `segment: shard uid ${first[0]}, segment ${first[1]}`,
        `segment: shard uid ${second[0]}, segment ${second[1]}`,
        `segment: shard uid ${third[0]}, segment ${third[1]} of epoch 0`,
      ].sort(),
    );
    log.log.fail(new Error("done") as never);
  });

  it("finds an intact segment that lies under another's key", async () => {
    const platform = virtualPlatform();
    const log = await written(platform);
    const disk = platform.stores.disk("test");
    const [first, second] = disk.segmentKeys();
    if (first === undefined || second === undefined) throw new Error("few");
    disk.overwriteSegment(first, disk.readSegment(second));
    const { damage } = await log.log.scrub();
    expect(damage).toMatchObject([
      { kind: "segment", reason: expect.stringMatching(/another segment/) },
    ]);
    log.log.fail(new Error("done") as never);
  });

  it("lets puts, checkpoints and trims go on, and takes none of them for damage", async () => {
    const platform = virtualPlatform();
    const log = await written(platform);
    const scrubbing = log.log.scrub();
    for (let i = 0; i < 10; i++) await log.put(someRecords(10, 20_000, 210 + i * 10));
    await log.log.checkpoint();
    expect((await scrubbing).damage).toEqual([]);
    expect((await log.readAll()).records.map(numberOf)).toHaveLength(310);
    await log.log.close();
  });

  it("takes nothing for damage that was trimmed and is held for an export", async () => {
    const before = virtualPlatform();
    await (await written(before)).log.close();
    const platform = before.restart();
    const log = await TestLog.open(platform);
    const disk = platform.stores.disk("test");
    const exporting = await log.log.export();
    const segments = disk.segmentKeys().length;
    platform.clock.advanceBy(25 * 3_600_000);
    await log.log.sweep();
    expect(log.log.status().segments).toBeLessThan(segments);
    expect(disk.segmentKeys()).toHaveLength(segments);
    expect((await log.log.scrub()).damage).toEqual([]);
    await log.log.change([{ kind: "stream-deleted", streamUid: log.stream("clicks").uid }]);
    expect((await log.log.scrub()).damage).toEqual([]);
    exporting.close();
    await log.log.close();
  });

  it("misses nothing that an export of the life before had held", async () => {
    const platform = virtualPlatform();
    const log = await written(platform);
    const exporting = await log.log.export();
    await log.put(someRecords(10, 20_000, 210));
    await log.log.checkpoint();
    log.log.fail(new EngineFailedError("the life is over"));
    const next = await TestLog.open(platform);
    exporting.close();
    await platform.clock.advance(10);
    expect((await next.log.scrub()).damage).toEqual([]);
    expect((await next.readAll()).records).toHaveLength(220);
    await next.log.close();
  });
});

describe("a scrub of a store that nobody leads", () => {
  it("counts and finds the same, and writes nothing", async () => {
    const platform = virtualPlatform();
    const log = await written(platform);
    await log.log.close();
    const disk = platform.stores.disk("test");
    const before = disk.frameNumbers();
    const whole = await scrubStore(await newCore(), storeOf(platform));
    expect(whole).toMatchObject({ records: 210, damage: [], walFrames: before.length });
    const frame = before.at(-1) ?? 0;
    disk.overwriteFrame(frame, flip(disk.readFrame(frame), 70));
    const [key] = disk.segmentKeys();
    if (key !== undefined) disk.overwriteSegment(key, undefined);
    const damaged = await scrubStore(await newCore(), storeOf(platform));
    expect(damaged.damage.map(({ kind }) => kind).sort()).toEqual(["segment", "wal-frame"]);
    expect(disk.frameNumbers()).toEqual(before);
  });

  it("takes no segment for damage that was trimmed and that a power cut brought back", async () => {
    const platform = virtualPlatform();
    const log = await written(platform);
    const disk = platform.stores.disk("test");
    const kept = disk.segmentKeys().map((key) => ({ key, image: disk.readSegment(key) }));
    platform.clock.advanceBy(25 * 3_600_000);
    await log.log.sweep();
    await log.log.close();
    expect(disk.segmentKeys().length).toBeLessThan(kept.length);
    for (const { key, image } of kept) disk.overwriteSegment(key, image);
    expect((await scrubStore(await newCore(), storeOf(platform))).damage).toEqual([]);
  });
});
