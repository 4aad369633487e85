/** Damaged and missing frames and segments: reported, stepped over, and all that is intact still served. */
import { PART_HOLE } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import { MillraceError } from "../../src/errors/errors.ts";
import { controlSection } from "../../src/log/sections.ts";
import { encodeFrame } from "../../src/log/wal-frame.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { readSlice } from "../support/batches.ts";
import { newCore, numberOf, someRecords, TestEngine } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";

const never = new AbortController().signal;
const BUDGET = { memoryBudgetBytes: 16 * 1024 * 1024 };

/** A store of its own on the engine's disk, as another process would see it. */
function storeOf(platform: VirtualPlatform): MemoryLogStore {
  return new MemoryLogStore({ disk: platform.stores.disk("test") });
}

async function rewriteFrame(
  platform: VirtualPlatform,
  frameNumber: number,
  change: (bytes: Uint8Array) => void,
): Promise<void> {
  const bytes = await storeOf(platform).readFrame(frameNumber);
  if (bytes === undefined) throw new Error(`no frame ${frameNumber}`);
  change(bytes);
  platform.stores.disk("test").overwriteFrame(frameNumber, bytes);
}

/** Writes batches of ten numbered records, one frame each, and closes. */
async function writeBatches(
  platform: VirtualPlatform,
  count: number,
  dataBytes = 100,
): Promise<number[]> {
  const engine = await TestEngine.open(platform, BUDGET);
  const stream = await engine.createStream();
  const frames: number[] = [];
  for (let i = 0; i < count; i++) {
    await engine.put(stream, someRecords(10, dataBytes, i * 10));
    frames.push((await storeOf(platform).lastFrameNumber()) ?? 0);
  }
  await engine.service.close();
  return frames;
}

