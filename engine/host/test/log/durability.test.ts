/**
 * Relaxed streams: their frames do not wait for the disk, stay small, and what a power cut takes of them
 * is a shorter tail or a reported loss; strict streams beside them lose nothing.
 */
import { describe, expect, it } from "vitest";
import { BackpressureError } from "../../src/errors/index.ts";
import { SMALL_FRAME_BYTES } from "../../src/log/commit-pace.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { Durability } from "../../src/storage/log-store.ts";
import { TestLog } from "../support/logs.ts";
import { numberOf, someRecords } from "../support/records.ts";

interface Written {
  readonly byteLength: number;
  readonly durability: Durability;
}

/** Notes the frames that are written from now on. */
function watch(platform: VirtualPlatform): Written[] {
  const frames: Written[] = [];
  const store = platform.stores.opened.at(-1);
  if (store === undefined) throw new Error("no store is open");
  const append = store.appendFrame.bind(store);
  store.appendFrame = (frameNumber, frame, durability) => {
    frames.push({ byteLength: frame.byteLength, durability });
    return append(frameNumber, frame, durability);
  };
  return frames;
}

async function twoStreams(platform: VirtualPlatform): Promise<TestLog> {
  const log = await TestLog.open(platform);
  await log.createStream("strict");
  await log.createStream("relaxed", 1, { durability: "relaxed" });
  return log;
}

const durabilities = (frames: readonly Written[]): Durability[] =>
  frames.map(({ durability }) => durability);

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

describe("frames of relaxed streams", () => {
  it("do not wait for the disk, and those with anything strict in them do", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    const frames = watch(platform);
    await log.put(someRecords(3), "relaxed");
    await log.put(someRecords(3), "strict");
    await log.log.change([{ kind: "document-put", key: "note", value: 1 }]);
    expect(durabilities(frames)).toEqual(["relaxed", "strict", "strict"]);
    await log.log.close();
  });

  it("stay small however much waits, and larger batches go strict", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    const frames = watch(platform);
    const puts = range(0, 60).map((i) => log.put(someRecords(9, 1000, 9 * i), "relaxed"));
    await Promise.all(puts);
    expect(frames.length).toBeGreaterThan(9);
    expect(new Set(durabilities(frames))).toEqual(new Set(["relaxed"]));
    expect(Math.max(...frames.map(({ byteLength }) => byteLength))).toBeLessThanOrEqual(
      SMALL_FRAME_BYTES,
    );
    frames.length = 0;
    await log.put(someRecords(1, 60_000, 900), "relaxed");
    // Small in the request, and large as frames of the log.
    await log.put(someRecords(1500, 4, 901), "relaxed");
    expect(durabilities(frames)).toEqual(["strict", "strict"]);
    expect((await log.readAll("relaxed")).records).toHaveLength(540 + 1501);
    await log.log.close();
  });

  it("keep the order of a stream whose batches are small and large", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    const sizes = [100, 70_000, 100, 100, 90_000, 100, 40_000, 40_000, 100];
    await Promise.all(sizes.map((size, i) => log.put(someRecords(1, size, i), "relaxed")));
    expect((await log.readAll("relaxed")).records.map(numberOf)).toEqual(range(0, sizes.length));
    await log.log.close();
  });

  it("let a strict batch pass, whatever waits before it", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    const frames = watch(platform);
    const backlog = range(0, 100).map((i) => log.put(someRecords(1, 30_000, i), "relaxed"));
    let acknowledgedAfter = -1;
    await log.put(someRecords(1, 100, 500), "strict").then(() => {
      acknowledgedAfter = frames.length;
    });
    // The frame in flight, and the one that takes it along; the next may have been begun.
    expect(acknowledgedAfter).toBeLessThanOrEqual(3);
    await Promise.all(backlog);
    await log.log.close();
  });

  it("get on while strict batches keep coming", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    const frames = watch(platform);
    const strict = range(0, 80).map((i) => log.put(someRecords(1, 200_000, i), "strict"));
    let relaxedAfter = -1;
    const relaxed = log.put(someRecords(1, 100, 900), "relaxed").then(() => {
      relaxedAfter = frames.length;
    });
    await Promise.all([...strict, relaxed]);
    // In flight, growing, the one that takes it along; the next may have been begun. There are 16 in all.
    expect(relaxedAfter).toBeLessThanOrEqual(4);
    await log.log.close();
  });

  it("follow a change of the stream's durability at once", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    const { uid: streamUid } = log.stream("relaxed");
    const set = (durability: Durability): Promise<void> =>
      log.log.change([{ kind: "stream-updated", streamUid, settings: { durability } }]);
    await set("strict");
    const frames = watch(platform);
    await log.put(someRecords(1), "relaxed");
    await set("relaxed");
    await log.put(someRecords(1), "relaxed");
    expect(durabilities(frames)).toEqual(["strict", "strict", "relaxed"]);
    await log.log.close();
  });
});

