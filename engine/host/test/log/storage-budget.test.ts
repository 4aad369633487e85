/**
 * Full stores: what the budget and the store itself have no room for is refused with a typed error, room
 * is made where it can be, streams that give way lose their oldest records and say so, and nothing that
 * was acknowledged is lost otherwise.
 */
import { readFile } from "node:fs/promises";
import { PART_TRIMMED } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import { StoreFullError } from "../../src/errors/index.ts";
import type { LogEvent } from "../../src/log/log-events.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";
import { whileTimePasses } from "../support/fates.ts";
import { TestLog } from "../support/logs.ts";
import { numberOf, someRecords } from "../support/records.ts";

const MIB = 1_048_576;
/** A log with a snapshot of version 2. */
const OLDER_LOG = new URL("../../../../test/fixtures/formats/log-2.json", import.meta.url);
const BUDGET_BYTES = 16 * MIB;
const ARENA_BYTES = 24 * MIB;

interface Filled {
  readonly acknowledged: number[];
  readonly refused: StoreFullError[];
}

/** Puts batches of about 250 kB one after the other. */
async function fill(log: TestLog, batches: number, first = 0, name = "clicks"): Promise<Filled> {
  const filled: Filled = { acknowledged: [], refused: [] };
  for (let i = 0; i < batches; i++) {
    const records = someRecords(5, 50_000, (first + i) * 5);
    try {
      await whileTimePasses(log.platform, log.put(records, name));
      filled.acknowledged.push(...records.map(numberOf));
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      filled.refused.push(error);
    }
  }
  return filled;
}

interface Opened {
  readonly platform: VirtualPlatform;
  readonly log: TestLog;
  readonly events: LogEvent[];
}

async function open(platform = virtualPlatform(), storageBudgetBytes?: number): Promise<Opened> {
  const events: LogEvent[] = [];
  const log = await TestLog.open(platform, {
    arenaBytesMax: ARENA_BYTES,
    onEvent: (event) => events.push(event),
    ...(storageBudgetBytes === undefined ? {} : { storageBudgetBytes }),
  });
  return { platform, log, events };
}

const numbers = async (log: TestLog, name = "clicks"): Promise<number[]> =>
  (await log.readAll(name)).records.map(numberOf);

const fullEvents = (events: readonly LogEvent[]): boolean[] =>
  events.flatMap((event) => (event.kind === "storage-full" ? [event.full] : []));

const drops = (events: readonly LogEvent[]): Extract<LogEvent, { kind: "records-dropped" }>[] =>
  events.filter((event) => event.kind === "records-dropped");

describe("the bytes that are stored", () => {
  it("are those that the store holds, after whatever was done, and over a recovery", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new SeededRandom(seed);
      const draw = (below: number): number => (random.fill(new Uint8Array(1))[0] ?? 0) % below;
      const platform = virtualPlatform({ seed });
      let { log } = await open(platform);
      const check = async (): Promise<void> => {
        await platform.clock.advance(2000);
        const { storedBytes } = log.log.status();
        expect(storedBytes, `seed ${seed}`).toBe(platform.stores.disk("test").usedBytes);
      };
      await log.createStream("clicks", 2);
      await log.createStream("views");
      for (let step = 0; step < 25; step++) {
        const action = draw(12);
        if (action < 8) await log.put(someRecords(1 + draw(20), 100 + draw(200) * 60, step * 100));
        else if (action < 9) await log.log.checkpoint();
        else if (action < 10) await log.log.sweep();
        else if (action < 11) platform.clock.advanceBy(draw(20) * 3_600_000);
        else {
          await log.log.close();
          ({ log } = await open(platform.restart()));
        }
        await check();
      }
      await log.log.change([{ kind: "stream-deleted", streamUid: log.stream("clicks").uid }]);
      await check();
      await log.log.close();
    }
  });

  it("are read from the segments when an older snapshot did not tell their lengths", async () => {
    const platform = virtualPlatform();
    const disk = platform.stores.disk("test");
    const text = await readFile(OLDER_LOG, "utf8");
    const { frames, segments } = JSON.parse(text) as {
      frames: { frameNumber: number; base64: string }[];
      segments: { key: SegmentKey; base64: string }[];
    };
    const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
    for (const { frameNumber, base64 } of frames) disk.overwriteFrame(frameNumber, bytes(base64));
    disk.addSegments(
      segments.map(({ key, base64 }) => ({
        key,
        image: bytes(base64).slice().buffer as ArrayBuffer,
      })),
    );
    expect(segments.length).toBeGreaterThan(0);
    const { log } = await open(platform, 64 * MIB);
    await platform.clock.advance(1000);
    expect(log.log.status().storedBytes).toBe(disk.usedBytes);
    await log.log.close();
  });
});