async function numbersAfterReopening(
  platform: VirtualPlatform,
): Promise<{ numbers: number[]; losses: string[] }> {
  const engine = await TestEngine.open(platform.restart(), BUDGET);
  const stream = await engine.service.call("describeStream", { name: "clicks" });
  const numbers = (await engine.readAll(stream)).map(numberOf);
  const losses = (await engine.service.call("dataLoss", {})).map(({ where }) => where);
  const rows = await engine.put(stream, someRecords(1, 100, 900));
  expect(rows[0]?.status).toBe(0);
  expect((await engine.readAll(stream)).map(numberOf)).toEqual([...numbers, 900]);
  await engine.service.close();
  return { numbers, losses };
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

describe("damage in the WAL", () => {
  it("costs the records of the damaged frame, and no others", async () => {
    const platform = virtualPlatform();
    const frames = await writeBatches(platform, 5);
    await rewriteFrame(platform, frames[2] ?? 0, (bytes) => bytes.fill(0xee, 200, 210));
    const { numbers, losses } = await numbersAfterReopening(platform);
    expect(numbers).toEqual([...range(0, 20), ...range(30, 50)]);
    expect(losses).toEqual([`WAL frame ${frames[2]}`]);
  });

  it("is reported with the number of records that later frames show to be missing", async () => {
    const platform = virtualPlatform();
    const frames = await writeBatches(platform, 6);
    await rewriteFrame(platform, frames[1] ?? 0, (bytes) => bytes.fill(0xee, 200, 210));
    await storeOf(platform).deleteFrames(frames.slice(3, 5));
    const engine = await TestEngine.open(platform.restart(), BUDGET);
    const losses = await engine.service.call("dataLoss", {});
    expect(losses.map(({ where, recordCount }) => [where, recordCount])).toEqual([
      [`WAL frame ${frames[1]}`, 10],
      [`WAL frames ${frames[3]} to ${frames[4]}`, 20],
    ]);
    await engine.service.close();
  });

  it("at the tail is a reported loss too, and the engine goes on behind it", async () => {
    const platform = virtualPlatform();
    const frames = await writeBatches(platform, 3);
    await rewriteFrame(platform, frames[2] ?? 0, (bytes) => bytes.fill(0, 0, 4));
    const { numbers, losses } = await numbersAfterReopening(platform);
    expect(numbers).toEqual(range(0, 20));
    expect(losses).toEqual([`WAL frame ${frames[2]}`]);
  });

  it("is reported when a frame is missing altogether", async () => {
    const platform = virtualPlatform();
    const frames = await writeBatches(platform, 4);
    await storeOf(platform).deleteFrames([frames[1] ?? 0]);
    const { numbers, losses } = await numbersAfterReopening(platform);
    expect(numbers).toEqual([...range(0, 10), ...range(20, 40)]);
    expect(losses).toEqual([`WAL frame ${frames[1]}`]);
  });
});

/** Readings of ranges of frames in one opening, at most. */
const RANGES_MAX = 50;

/** Makes readings of frames fail, so many from the n-th on, and no range be readable as a whole. */
function failReadings(platform: VirtualPlatform, nth: number, count: number): void {
  for (let i = 0; i < RANGES_MAX; i++) {
    platform.stores.faults.add({ kind: "abort", nth: 1, operations: ["readFrames"] });
  }
  for (let i = 0; i < count; i++) {
    platform.stores.faults.add({
      kind: i % 2 === 0 ? "abort" : "unknown-not-written",
      nth,
      operations: ["readFrame"],
    });
  }
}

describe("a frame that the store does not give", () => {
  it("is asked for again and again before it counts as damaged", async () => {
    for (const failures of [1, 2, 3, 4]) {
      const platform = virtualPlatform();
      await writeBatches(platform, 3);
      const machine = platform.restart();
      failReadings(machine, 3, failures);
      const engine = await TestEngine.open(machine, BUDGET);
      const losses = await engine.service.call("dataLoss", {});
      expect(losses).toMatchObject(failures < 4 ? [] : [{ kind: "wal-frame" }]);
      expect(losses).toHaveLength(failures < 4 ? 0 : 1);
      await engine.service.close();
    }
  });

  it("fails the opening when it was given before, and the next one has its records", async () => {
    const platform = virtualPlatform();
    await writeBatches(platform, 3);
    const machine = platform.restart();
    const frames = (await storeOf(platform).frameNumbers()).length;
    // All frames once, the new fence twice, and then those with records again.
    failReadings(machine, frames + 3, 4);
    await expect(TestEngine.open(machine, BUDGET)).rejects.toBeInstanceOf(MillraceError);
    const { numbers, losses } = await numbersAfterReopening(machine);
    expect(numbers).toEqual(range(0, 30));
    expect(losses).toEqual([]);
  });
});

describe("a snapshot", () => {
  /** A stream with a policy, trimmed to the snapshots that stand for both. Returns their frames. */
  async function trimmed(platform: VirtualPlatform): Promise<number[]> {
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    await log.put(someRecords(20));
    await log.log.change([{ kind: "document-put", key: "stream/1/policy", value: "all" }]);
    await log.log.checkpoint();
    await log.log.close();
    const frames = await storeOf(platform).frameNumbers();
    // The first fence; behind what was trimmed the declaration of the segments, and the two copies.
    expect(frames).toHaveLength(5);
    expect(frames[1]).toBeGreaterThan(4);
    return frames.slice(-2);
  }

  async function checkWhole(platform: VirtualPlatform, losses: readonly string[]): Promise<void> {
    const log = await TestLog.open(platform.restart());
    expect(log.log.losses.map(({ where }) => where)).toEqual(losses);
    const { records } = await log.readAll();
    expect(records.map(numberOf).sort((a, b) => a - b)).toEqual(range(0, 20));
    expect(log.log.control.document("stream/1/policy")).toBe("all");
    await log.put(someRecords(3, 100, 500));
    await log.log.close();
  }

  for (const copy of [0, 1]) {
    it(`costs nothing when copy ${copy + 1} of it is damaged`, async () => {
      const platform = virtualPlatform();
      const frames = await trimmed(platform);
      await rewriteFrame(platform, frames[copy] ?? 0, (bytes) => bytes.fill(0xee, 200, 210));
      await checkWhole(platform, [`WAL frame ${frames[copy]}`]);
    });

    it(`costs nothing when the store does not give copy ${copy + 1} of it`, async () => {
      const platform = virtualPlatform();
      const frames = await trimmed(platform);
      const machine = platform.restart();
      failReadings(machine, 4 + copy, 4);
      const log = await TestLog.open(machine);
      expect(log.log.losses.map(({ where }) => where)).toEqual([`WAL frame ${frames[copy]}`]);
      expect(log.stream().shards).toHaveLength(2);
      await log.log.close();
      // In the place of the newest frame the control copy stood: what its leader found is told until a checkpoint.
      await checkWhole(machine, copy === 1 ? [`WAL frame ${frames[copy]}`] : []);
    });
  }

  it("stands for frames that it trimmed, when they are there again and cannot be read", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    await log.put(someRecords(20));
    await log.log.change([{ kind: "document-put", key: "stream/1/policy", value: "all" }]);
    const numbers = await storeOf(platform).frameNumbers();
    const first = numbers.at(-2) ?? 0;
    await log.log.checkpoint();
    await log.log.close();
    for (const frameNumber of numbers.filter((one) => one >= first)) {
      expect(await storeOf(platform).readFrame(frameNumber)).toBeUndefined();
      await storeOf(platform).appendFrame(frameNumber, new Uint8Array(200), "strict");
    }
    await checkWhole(platform, []);
  });

  it("is not led without when the store gives no copy of it, and nothing is written then", async () => {
    const platform = virtualPlatform();
    await trimmed(platform);
    platform.witnesses.loseCopy("test");
    const machine = platform.restart();
    const before = await storeOf(machine).frameNumbers();
    failReadings(machine, 4, 8);
    await expect(TestLog.open(machine)).rejects.toMatchObject({
      message: expect.stringMatching(/readFrame/),
    });
    expect(await storeOf(machine).frameNumbers()).toEqual(before);
    await checkWhole(machine, []);
  });

  it("that is damaged in one copy and not given in the other is not led without either", async () => {
    const platform = virtualPlatform();
    const frames = await trimmed(platform);
    await rewriteFrame(platform, frames[0] ?? 0, (bytes) => bytes.fill(0xee, 200, 210));
    platform.witnesses.loseCopy("test");
    const machine = platform.restart();
    failReadings(machine, 5, 4);
    await expect(TestLog.open(machine)).rejects.toMatchObject({
      message: expect.stringMatching(/readFrame/),
    });
    await checkWhole(machine, [`WAL frame ${frames[0]}`]);
  });

  it("of which both copies are damaged is a reported loss, and its segments are kept", async () => {
    const platform = virtualPlatform();
    const frames = await trimmed(platform);
    const keys = await storeOf(platform).segmentKeys();
    for (const frameNumber of frames) {
      await rewriteFrame(platform, frameNumber, (bytes) => bytes.fill(0xee, 200, 210));
    }
    platform.witnesses.loseCopy("test");
    const log = await TestLog.open(platform.restart());
    const where = log.log.losses.map((loss) => loss.where);
    expect(where).toEqual(expect.arrayContaining(frames.map((one) => `WAL frame ${one}`)));
    await log.log.checkpoint();
    await log.log.close();
    expect(await storeOf(platform).segmentKeys()).toEqual(keys);
  });
});