describe("batches that wait", () => {
  it("are bounded: beyond 64 MiB they are turned away, to be sent again", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform, { arenaBytesMax: 64 * 1_048_576 });
    await log.createStream("clicks", 1, { recordKibMax: 10_240 });
    let goOn = (): void => undefined;
    const until = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    platform.stores.faults.add({ kind: "none", nth: 1, operations: ["appendFrame"], until });
    const record = someRecords(1, 9_000_000);
    const puts = range(0, 12).map(() =>
      log.put(record).then(
        () => "acknowledged",
        (error: unknown) => error,
      ),
    );
    expect(log.log.status().unacknowledgedBytes).toBeLessThan(64 * 1_048_576 + 2 * 9_100_000);
    goOn();
    await platform.clock.advance(60_000);
    const outcomes = await Promise.all(puts);
    const refused = outcomes.filter((outcome) => outcome instanceof BackpressureError);
    expect(refused.length).toBeGreaterThan(1);
    expect(outcomes.filter((outcome) => outcome === "acknowledged")).toHaveLength(
      12 - refused.length,
    );
    await log.log.close();
  });
});

describe("a power cut", () => {
  it("takes the last relaxed records and nothing else, and their indexes never return", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    await log.put(someRecords(5), "relaxed");
    await log.put(someRecords(5), "strict");
    const [lost] = await log.put(someRecords(5, 100, 5), "relaxed");
    expect(platform.stores.disk("test").powerCut()).toBe(1);
    platform.clock.advanceBy(1000);
    const next = await TestLog.open(platform.restart());
    expect((await next.readAll("strict")).records.map(numberOf)).toEqual(range(0, 5));
    expect((await next.readAll("relaxed")).records.map(numberOf)).toEqual(range(0, 5));
    const [row] = await next.put(someRecords(1, 100, 50), "relaxed");
    expect(row?.index).toBeGreaterThan(lost?.index ?? Number.MAX_SAFE_INTEGER);
    await next.log.close();
  });

  it("gives no index back either where a namesake set the creation into the future", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    for (let i = 0; i < 3; i++) {
      const { uid } = await log.createStream("relaxed", 1, { durability: "relaxed" });
      if (i < 2) await log.log.change([{ kind: "stream-deleted", streamUid: uid }]);
    }
    const [shard] = log.stream("relaxed").shards;
    expect((shard?.createdSeconds ?? 0) * 1000).toBeGreaterThan(platform.clock.nowMs());
    const [lost] = await log.put(someRecords(5), "relaxed");
    expect(platform.stores.disk("test").powerCut()).toBe(1);
    platform.clock.advanceBy(100);
    const next = await TestLog.open(platform.restart());
    const [row] = await next.put(someRecords(1, 100, 50), "relaxed");
    expect(row?.index).toBeGreaterThan((lost?.index ?? Number.MAX_SAFE_INTEGER) + 5);
    await next.log.close();
  });

  it("that leaves a hole among the frames is reported, and costs strict streams nothing", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    const frames = watch(platform);
    for (let i = 0; i < 6; i++) {
      await log.put(someRecords(4, 100, 4 * i), "relaxed");
      await log.put(someRecords(4, 100, 4 * i), "strict");
    }
    const disk = platform.stores.disk("test");
    const first = (disk.frameNumbers().at(-1) ?? 0) - frames.length + 1;
    // Stores of files need not write in order: the second relaxed frame is gone, the third one torn.
    disk.overwriteFrame(first + 2, undefined);
    disk.overwriteFrame(first + 4, disk.readFrame(first + 4)?.subarray(0, 90));
    const next = await TestLog.open(platform.restart());
    expect(next.log.losses.length).toBeGreaterThanOrEqual(2);
    expect((await next.readAll("strict")).records.map(numberOf)).toEqual(range(0, 24));
    const left = (await next.readAll("relaxed")).records.map(numberOf);
    expect(left).toEqual([...range(0, 4), ...range(12, 24)]);
    await next.log.close();
  });

  it("at any moment leaves strict records whole and relaxed ones a prefix", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const platform = virtualPlatform({ seed });
      const random = new SeededRandom(seed);
      const draw = (below: number): number => (random.fill(new Uint8Array(1))[0] ?? 0) % below;
      const log = await twoStreams(platform);
      const sent = { strict: 0, relaxed: 0 };
      let waiting: Promise<unknown>[] = [];
      for (let step = 0; step < 30; step++) {
        const name = draw(2) === 0 ? "strict" : "relaxed";
        const count = 1 + draw(6);
        waiting.push(log.put(someRecords(count, 20 + draw(200) * 40, sent[name]), name));
        sent[name] += count;
        if (draw(10) === 0) await log.log.checkpoint();
        if (draw(3) > 0) continue;
        await Promise.all(waiting);
        waiting = [];
      }
      await Promise.all(waiting);
      platform.stores.disk("test").powerCut(draw(4));
      const next = await TestLog.open(platform.restart());
      const there = async (name: string): Promise<number[]> =>
        (await next.readAll(name)).records.map(numberOf);
      expect(await there("strict"), `seed ${seed}`).toEqual(range(0, sent.strict));
      const relaxed = await there("relaxed");
      expect(relaxed, `seed ${seed}`).toEqual(range(0, relaxed.length));
      expect(next.log.losses, `seed ${seed}`).toEqual([]);
      await next.log.close();
    }
  });
});
