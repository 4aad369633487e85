/** The control copy: what a store lost of the state is known all the same, and nothing else changes. */
import { describe, expect, it } from "vitest";
import { EngineFailedError } from "../../src/errors/index.ts";
import { decodeControlCopy } from "../../src/log/control-copy.ts";
import { PROBE_ORDINAL } from "../../src/log/segment-directory.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { encrypt, numbers, range, reopened, storeOf } from "../support/encrypted-logs.ts";
import { newCore } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";

/** Records that fill several segments of the smallest size. */
const RECORD_BYTES = 10_000;

function loseFrames(platform: VirtualPlatform, keep: (frameNumber: number) => boolean): void {
  const disk = platform.stores.disk("test");
  for (const frameNumber of disk.frameNumbers()) {
    if (!keep(frameNumber)) disk.overwriteFrame(frameNumber, undefined);
  }
}

function damageFrame(platform: VirtualPlatform, frameNumber: number): void {
  const disk = platform.stores.disk("test");
  const bytes = disk.readFrame(frameNumber) ?? new Uint8Array(0);
  disk.overwriteFrame(frameNumber, bytes.fill(0xee, 100, 110));
}

function newestFrame(platform: VirtualPlatform): number {
  return platform.stores.disk("test").frameNumbers().at(-1) ?? 0;
}

async function copyOf(platform: VirtualPlatform): Promise<ReturnType<typeof decodeControlCopy>> {
  return decodeControlCopy(await newCore(), await platform.witnesses.readCopy("test"));
}

/** A log whose records lie in segments, trimmed to its snapshots. */
async function sealedLog(platform: VirtualPlatform): Promise<TestLog> {
  const log = await TestLog.open(platform);
  await log.createStream("clicks", 2);
  await log.put(someRecords(30, RECORD_BYTES));
  await log.log.checkpoint();
  return log;
}

describe("the keeper of the control copy", () => {
  it("writes it a second after streams change, not for records and their segments", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await platform.clock.advance(1000);
    expect((await copyOf(platform))?.snapshot.streams).toEqual([]);
    await log.createStream("clicks", 2);
    await platform.clock.advance(999);
    expect((await copyOf(platform))?.snapshot.streams).toEqual([]);
    await platform.clock.advance(1);
    const copy = await copyOf(platform);
    expect(copy?.snapshot.streams.map(({ name }) => name)).toEqual(["clicks"]);
    expect(copy?.snapshot.shards).toHaveLength(2);
    expect(copy?.testimony).toMatchObject({ frameNumber: 2, epoch: 1 });
    await log.put(someRecords(30, RECORD_BYTES));
    await log.log.change([{ kind: "document-put", key: "group/a", value: 1 }]);
    await platform.clock.advance(30_000);
    expect((await copyOf(platform))?.testimony.frameNumber).toBe(2);
    await log.log.change([{ kind: "document-put", key: "stream/1/tags", value: "b" }]);
    await platform.clock.advance(1000);
    expect((await copyOf(platform))?.snapshot.documents).toEqual({
      "group/a": 1,
      "stream/1/tags": "b",
    });
    await log.log.close();
  });

  it("writes it at a checkpoint, before anything is trimmed, and at the close", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.put(someRecords(30, RECORD_BYTES));
    const writeCopy = platform.witnesses.writeCopy.bind(platform.witnesses);
    const framesThen: number[] = [];
    platform.witnesses.writeCopy = async (name, bytes) => {
      framesThen.push(platform.stores.disk("test").frameNumbers().length);
      await writeCopy(name, bytes);
    };
    await log.log.checkpoint();
    expect(framesThen).toHaveLength(1);
    expect(platform.stores.disk("test").frameNumbers().length).toBeLessThan(framesThen[0] ?? 0);
    expect((await copyOf(platform))?.testimony.frameNumber).toBe(newestFrame(platform));
    await log.createStream("orders");
    await log.log.close();
    expect((await copyOf(platform))?.snapshot.streams).toHaveLength(2);
  });

  it("is no reason to fail when it cannot write, and tries again", async () => {
    const platform = virtualPlatform();
    platform.witnesses.broken = true;
    const log = await sealedLog(platform);
    await platform.clock.advance(1000);
    expect(await copyOf(platform)).toBeUndefined();
    platform.witnesses.broken = false;
    await log.log.close();
    expect((await copyOf(platform))?.snapshot.streams).toHaveLength(1);
  });

  it("tries again at the close when the writing under way fails", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    await log.createStream("orders");
    const { witnesses } = platform;
    const writeCopy = witnesses.writeCopy.bind(witnesses);
    let refuse: (reason: Error) => void = () => undefined;
    witnesses.writeCopy = () =>
      new Promise((_resolve, reject) => {
        refuse = reject;
      });
    await platform.clock.advance(1000);
    const closed = log.log.close();
    await platform.clock.advance(0);
    witnesses.writeCopy = writeCopy;
    refuse(new Error("no room for a moment"));
    await closed;
    expect((await copyOf(platform))?.snapshot.streams).toHaveLength(2);
  });

  it("leaves the copy of a later leader alone", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    const later = await reopened(platform);
    await later.log.checkpoint();
    expect((await copyOf(platform))?.testimony.epoch).toBe(2);
    const core = await newCore();
    const { witnesses } = platform;
    const writeCopy = witnesses.writeCopy.bind(witnesses);
    const epochs: (number | undefined)[] = [];
    witnesses.writeCopy = async (name, bytes) => {
      epochs.push(decodeControlCopy(core, bytes)?.testimony.epoch);
      await writeCopy(name, bytes);
    };
    // The first leader, which wanted to write one too, does not know yet that it is deposed.
    await platform.clock.advance(5000);
    await later.log.close();
    await log.log.close();
    expect(new Set(epochs)).toEqual(new Set([2]));
  });

  it("writes nothing once the log has failed", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    log.log.fail(new EngineFailedError("the tab died"));
    await platform.clock.advance(5000);
    expect(await copyOf(platform)).toBeUndefined();
  });
});