describe("a WAL that lost its beginning", () => {
  it("is reported, and the segments it declared are kept", async () => {
    const platform = virtualPlatform();
    await writeBatches(platform, 40, 10_000);
    const store = storeOf(platform);
    const keys = await store.segmentKeys();
    await store.deleteFrames(await store.frameNumbers());
    platform.witnesses.loseCopy("test");
    const engine = await TestEngine.open(platform.restart(), BUDGET);
    const losses = await engine.service.call("dataLoss", {});
    expect(losses.map(({ where }) => where)).toEqual([
      "WAL frame 1",
      "WAL frames 1 to 50",
      "shard uid 1",
    ]);
    await engine.service.close();
    const again = await TestEngine.open(platform.restart(), BUDGET);
    await again.service.close();
    expect(await store.segmentKeys()).toEqual(keys);
  });

  it("never gives the lost stream's place to another one", async () => {
    const platform = virtualPlatform();
    const frames = await writeBatches(platform, 3);
    // The frame before the first batch created the stream.
    await rewriteFrame(platform, (frames[0] ?? 0) - 1, (bytes) => bytes.fill(0xee, 100, 110));
    platform.witnesses.loseCopy("test");
    const engine = await TestEngine.open(platform.restart(), BUDGET);
    expect(await engine.service.call("listStreams", {})).toEqual([]);
    const other = await engine.createStream("other");
    await engine.put(other, someRecords(2, 100, 700));
    await engine.service.close();
    const again = await TestEngine.open(platform.restart(), BUDGET);
    expect((await again.readAll(other)).map(numberOf)).toEqual([700, 701]);
    await again.service.close();
  });
});