describe("a storage budget", () => {
  it("is never exceeded; puts beyond it are refused and everything acknowledged can be read", async () => {
    const { platform, log, events } = await open(virtualPlatform(), BUDGET_BYTES);
    const disk = platform.stores.disk("test");
    await log.createStream();
    const { acknowledged, refused } = await fill(log, 80);
    expect(acknowledged.length * 50_000).toBeGreaterThan(BUDGET_BYTES * 0.6);
    expect(refused.length).toBeGreaterThan(10);
    expect(refused[0]).toMatchObject({ code: "StoreFullException", retryable: true });
    expect(disk.usedBytes).toBeLessThanOrEqual(BUDGET_BYTES);
    expect(log.log.status()).toMatchObject({ full: true, budgetBytes: BUDGET_BYTES });
    expect(fullEvents(events)).toEqual([true]);
    expect(await numbers(log)).toEqual(acknowledged);
    // Changes of state go through, and so does what they free.
    await log.createStream("other");
    await log.log.change([{ kind: "stream-deleted", streamUid: log.stream("clicks").uid }]);
    await platform.clock.advance(5000);
    expect(log.log.status().full).toBe(false);
    expect(fullEvents(events)).toEqual([true, false]);
    expect((await fill(log, 4, 0, "other")).refused).toEqual([]);
    await log.log.close();
  });

  it("holds over a recovery, and reads go on", async () => {
    const platform = virtualPlatform();
    const first = await open(platform, BUDGET_BYTES);
    await first.log.createStream();
    const { acknowledged } = await fill(first.log, 80);
    await first.log.log.close();
    const { log } = await open(platform.restart(), BUDGET_BYTES);
    expect((await fill(log, 3, 90)).refused).toHaveLength(3);
    expect(await numbers(log)).toEqual(acknowledged);
    expect(platform.stores.disk("test").usedBytes).toBeLessThanOrEqual(BUDGET_BYTES);
    await log.log.close();
  });

  it("makes room by what retention no longer keeps, without being asked", async () => {
    const { platform, log, events } = await open(virtualPlatform(), BUDGET_BYTES);
    await log.createStream();
    await fill(log, 80);
    expect(log.log.status().full).toBe(true);
    await platform.clock.advance(25 * 3_600_000);
    expect(log.log.status().full).toBe(false);
    const { refused, acknowledged } = await fill(log, 10, 100);
    expect(refused).toEqual([]);
    expect(await numbers(log)).toEqual(acknowledged);
    expect(fullEvents(events)).toEqual([true, false]);
    expect(drops(events)).toEqual([]);
    await log.log.close();
  });

  it("refuses for good what it could never hold, and is not full because of it", async () => {
    const { log, events } = await open(virtualPlatform(), BUDGET_BYTES);
    await log.createStream("clicks", 1, { recordKibMax: 10_240 });
    await expect(log.put(someRecords(1, 9 * MIB))).rejects.toMatchObject({
      code: "StoreFullException",
      retryable: false,
    });
    expect((await fill(log, 2)).refused).toEqual([]);
    expect(events).toEqual([]);
    await log.log.close();
  });
});

