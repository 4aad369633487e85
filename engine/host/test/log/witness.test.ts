/** The witness: logs that come back empty, older or as another one are noticed, and nothing is given out twice. */
import { assert, describe, expect, it } from "vitest";
import { EngineFailedError, StorageUnavailableError } from "../../src/errors/index.ts";
import { StoreReplacedError } from "../../src/log/commit-errors.ts";
import {
  decodeTestimony,
  encodeTestimony,
  type Testimony,
  WITNESS_BYTES,
} from "../../src/log/witness.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";
import { someRecords } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";

const TESTIMONY: Testimony = {
  incarnation: "00112233445566778899aabbccddeeff",
  epoch: 7,
  frameNumber: 2 ** 40 + 3,
  hash: 0xfedc_ba98_7654_3210n,
  relaxedFrames: 12,
  timeMs: 1_767_225_600_123.5,
  nextStreamUid: 9,
  nextShardUid: 4_000_000_000,
};

interface DiskCopy {
  readonly frames: ReadonlyMap<number, Uint8Array | undefined>;
  readonly segments: readonly {
    readonly key: SegmentKey;
    readonly bytes: Uint8Array | undefined;
  }[];
}

function copyDisk(platform: VirtualPlatform): DiskCopy {
  const disk = platform.stores.disk("test");
  return {
    frames: new Map(disk.frameNumbers().map((n) => [n, disk.readFrame(n)])),
    segments: disk.segmentKeys().map((key) => ({ key, bytes: disk.readSegment(key) })),
  };
}

function replaceDisk(platform: VirtualPlatform, copy?: DiskCopy): void {
  const disk = platform.stores.disk("test");
  for (const n of disk.frameNumbers()) disk.overwriteFrame(n, undefined);
  for (const key of disk.segmentKeys()) disk.overwriteSegment(key, undefined);
  for (const [n, bytes] of copy?.frames ?? []) disk.overwriteFrame(n, bytes);
  for (const { key, bytes } of copy?.segments ?? []) disk.overwriteSegment(key, bytes);
}

/** Store and witness go while a log is open. */
async function clearSiteData(platform: VirtualPlatform): Promise<void> {
  replaceDisk(platform);
  platform.witnesses.lose("test");
  platform.stores.opened.at(-1)?.lose("all site data was cleared");
  await platform.clock.advance(0);
}

/** A log of one stream with ten records. */
async function logOfTen(platform: VirtualPlatform): Promise<TestLog> {
  const log = await TestLog.open(platform);
  await log.createStream();
  await log.put(someRecords(10));
  return log;
}

async function testimonyOf(platform: VirtualPlatform): Promise<Testimony> {
  const testimony = decodeTestimony(await platform.witnesses.read("test"));
  if (testimony === undefined) throw new Error("there is no witness");
  return testimony;
}

describe("a testimony", () => {
  it("is read as it was written", () => {
    const bytes = encodeTestimony(TESTIMONY);
    expect(bytes.byteLength).toBe(WITNESS_BYTES);
    expect(decodeTestimony(bytes)).toEqual(TESTIMONY);
  });

  it("counts 65,535 relaxed frames at most", () => {
    const bytes = encodeTestimony({ ...TESTIMONY, relaxedFrames: 1_000_000 });
    expect(decodeTestimony(bytes)?.relaxedFrames).toBe(65_535);
  });

  it("says nothing when any of its bits is another one", () => {
    for (let bit = 0; bit < WITNESS_BYTES * 8; bit++) {
      const bytes = encodeTestimony(TESTIMONY);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeTestimony(bytes), `bit ${bit}`).toBeUndefined();
    }
    expect(decodeTestimony(undefined)).toBeUndefined();
    expect(decodeTestimony(new Uint8Array(63))).toBeUndefined();
  });
});