describe("damage in segments", () => {
  /** Large enough that a checkpoint seals everything that was written before it. */
  async function sealed(platform: VirtualPlatform): Promise<MemoryLogStore> {
    await writeBatches(platform, 40, 10_000);
    const store = storeOf(platform);
    expect((await store.segmentKeys()).length).toBeGreaterThan(3);
    return store;
  }

  it("costs the damaged record, is reported, and the rest of the segment is served", async () => {
    const platform = virtualPlatform();
    const store = await sealed(platform);
    const key = (await store.segmentKeys())[1];
    if (key === undefined) throw new Error("no segment");
    const image = (await store.readSegment(key)) ?? new Uint8Array(0);
    image.fill(0xee, 20_000, 20_004);
    platform.stores.disk("test").overwriteSegment(key, image);
    const { numbers, losses } = await numbersAfterReopening(platform);
    expect(numbers).toHaveLength(399);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(losses).toEqual([`shard uid 1, segment ${key[1]}`]);
    const engine = await TestEngine.open(platform.restart(), BUDGET);
    const stream = await engine.service.call("describeStream", { name: "clicks" });
    let flags = 0;
    let cursors = [{ shardIndex: 0, nextIndex: 0 }];
    for (let i = 0; i < 50; i++) {
      const request = {
        streamUid: stream.uid,
        cursors,
        recordsMax: 10_000,
        bytesMax: 65_536,
        waitMs: 0,
      };
      const [part] = readSlice(await engine.service.read(request, never));
      flags |= part?.flags ?? 0;
      cursors = [{ shardIndex: 0, nextIndex: part?.nextIndex ?? 0 }];
    }
    expect(flags & PART_HOLE).toBe(PART_HOLE);
    for (const nextIndex of [3, 12, 29, 30]) {
      const cursors = [{ shardIndex: 0, nextIndex }];
      const request = { streamUid: stream.uid, cursors, recordsMax: 1, bytesMax: 1, waitMs: 0 };
      const [part] = readSlice(await engine.service.read(request, never));
      expect(part?.records).toHaveLength(1);
      expect((part?.records[0]?.index ?? 0) - nextIndex).toBeLessThanOrEqual(1);
    }
    const [loss] = await engine.service.call("dataLoss", {});
    expect(loss).toMatchObject({ kind: "segment", recordCount: 1 });
    expect(loss?.byteLength).toBeGreaterThan(1000);
    expect(loss?.byteLength).toBeLessThan(image.byteLength / 2);
    await engine.service.close();
  });

  it("is told from a passing failure: a segment that stays unreadable is stepped over", async () => {
    for (const failures of [1, 2]) {
      const platform = virtualPlatform();
      await sealed(platform);
      const machine = platform.restart();
      const engine = await TestEngine.open(machine, BUDGET);
      const stream = await engine.service.call("describeStream", { name: "clicks" });
      for (let i = 0; i < failures; i++) {
        machine.stores.faults.add({
          kind: "unknown-not-written",
          nth: 1,
          operations: ["readSegment"],
        });
      }
      const numbers = (await engine.readAll(stream)).map(numberOf);
      const losses = await engine.service.call("dataLoss", {});
      if (failures === 1) {
        expect(numbers).toEqual(range(0, 400));
        expect(losses).toEqual([]);
      } else {
        expect(numbers.length).toBeLessThan(400);
        expect(numbers.length).toBeGreaterThan(300);
        expect(losses).toMatchObject([{ kind: "segment" }]);
      }
      await engine.service.close();
    }
  });

  it("of many segments in a row is passed over, with a mark", async () => {
    for (const readable of [false, true]) {
      const platform = virtualPlatform();
      const before = await TestLog.open(platform);
      await before.createStream("clicks");
      // More than the engine keeps the remains of.
      for (let i = 0; i < 12; i++) {
        await before.put(someRecords(5, 100, i * 5));
        await before.log.checkpoint();
      }
      await before.log.close();
      const keys = await storeOf(platform).segmentKeys();
      expect(keys).toHaveLength(12);
      const machine = platform.restart();
      const log = await TestLog.open(machine);
      for (const key of keys) {
        const bytes = readable ? new Uint8Array(10) : undefined;
        machine.stores.disk("test").overwriteSegment(key, bytes);
      }
      await log.put(someRecords(1, 100, 900));
      const part = await log.read(log.shard(0), 0);
      expect(part.records.map(numberOf)).toEqual([900]);
      expect(part.flags & PART_HOLE).toBe(PART_HOLE);
      expect(log.log.losses).toHaveLength(keys.length);
      await log.log.close();
    }
  });

  it("is reported when a declared segment is missing, and reads step over it", async () => {
    const platform = virtualPlatform();
    const store = await sealed(platform);
    const key = (await store.segmentKeys())[1];
    if (key === undefined) throw new Error("no segment");
    const { byteLength } = (await store.readSegment(key)) ?? new Uint8Array(0);
    await store.deleteSegments([key]);
    const { numbers, losses } = await numbersAfterReopening(platform);
    expect(numbers.length).toBeGreaterThan(300);
    expect(numbers.length).toBeLessThan(400);
    expect(losses).toEqual([`shard uid 1, segment ${key[1]}`]);
    // Also when a checkpoint has trimmed the frame that declared it.
    const log = await TestLog.open(platform.restart());
    await log.log.checkpoint();
    await log.log.close();
    const next = await TestLog.open(platform.restart());
    const recordCount = 400 - numbers.length;
    expect(next.log.losses).toMatchObject([{ kind: "segment", recordCount, byteLength }]);
    await next.log.close();
  });

  it("does not make segments garbage whose declaration may have been in a damaged frame", async () => {
    const platform = virtualPlatform();
    const store = await sealed(platform);
    const keys = await store.segmentKeys();
    for (const frameNumber of await store.frameNumbers()) {
      await rewriteFrame(platform, frameNumber, (bytes) => bytes.fill(0xee, 70, 80));
    }
    const engine = await TestEngine.open(platform.restart(), BUDGET);
    await engine.service.close();
    expect(await storeOf(platform).segmentKeys()).toEqual(keys);
  });
});