describe("a stream that gives way", () => {
  it("takes everything and loses its oldest records, which is told exactly", async () => {
    const { platform, log, events } = await open(virtualPlatform(), BUDGET_BYTES);
    await log.createStream("clicks", 2, { whenFull: "drop-oldest" });
    await log.createStream("kept");
    const kept = await fill(log, 6, 0, "kept");
    const { acknowledged, refused } = await fill(log, 160);
    expect(refused).toEqual([]);
    expect(platform.stores.disk("test").usedBytes).toBeLessThanOrEqual(BUDGET_BYTES);
    const left = await numbers(log);
    const dropped = drops(events);
    expect(dropped.length).toBeGreaterThan(2);
    const told = dropped.reduce((sum, { recordCount }) => sum + (recordCount ?? Number.NaN), 0);
    expect(told).toBe(acknowledged.length - left.length);
    for (const shardIndex of [0, 1]) {
      const { records } = await log.readAll();
      const indexes = records
        .filter((record) => record.shardIndex === shardIndex)
        .map(({ index }) => index);
      expect(indexes.length).toBeGreaterThan(0);
      expect(indexes).toEqual(range(indexes[0] ?? 0, (indexes.at(-1) ?? 0) + 1));
    }
    expect(await numbers(log, "kept")).toEqual(kept.acknowledged);
    expect(fullEvents(events)).toEqual([]);
    expect(log.log.losses).toEqual([]);
    await log.log.close();
    const next = await open(platform.restart(), BUDGET_BYTES);
    expect(await numbers(next.log)).toEqual(left);
    expect(next.log.log.losses).toEqual([]);
    await next.log.log.close();
  });

  it("shows readers that stand in what is gone that it was trimmed", async () => {
    const { log, events } = await open(virtualPlatform(), BUDGET_BYTES);
    await log.createStream("clicks", 1, { whenFull: "drop-oldest" });
    await fill(log, 4);
    const first = (await log.readAll()).records[0]?.index ?? -1;
    await fill(log, 120, 4);
    expect(drops(events).length).toBeGreaterThan(0);
    const part = await log.read(log.shard(0), first, { recordsMax: 1, bytesMax: 100_000 });
    expect(part.flags & PART_TRIMMED).toBe(PART_TRIMMED);
    expect(part.records[0]?.index).toBe(await log.log.trimHorizon(log.shard(0)));
    await log.log.close();
  });

  it("makes room for the others, too, oldest segments of all such streams first", async () => {
    const { log, events, platform } = await open(virtualPlatform(), BUDGET_BYTES);
    await log.createStream("old", 1, { whenFull: "drop-oldest" });
    await log.createStream("young", 1, { whenFull: "drop-oldest" });
    await log.createStream("clicks");
    await fill(log, 22, 0, "old");
    await platform.clock.advance(1000);
    await fill(log, 22, 0, "young");
    const { refused, acknowledged } = await fill(log, 20);
    expect(refused).toEqual([]);
    expect(await numbers(log)).toEqual(acknowledged);
    expect(new Set(drops(events).map(({ streamName }) => streamName))).toEqual(new Set(["old"]));
    await log.log.close();
  });

  it("gives nothing for what would not fit all the same", async () => {
    const { log, events } = await open(virtualPlatform(), BUDGET_BYTES);
    await log.createStream();
    await log.createStream("small", 1, { whenFull: "drop-oldest" });
    const small = await fill(log, 2, 0, "small");
    const { refused } = await fill(log, 80);
    expect(refused.length).toBeGreaterThan(0);
    await expect(log.put(someRecords(100, 50_000))).rejects.toBeInstanceOf(StoreFullError);
    const left = await numbers(log, "small");
    const told = drops(events).reduce((sum, { recordCount }) => sum + (recordCount ?? 0), 0);
    expect(left.length + told).toBe(small.acknowledged.length);
    await log.log.close();
  });
});