describe("the keeper of the witness", () => {
  it("testifies at the takeover, a second after a commit, and at the close", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await platform.clock.advance(1);
    expect(await testimonyOf(platform)).toMatchObject({ epoch: 1, frameNumber: 1 });
    await log.createStream();
    await log.put(someRecords(3));
    expect((await testimonyOf(platform)).frameNumber).toBe(1);
    await platform.clock.advance(1000);
    expect(await testimonyOf(platform)).toMatchObject({ frameNumber: 3, nextStreamUid: 2 });
    await log.put(someRecords(3));
    await log.log.close();
    const newest = platform.stores.disk("test").frameNumbers().at(-1);
    expect((await testimonyOf(platform)).frameNumber).toBe(newest);
    expect(log.log.status()).toMatchObject({ witnessed: true });
  });

  it("testifies after 64 commits at the latest", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    for (let i = 0; i < 64; i++) await log.put(someRecords(1));
    await platform.clock.advance(0);
    expect((await testimonyOf(platform)).frameNumber).toBeGreaterThan(60);
    await log.log.close();
  });

  it("never names a frame that is not durable yet", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1, { durability: "relaxed" });
    for (let i = 0; i < 5; i++) await log.put(someRecords(1));
    await platform.clock.advance(1000);
    expect(await testimonyOf(platform)).toMatchObject({ frameNumber: 2, relaxedFrames: 5 });
    await log.log.close();
  });

  it("names relaxed frames within a tenth of a second, and others as before", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1, { durability: "relaxed" });
    await platform.clock.advance(1000);
    await log.put(someRecords(1));
    await platform.clock.advance(100);
    expect(await testimonyOf(platform)).toMatchObject({ frameNumber: 2, relaxedFrames: 1 });
    await log.createStream("orders");
    await platform.clock.advance(999);
    expect(await testimonyOf(platform)).toMatchObject({ frameNumber: 2 });
    await platform.clock.advance(1);
    expect(await testimonyOf(platform)).toMatchObject({ frameNumber: 4, relaxedFrames: 0 });
    await log.log.close();
  });

  it("names them less often where writing takes long", async () => {
    const platform = virtualPlatform();
    const write = platform.witnesses.write.bind(platform.witnesses);
    let writings = 0;
    platform.witnesses.write = async (name, bytes) => {
      writings += 1;
      await new Promise<void>((resolve) => {
        platform.clock.after(20, resolve);
      });
      await write(name, bytes);
    };
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1, { durability: "relaxed" });
    await platform.clock.advance(1100);
    writings = 0;
    for (let i = 0; i < 40; i++) {
      const put = log.put(someRecords(1));
      await platform.clock.advance(50);
      await put;
    }
    // A tenth of 2 s is enough for ten writings of 20 ms, and without a bound there would be 17.
    expect(writings).toBeGreaterThan(4);
    expect(writings).toBeLessThan(12);
    const closed = log.log.close();
    await platform.clock.advance(100);
    await closed;
  });

  it("is no reason to fail when it cannot write", async () => {
    const platform = virtualPlatform();
    platform.witnesses.broken = true;
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.put(someRecords(3));
    await platform.clock.advance(1000);
    expect(log.log.status().witnessed).toBe(false);
    platform.witnesses.broken = false;
    await log.put(someRecords(3));
    await platform.clock.advance(1000);
    expect(log.log.status().witnessed).toBe(true);
    await log.log.close();
  });
});