describe("a log of a newer build", () => {
  it("is refused when it holds what this build cannot keep", async () => {
    const platform = virtualPlatform();
    await writeBatches(platform, 1);
    const store = storeOf(platform);
    const core = await newCore();
    const last = await store.lastFrameNumber();
    const header = { epoch: 9, frameNumber: last + 1, previousHash: 0n, timeMs: 0 };
    const record = { kind: "shard-split" } as unknown;
    const foreign = [
      [{ type: 99, critical: true, streamUid: 0, pieces: [new Uint8Array(8)] }],
      [controlSection([record as never])],
    ];
    for (const sections of foreign) {
      await store.appendFrame(last + 1, encodeFrame(core, header, sections).bytes, "strict");
      const error = await TestEngine.open(platform.restart(), BUDGET).catch(
        (failure: unknown) => failure,
      );
      expect(error).toBeInstanceOf(MillraceError);
      expect(error).toMatchObject({ name: "UnsupportedFormatError" });
      await store.deleteFrames(
        (await store.frameNumbers()).filter((frameNumber) => frameNumber > last),
      );
    }
    const harmless = [{ type: 99, critical: false, streamUid: 0, pieces: [new Uint8Array(8)] }];
    await store.appendFrame(last + 1, encodeFrame(core, header, harmless).bytes, "strict");
    expect((await numbersAfterReopening(platform)).numbers).toEqual(range(0, 10));
  });
});