describe("bytes that are no whole control copy", () => {
  it("are none, whatever was changed or cut off", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    await log.log.close();
    const core = await newCore();
    const bytes = (await platform.witnesses.readCopy("test")) ?? new Uint8Array(0);
    expect(decodeControlCopy(core, bytes)).toBeDefined();
    expect(decodeControlCopy(core, undefined)).toBeUndefined();
    for (let at = 0; at < bytes.byteLength; at += 7) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(decodeControlCopy(core, changed), `byte ${at}`).toBeUndefined();
      expect(decodeControlCopy(core, bytes.slice(0, at)), `${at} bytes`).toBeUndefined();
    }
  });
});

describe("a store that lost both snapshots", () => {
  it("serves its segments when no frame is left, and so it does at every later opening", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    const rows = await log.put(someRecords(1, 100, 900));
    const { uid } = log.stream();
    await log.log.close();
    loseFrames(platform, () => false);
    const again = await reopened(platform);
    expect(again.stream().uid).toBe(uid);
    expect(await numbers(again)).toEqual(range(0, 30));
    expect(again.log.losses.map(({ kind }) => kind)).toEqual(["wal-frame", "log"]);
    const [next] = await again.put(someRecords(1, 100, 901));
    expect(next?.index).toBeGreaterThan(rows[0]?.index ?? Infinity);
    again.log.fail(new EngineFailedError("the tab died"));
    platform.witnesses.lose("test");
    const third = await reopened(platform);
    // The one before may have told nobody.
    expect(third.log.losses.map(({ kind }) => kind)).toEqual(["wal-frame", "log"]);
    expect(await numbers(third)).toEqual([...range(0, 30), 901]);
    await third.log.checkpoint();
    await third.log.close();
    const fourth = await reopened(platform);
    expect(fourth.log.losses).toEqual([]);
    expect(await numbers(fourth)).toEqual([...range(0, 30), 901]);
    await fourth.log.close();
  });

  it("takes what was written to try whether there is room for no segment", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    const [shard] = log.log.control.shards();
    await log.log.close();
    const key = [shard?.uid ?? 0, PROBE_ORDINAL, 0, 0, 0, 1] as const;
    await storeOf(platform).addSegments([{ key, image: new ArrayBuffer(65_536) }]);
    loseFrames(platform, () => false);
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual(range(0, 30));
    await again.log.close();
  });

  it("serves segments that were sealed after the copy was written", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    await log.put(someRecords(20, RECORD_BYTES, 30));
    platform.witnesses.writeCopy = async () => undefined;
    const before = storeOf(platform);
    const keys = (await before.segmentKeys()).length;
    await log.log.checkpoint();
    expect((await before.segmentKeys()).length).toBeGreaterThan(keys);
    log.log.fail(new EngineFailedError("the tab died"));
    loseFrames(platform, () => false);
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual(range(0, 50));
    // What was adopted stays declared.
    again.log.fail(new EngineFailedError("the tab died"));
    const third = await reopened(platform);
    expect(await numbers(third)).toEqual(range(0, 50));
    await third.log.close();
  });

  it("takes no segment that a deposed leader wrote late for all that the WAL holds of it", async () => {
    const platform = virtualPlatform();
    const disk = platform.stores.disk("test");
    const log = await sealedLog(platform);
    await log.put(someRecords(5, 100, 100));
    platform.witnesses.writeCopy = async () => undefined;
    const frames = disk.frameNumbers().map((n) => [n, disk.readFrame(n)] as const);
    const keys = new Set(disk.segmentKeys().map((key) => key.join()));
    await log.log.checkpoint();
    log.log.fail(new EngineFailedError("the tab died"));
    const late = disk
      .segmentKeys()
      .filter((key) => !keys.has(key.join()))
      .map((key) => ({ key, bytes: disk.readSegment(key) }));
    expect(late.length).toBeGreaterThan(0);
    // The next leader took over before any of them was written, and went on with the same segments.
    for (const { key } of late) disk.overwriteSegment(key, undefined);
    loseFrames(platform, () => false);
    for (const [frameNumber, bytes] of frames) disk.overwriteFrame(frameNumber, bytes);
    const copied = (await copyOf(platform))?.testimony.frameNumber ?? 0;
    const next = await reopened(platform);
    await next.put(someRecords(20, 100, 200));
    next.log.fail(new EngineFailedError("the tab died"));
    for (const { key, bytes } of late) disk.overwriteSegment(key, bytes);
    damageFrame(platform, copied - 1);
    damageFrame(platform, copied);
    const again = await reopened(platform);
    const expected = [...range(0, 30), ...range(100, 105), ...range(200, 220)];
    expect(await numbers(again)).toEqual(expected);
    await again.log.checkpoint();
    await again.log.close();
    const last = await reopened(platform);
    expect(await numbers(last)).toEqual(expected);
    await last.log.close();
  });

  it("knows what intact frames say that came after the copy", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    const copied = (await copyOf(platform))?.testimony.frameNumber ?? 0;
    expect(copied).toBe(newestFrame(platform));
    platform.witnesses.writeCopy = async () => undefined;
    await log.createStream("orders");
    await log.put(someRecords(5, 100, 100), "orders");
    await log.put(someRecords(5, 100, 200));
    log.log.fail(new EngineFailedError("the tab died"));
    damageFrame(platform, copied - 1);
    damageFrame(platform, copied);
    const again = await reopened(platform);
    expect(await numbers(again, "orders")).toEqual(range(100, 105));
    expect(await numbers(again)).toEqual([...range(0, 30), ...range(200, 205)]);
    expect(again.log.losses.map(({ where }) => where)).toEqual([
      `WAL frame ${copied - 1}`,
      `WAL frame ${copied}`,
    ]);
    // What was found is told until a checkpoint: whoever found it may have told nobody.
    again.log.fail(new EngineFailedError("the tab died"));
    const third = await reopened(platform);
    expect(third.log.losses.map(({ where }) => where)).toEqual([
      `WAL frame ${copied - 1}`,
      `WAL frame ${copied}`,
    ]);
    expect(await numbers(third, "orders")).toEqual(range(100, 105));
    await third.log.close();
  });

  it("serves unsealed records of intact frames, and tells which frames with records are gone", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    const first = newestFrame(platform) + 1;
    await log.put(someRecords(5, 100, 100));
    await log.put(someRecords(5, 100, 200));
    // The copy knows which frames still hold records.
    await log.createStream("orders");
    await platform.clock.advance(1000);
    await log.put(someRecords(5, 100, 300));
    await log.log.close();
    loseFrames(platform, (frameNumber) => frameNumber > first);
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual([...range(0, 30), ...range(200, 205), ...range(300, 305)]);
    expect(again.log.losses.map(({ where }) => where)).toEqual([
      `WAL frame ${first}`,
      "WAL frame 1",
    ]);
    await again.log.close();
  });

  it("serves an encrypted stream, of whose records the copy holds nothing", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await encrypt(log);
    const records = someRecords(30, RECORD_BYTES).map((record) => ({
      ...record,
      key: "secret-key",
    }));
    await log.put(records);
    await log.log.checkpoint();
    await log.put([{ key: "secret-key", data: new TextEncoder().encode("secret-data") }]);
    await log.createStream("orders");
    await log.log.close();
    const copy = (await platform.witnesses.readCopy("test")) ?? new Uint8Array(0);
    const text = new TextDecoder("latin1").decode(copy);
    expect(text).toContain("clicks");
    expect(text).not.toContain("secret");
    loseFrames(platform, () => false);
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual(range(0, 30));
    await again.put(someRecords(1, 100, 900));
    await again.log.close();
  });

  it("misses nothing that the leader before wrote while the next one took over", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    const copied = newestFrame(platform);
    damageFrame(platform, copied - 1);
    damageFrame(platform, copied);
    const next = platform.restart();
    const store = await next.stores.open("test");
    const append = store.appendFrame.bind(store);
    let fences = 0;
    store.appendFrame = async (...frame) => {
      fences += 1;
      if (fences === 1) await log.createStream("orders");
      await append(...frame);
    };
    next.stores.open = async () => store;
    const again = await TestLog.open(next);
    expect(fences).toBeGreaterThan(1);
    expect([...again.log.control.streams()].map(({ name }) => name)).toEqual(["clicks", "orders"]);
    expect(await numbers(again)).toEqual(range(0, 30));
    await again.log.close();
    log.log.fail(new EngineFailedError("the tab died"));
    const third = await reopened(platform);
    expect(third.log.control.streamCount).toBe(2);
    await third.log.close();
  });

  it("is as without it when the copy is of another log", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    await log.log.close();
    const foreign = (await platform.witnesses.readCopy("test")) ?? new Uint8Array(0);
    const other = virtualPlatform({ seed: 7 });
    const second = await sealedLog(other);
    const copied = newestFrame(other);
    await second.log.close();
    await other.witnesses.writeCopy("test", foreign);
    damageFrame(other, copied - 1);
    damageFrame(other, copied);
    const again = await reopened(other);
    expect(again.log.control.streamCount).toBe(0);
    expect(again.log.losses.length).toBeGreaterThan(2);
    await again.log.close();
  });
});