describe("a log that came back", () => {
  it("whole is of the same incarnation, with no loss, over many openings", async () => {
    const platform = virtualPlatform();
    const incarnations = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const log = await TestLog.open(platform.restart());
      incarnations.add(log.log.status().incarnation);
      expect(log.log.losses).toEqual([]);
      if (i === 0) await log.createStream();
      await log.put(someRecords(4));
      if (i % 2 === 0) await log.log.checkpoint();
      await log.log.close();
    }
    expect(incarnations.size).toBe(1);
  });

  it("empty is a reported loss and a new incarnation, and gives out no uid or index again", async () => {
    const platform = virtualPlatform();
    const first = await TestLog.open(platform);
    const clicks = await first.createStream("clicks", 3);
    const before = first.log.status().incarnation;
    await first.put(someRecords(10));
    await first.log.close();
    const { frameNumber } = await testimonyOf(platform);
    replaceDisk(platform);
    // The clock did not move: what is named by the second must differ all the same.
    const second = await TestLog.open(platform.restart());
    expect(second.log.losses).toMatchObject([
      { kind: "log", where: `WAL frames 1 to ${frameNumber}`, reason: "the log is gone" },
    ]);
    expect(second.log.status().incarnation).not.toBe(before);
    const again = await second.createStream("clicks", 3);
    expect(again.uid).toBeGreaterThan(clicks.uid);
    const uids = clicks.shards.map(({ uid }) => uid);
    for (const shard of again.shards) {
      expect(uids).not.toContain(shard.uid);
      expect(shard.createdSeconds).toBeGreaterThan(clicks.shards[0]?.createdSeconds ?? Infinity);
    }
    await second.log.close();
    const third = await TestLog.open(platform.restart());
    // The one before may have told nobody: it is told until a checkpoint.
    expect(third.log.losses).toEqual(
      second.log.losses.map(({ kind, where, reason }) => ({ kind, where, reason })),
    );
    await third.log.checkpoint();
    expect(third.log.control.nextShardUid).toBeGreaterThan(again.shards[0]?.uid ?? Infinity);
    await third.log.close();
    const fourth = await TestLog.open(platform.restart());
    expect(fourth.log.losses).toEqual([]);
    await fourth.log.close();
  });

  it("empty is told by the next leader, too, when the one that found it ended before anybody asked", async () => {
    const platform = virtualPlatform();
    const first = await logOfTen(platform);
    await first.log.close();
    replaceDisk(platform);
    const second = await TestLog.open(platform.restart());
    second.log.fail(new EngineFailedError("the tab was closed"));
    const third = await TestLog.open(platform.restart());
    expect(third.log.losses).toMatchObject([{ kind: "log", reason: "the log is gone" }]);
    expect(third.log.status().incarnation).toBe(second.log.status().incarnation);
    await third.log.close();
  });

  it("empty keeps its floors when it is opened again before anything was written", async () => {
    const platform = virtualPlatform();
    const first = await TestLog.open(platform);
    await first.createStream("clicks", 3);
    await first.log.close();
    replaceDisk(platform);
    const second = await TestLog.open(platform.restart());
    const { nextStreamUid, nextShardUid } = second.log.control;
    second.log.fail(new EngineFailedError("the tab died"));
    platform.witnesses.lose("test");
    const third = await TestLog.open(platform.restart());
    expect(third.log.control.nextStreamUid).toBeGreaterThanOrEqual(nextStreamUid);
    expect(third.log.control.nextShardUid).toBeGreaterThanOrEqual(nextShardUid);
    await third.log.close();
  });

  it("older is a reported loss, and sequence indexes go on above those that are lost", async () => {
    const platform = virtualPlatform();
    const first = await logOfTen(platform);
    const old = copyDisk(platform);
    const kept = Math.max(...old.frames.keys());
    await platform.clock.advance(5000);
    const rows = await first.put(someRecords(10, 100, 10));
    await first.log.close();
    replaceDisk(platform, old);
    // The profile of before is restored, and the clock with it.
    platform.clock.jumpWall(-3_600_000);
    const second = await TestLog.open(platform.restart());
    expect(second.log.losses).toMatchObject([
      {
        kind: "log",
        where: expect.stringMatching(`WAL frames? ${kept + 1}`),
        reason: "the log is older than what was acknowledged",
      },
    ]);
    const [next] = await second.put(someRecords(1, 100, 50));
    const highest = Math.max(...rows.map(({ index }) => index));
    expect(next?.index).toBeGreaterThan(highest);
    expect((await second.readAll()).records).toHaveLength(11);
    await second.log.close();
  });

  it("that went on from an older copy is told from the one that was acknowledged", async () => {
    const platform = virtualPlatform();
    const first = await TestLog.open(platform);
    await first.createStream();
    const old = copyDisk(platform);
    await first.put(someRecords(10));
    await platform.clock.advance(1000);
    const testimony = await platform.witnesses.read("test");
    const { frameNumber } = await testimonyOf(platform);
    replaceDisk(platform, old);
    platform.witnesses.lose("test");
    const other = await TestLog.open(platform.restart());
    for (let i = 0; i < 5; i++) await other.put(someRecords(2));
    await other.log.close();
    await platform.witnesses.write("test", testimony ?? new Uint8Array(0));
    const second = await TestLog.open(platform.restart());
    expect(frameNumber).toBeGreaterThan(2);
    expect(second.log.losses).toMatchObject([
      { kind: "log", reason: expect.stringMatching(/older copy/) },
    ]);
    await second.log.close();
  });

  it("as another one is told by its incarnation", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.log.close();
    const { incarnation: _, ...rest } = await testimonyOf(platform);
    const foreign = { ...rest, incarnation: "f".repeat(32) };
    await platform.witnesses.write("test", encodeTestimony(foreign));
    const second = await TestLog.open(platform.restart());
    expect(second.log.losses).toMatchObject([
      { kind: "log", reason: expect.stringMatching(/another log/) },
    ]);
    await second.log.close();
  });

  it("is not accused by a testimony that a deposed leader wrote late", async () => {
    const platform = virtualPlatform();
    const first = await TestLog.open(platform);
    await first.createStream();
    await first.log.close();
    const late = (await platform.witnesses.read("test")) ?? new Uint8Array(0);
    replaceDisk(platform);
    const second = await TestLog.open(platform.restart());
    expect(second.log.losses).toHaveLength(1);
    await second.log.close();
    await platform.witnesses.write("test", late);
    const third = await TestLog.open(platform.restart());
    // Told once more, as what the one before found, and nothing besides.
    expect(third.log.losses).toMatchObject([{ kind: "log", reason: "the log is gone" }]);
    expect(third.log.status().incarnation).toBe(second.log.status().incarnation);
    await third.log.close();
  });

  it("without relaxed frames that were acknowledged says which they are, and stays the same log", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1, { durability: "relaxed" });
    for (let i = 0; i < 6; i++) await log.put(someRecords(2, 100, i * 2));
    await platform.clock.advance(1000);
    const incarnation = log.log.status().incarnation;
    const lost = platform.stores.disk("test").powerCut(2);
    expect(lost).toBe(4);
    const again = await TestLog.open(platform.restart());
    expect(again.log.losses).toMatchObject([{ kind: "wal-frame", where: "WAL frames 5 to 8" }]);
    expect(again.log.status().incarnation).toBe(incarnation);
    expect((await again.readAll()).records).toHaveLength(4);
    await again.log.close();
  });
});