describe("a store that is full", () => {
  it("refuses puts, serves reads, and takes puts again when it has room", async () => {
    const { platform, log, events } = await open();
    const disk = platform.stores.disk("test");
    disk.capacityBytes = 8 * MIB;
    await log.createStream();
    const { acknowledged, refused } = await fill(log, 60);
    expect(refused.length).toBeGreaterThan(5);
    expect(log.log.status().full).toBe(true);
    expect(await numbers(log)).toEqual(acknowledged);
    disk.capacityBytes = 32 * MIB;
    await platform.clock.advance(31_000);
    expect(log.log.status().full).toBe(false);
    const more = await fill(log, 4, 100);
    expect(more.refused).toEqual([]);
    expect(await numbers(log)).toEqual([...acknowledged, ...more.acknowledged]);
    expect(fullEvents(events)).toEqual([true, false]);
    await log.log.close();
  });

  it("makes no put fail for one refusal where there is something to free", async () => {
    const { platform, log, events } = await open();
    await log.createStream();
    const first = await fill(log, 8);
    platform.stores.faults.add({ kind: "full", nth: 1, operations: ["appendFrame"] });
    const records = [0, 1, 2, 3].map((i) => log.put(someRecords(5, 1000, 1000 + 5 * i)));
    await whileTimePasses(platform, Promise.all(records));
    expect(await numbers(log)).toEqual([...first.acknowledged, ...range(1000, 1020)]);
    expect(events).toEqual([]);
    await log.log.close();
  });

  it("has streams that give way lose their oldest, whatever the store's limit is", async () => {
    const { platform, log, events } = await open();
    const disk = platform.stores.disk("test");
    disk.capacityBytes = 12 * MIB;
    await log.createStream("clicks", 1, { whenFull: "drop-oldest" });
    const { acknowledged, refused } = await fill(log, 120);
    const left = await numbers(log);
    expect(refused.length).toBeLessThan(6);
    expect(left).toEqual(acknowledged.slice(acknowledged.length - left.length));
    const told = drops(events).reduce((sum, { recordCount }) => sum + (recordCount ?? 0), 0);
    expect(told).toBe(acknowledged.length - left.length);
    expect(log.log.losses).toEqual([]);
    await log.log.close();
  });

  it("stays full while it takes frames and no segments", async () => {
    const { platform, log, events } = await open();
    const disk = platform.stores.disk("test");
    const addSegments = disk.addSegments.bind(disk);
    let largest = 200_000;
    disk.addSegments = (segments) => {
      const byteLength = segments.reduce((sum, { image }) => sum + image.byteLength, 0);
      if (byteLength > largest) throw new StoreFullError("no room for a segment");
      addSegments(segments);
    };
    await log.createStream();
    const { acknowledged, refused } = await fill(log, 70);
    expect(refused.length).toBeGreaterThan(5);
    expect(log.log.status().full).toBe(true);
    await platform.clock.advance(120_000);
    expect(fullEvents(events)).toEqual([true]);
    largest = Number.POSITIVE_INFINITY;
    await platform.clock.advance(61_000);
    expect(log.log.status().full).toBe(false);
    const more = await fill(log, 4, 100);
    expect(await numbers(log)).toEqual([...acknowledged, ...more.acknowledged]);
    expect(more.refused).toEqual([]);
    await log.log.close();
  });

  it("does not write on and on in vain, and closes", async () => {
    const { platform, log } = await open();
    await log.createStream();
    await fill(log, 10);
    const disk = platform.stores.disk("test");
    disk.capacityBytes = disk.usedBytes;
    const { refused } = await fill(log, 3, 100);
    expect(refused).toHaveLength(3);
    const before = platform.stores.faults.operations.length;
    await platform.clock.advance(600_000);
    // Ten minutes: a try every second would be more than a thousand.
    expect(platform.stores.faults.operations.length - before).toBeLessThan(300);
    await whileTimePasses(platform, log.log.close());
  });

  it("closes while batches wait for room", async () => {
    const { platform, log } = await open();
    await log.createStream();
    const { acknowledged } = await fill(log, 10);
    const disk = platform.stores.disk("test");
    disk.capacityBytes = disk.usedBytes;
    const outcomes = [0, 1, 2, 3].map((i) =>
      log.put(someRecords(5, 50_000, 500 + 5 * i)).then(
        () => "acknowledged",
        (error: unknown) => error,
      ),
    );
    await whileTimePasses(platform, log.log.close());
    for (const outcome of await Promise.all(outcomes)) {
      expect(outcome).toBeInstanceOf(StoreFullError);
    }
    disk.capacityBytes = undefined;
    const next = await open(platform.restart());
    expect(await numbers(next.log)).toEqual(acknowledged);
    await next.log.log.close();
  });

  it("keeps every promise when any of its writes is refused for want of room", async () => {
    for (let nth = 1; nth < 80; nth++) {
      const { platform, log } = await open();
      await log.createStream("clicks", 1, {
        whenFull: nth % 2 === 0 ? "drop-oldest" : "refuse-new",
      });
      platform.stores.faults.add({ kind: "full", nth });
      platform.stores.faults.add({ kind: "full", nth: nth + 3 });
      const before = platform.stores.faults.operations.length;
      const { acknowledged } = await fill(log, 14);
      await log.log.checkpoint().catch(() => undefined);
      await platform.clock.advance(70_000);
      const left = await numbers(log);
      if (nth % 2 === 1) expect(left, `operation ${nth}`).toEqual(acknowledged);
      else expect(left, `operation ${nth}`).toEqual(acknowledged.slice(-left.length));
      expect(log.log.status().full, `operation ${nth}`).toBe(false);
      expect(log.log.losses, `operation ${nth}`).toEqual([]);
      const operations = platform.stores.faults.operations.length - before;
      await log.log.close();
      if (operations < nth) break;
    }
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