describe("a log that is whole", () => {
  it("is read without its copy", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    await log.log.close();
    let readings = 0;
    platform.witnesses.readCopy = async () => {
      readings += 1;
      return undefined;
    };
    const again = await reopened(platform);
    expect(readings).toBe(0);
    expect(await numbers(again)).toEqual(range(0, 30));
    await again.log.close();
  });

  it("stays as it is when it is an older copy of a profile", async () => {
    const platform = virtualPlatform();
    const log = await sealedLog(platform);
    const disk = platform.stores.disk("test");
    const old = new Map(disk.frameNumbers().map((n) => [n, disk.readFrame(n)]));
    const keys = new Set(disk.segmentKeys().map((key) => key.join()));
    await log.put(someRecords(20, RECORD_BYTES, 30));
    await log.createStream("orders");
    await log.log.checkpoint();
    await log.log.close();
    loseFrames(platform, () => false);
    for (const [frameNumber, bytes] of old) disk.overwriteFrame(frameNumber, bytes);
    for (const key of disk.segmentKeys()) {
      if (!keys.has(key.join())) disk.overwriteSegment(key, undefined);
    }
    const again = await reopened(platform);
    expect([...again.log.control.streams()].map(({ name }) => name)).toEqual(["clicks"]);
    expect(again.log.losses).toMatchObject([
      { kind: "log", reason: "the log is older than what was acknowledged" },
    ]);
    expect(await numbers(again)).toEqual(range(0, 30));
    await again.log.close();
  });

  it("is known to be older by its copy, where the witness is gone", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    const first = newestFrame(platform);
    await log.createStream();
    await log.put(someRecords(5));
    await log.log.close();
    loseFrames(platform, (frameNumber) => frameNumber <= first);
    platform.witnesses.loseWitness("test");
    const again = await reopened(platform);
    expect(again.log.losses).toMatchObject([
      { kind: "log", reason: "the log is older than what was acknowledged" },
    ]);
    await again.log.close();
  });
});