describe("a store that is taken away while it is open", () => {
  it("ends the life when it comes back empty, and the next one reports the loss", async () => {
    const platform = virtualPlatform();
    const log = await logOfTen(platform);
    await platform.clock.advance(1000);
    replaceDisk(platform);
    platform.stores.opened.at(-1)?.lose("site data was cleared");
    await expect(log.put(someRecords(1))).rejects.toMatchObject({
      code: "EngineFailedException",
    });
    expect(log.log.failure).toBeInstanceOf(EngineFailedError);
    const next = await TestLog.open(platform.restart());
    expect(next.log.losses).toMatchObject([{ kind: "log", reason: "the log is gone" }]);
    await next.log.close();
  });

  it("is told by what the life knew, when the witness went with the store", async () => {
    const platform = virtualPlatform();
    const log = await logOfTen(platform);
    await clearSiteData(platform);
    const { failure } = log.log;
    assert(failure instanceof StoreReplacedError);
    expect(failure.testimony).toMatchObject({ frameNumber: 3, epoch: 1 });
    const next = await TestLog.open(platform.restart(), { testimony: failure.testimony });
    expect(next.log.losses).toMatchObject([{ kind: "log", reason: "the log is gone" }]);
    expect(next.log.status().epoch).toBe(2);
    await next.log.close();
  });

  it("gives out no creation time again, however soon it is lost once more", async () => {
    const platform = virtualPlatform();
    let testimony: Testimony | undefined;
    const created: number[] = [];
    for (let time = 0; time < 4; time++) {
      const log = await TestLog.open(platform, testimony === undefined ? {} : { testimony });
      const { shards } = await log.createStream();
      created.push(shards[0]?.createdSeconds ?? 0);
      await clearSiteData(platform);
      assert(log.log.failure instanceof StoreReplacedError);
      testimony = log.log.failure.testimony;
    }
    expect(created).toEqual([...new Set(created)].sort((a, b) => a - b));
  });

  it("is no reason to end the life when it refuses to open for a moment", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    const store = platform.stores.opened.at(-1);
    assert(store !== undefined);
    const reopen = store.reopen.bind(store);
    let refusals = 2;
    store.reopen = () => {
      refusals -= 1;
      if (refusals < 0) return reopen();
      const refusal = new StorageUnavailableError("the connection was closed");
      return new Promise((_resolve, reject) => {
        platform.clock.after(10, () => reject(refusal));
      });
    };
    store.lose("the browser closed the database");
    // One put meets the refusal, and waits.
    const put = log.put(someRecords(1));
    await platform.clock.advance(300);
    expect(log.log.failure).toBeUndefined();
    await put;
    await log.put(someRecords(1));
    expect((await log.readAll()).records).toHaveLength(2);
    await log.log.close();
  });

  it("ends the life when another log is in its place, even a longer one", async () => {
    const platform = virtualPlatform();
    const log = await logOfTen(platform);
    replaceDisk(platform);
    platform.witnesses.lose("test");
    const other = await TestLog.open(platform.restart());
    await other.createStream();
    for (let i = 0; i < 20; i++) await other.put(someRecords(2));
    platform.stores.opened[0]?.lose("site data was cleared");
    await expect(log.put(someRecords(1))).rejects.toBeInstanceOf(Error);
    expect(log.log.failure).toBeInstanceOf(EngineFailedError);
    expect((await other.readAll()).records).toHaveLength(40);
    await other.log.close();
  });
});
