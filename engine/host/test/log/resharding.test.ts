/** Reshards in the log: parents end, children take over, readers notice, and all of it survives. */
import { PART_AT_END, PART_SHARD_CLOSED } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import type { ControlRecord } from "../../src/log/control-records.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { hexKey, TestLog } from "../support/logs.ts";
import { numberOf, someRecords } from "../support/records.ts";

const ENDED = PART_AT_END | PART_SHARD_CLOSED;

/** Resolves when all promise jobs that are due have run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("a reshard", () => {
  it("closes the parent, gives its keys to the children, and keeps the parent readable", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.put(someRecords(40));
    await platform.clock.advance(1000);
    await log.split(0);
    const rows = await log.put(someRecords(40, 100, 40));
    expect(new Set(rows.map(({ shardIndex }) => shardIndex))).toEqual(new Set([1, 2]));
    expect(rows.every(({ status }) => status === 0)).toBe(true);
    const { records, flags } = await log.readAll();
    expect(records.map(numberOf).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 80 }, (_, i) => i),
    );
    expect(records.filter(({ shardIndex }) => shardIndex === 0)).toHaveLength(40);
    expect([...flags]).toEqual([
      [0, ENDED],
      [1, PART_AT_END],
      [2, PART_AT_END],
    ]);
    const [parent, lower, upper] = log.stream().shards;
    expect(parent?.closedMs).toBe(platform.clock.nowMs());
    expect([lower?.parentShardIndex, upper?.parentShardIndex]).toEqual([0, 0]);
    expect(log.stream().nextShardIndex).toBe(3);
    await log.log.close();
  });

  it("of several steps in one change leaves intermediate shards closed and empty", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    const records = [log.splitting(0), log.splitting(1), log.merging(3)];
    await log.log.change(records);
    const open = log.stream().shards.filter(({ closedMs }) => closedMs === undefined);
    expect(open.map(({ shardIndex }) => shardIndex)).toEqual([2, 5, 6]);
    await log.put(someRecords(60));
    const { flags } = await log.readAll();
    expect([...flags.values()].filter((flag) => flag === ENDED)).toHaveLength(4);
    const seconds = new Map(log.stream().shards.map((one) => [one.shardIndex, one.createdSeconds]));
    for (const { parentShardIndex, createdSeconds } of log.stream().shards) {
      if (parentShardIndex === undefined) continue;
      expect(createdSeconds).toBeGreaterThan(seconds.get(parentShardIndex) ?? Infinity);
    }
    expect(log.log.control.lastCreatedSeconds("clicks")).toBe(Math.max(...seconds.values()));
    await log.log.close();
  });

  it("lets what was appended to a parent before commit to it afterwards", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    platform.stores.faults.add({ kind: "none", nth: 1, operations: ["appendFrame"], until });
    const first = log.put(someRecords(5));
    const reshard = log.split(0);
    const second = log.put(someRecords(5, 100, 5));
    release();
    // The reshard commits with the second batch, which was appended to the parent.
    await reshard;
    expect((await second).map(({ shardIndex }) => shardIndex)).toEqual([0, 0, 0, 0, 0]);
    await first;
    const part = await log.read(log.shard(0), 0);
    expect(part.records.map(numberOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(part.flags).toBe(ENDED);
    await log.log.close();
  });

  it("does not end a parent for its readers while something provisional is left in it", async () => {
    for (const fault of ["none", "abort"] as const) {
      const platform = virtualPlatform();
      const log = await TestLog.open(platform);
      await log.createStream();
      const parent = log.shard(0);
      await log.put(someRecords(3));
      const gates: (() => void)[] = [];
      for (const nth of [1, 2]) {
        const until = new Promise<void>((resolve) => gates.push(resolve));
        const kind = nth === 2 ? fault : "none";
        platform.stores.faults.add({ kind, nth: 1, operations: ["appendFrame"], until });
      }
      const reshard = log.split(0);
      const late = log.put(someRecords(3, 100, 3)).then(
        () => "stored",
        () => "refused",
      );
      gates[0]?.();
      await reshard;
      let woken = 0;
      const before = await log.read(parent, 0);
      expect([before.records.length, before.flags]).toEqual([3, PART_AT_END]);
      log.log.onCommit([parent.slot], () => {
        woken++;
      });
      await turn();
      expect(woken).toBe(0);
      gates[1]?.();
      expect(await late).toBe(fault === "none" ? "stored" : "refused");
      await turn();
      expect(woken).toBe(1);
      const after = await log.read(parent, before.nextIndex);
      expect([after.records.length, after.flags]).toEqual([fault === "none" ? 3 : 0, ENDED]);
      await log.log.close();
    }
  });

  it("wakes the readers that wait at the end of a parent, and tells them the end", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    await log.put(someRecords(20));
    let woken = 0;
    log.log.onCommit([log.shard(0).slot], () => {
      woken++;
    });
    await log.split(1);
    expect(woken).toBe(0);
    await log.split(0);
    expect(woken).toBe(1);
    const positions = [0, 1, 2].map((index) => ({ shard: log.shard(index), nextIndex: 1e9 }));
    const outcome = await log.log.read(positions, { recordsMax: 10, bytesMax: 1000 });
    expect(outcome.ended.map(({ shardIndex }) => shardIndex)).toEqual([0, 1]);
    await log.log.close();
  });

  it("seals what its parents hold without waiting for them to fill", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.put(someRecords(10));
    await log.split(0);
    await platform.clock.advance(10);
    expect(log.log.status().segments).toBe(1);
    await log.log.close();
  });
});

describe("a reshard of a log in memory", () => {
  it("takes effect at once, and a contradiction is refused like elsewhere", async () => {
    const log = await TestLog.open(virtualPlatform({ recoverable: false }));
    await log.createStream();
    await log.put(someRecords(20));
    const reshard = log.splitting(0);
    await log.log.change([reshard]);
    await expect(log.log.change([reshard])).rejects.toThrow("not open");
    await log.put(someRecords(20, 100, 20));
    const { records, flags } = await log.readAll();
    expect(records).toHaveLength(40);
    expect([...flags.values()]).toEqual([ENDED, PART_AT_END, PART_AT_END]);
    await log.log.close();
  });
});

describe("a change that contradicts the state", () => {
  it("is refused before it is written, also when its rival is in the same frame", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    const first = log.splitting(0);
    log.replan();
    const second = { ...log.splitting(0) };
    const document: ControlRecord = { kind: "document-put", key: "a", value: 1 };
    const outcomes = await Promise.allSettled([
      log.log.change([{ kind: "document-put", key: "b", value: 2 }]),
      log.log.change([first]),
      log.log.change([document, second]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    expect(log.log.control.document("a")).toBeUndefined();
    expect(log.stream().shards).toHaveLength(3);
    await log.put(someRecords(3));
    const again = await TestLog.open(platform.restart());
    expect(again.log.losses).toEqual([]);
    expect(again.stream()).toEqual(log.stream());
    await again.log.close();
  });

  it("is refused when it leaves a hole in the ring, reuses a shard, or closes a closed one", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    const { uid } = await log.createStream();
    const good = log.splitting(0);
    if (good.kind !== "stream-resharded") throw new Error("not a reshard");
    const [lower, upper] = good.opened;
    if (lower === undefined || upper === undefined) throw new Error("no children");
    const bad: ControlRecord[] = [
      { ...good, opened: [lower] },
      { ...good, opened: [lower, { ...upper, startingHashKey: lower.startingHashKey }] },
      { ...good, opened: [lower, { ...upper, endingHashKey: hexKey(1n << 127n) }] },
      { ...good, closed: [77] },
      { ...good, opened: [lower, { ...upper, uid: 1 }] },
      { ...good, opened: [{ ...lower, shardIndex: 0 }, upper] },
      { ...good, streamUid: 99 },
      { kind: "stream-updated", streamUid: 99, settings: { retentionHours: 48 } },
      { kind: "shards-expired", shardUids: [1] },
    ];
    for (const record of bad) await expect(log.log.change([record])).rejects.toThrow();
    expect(log.stream().shards).toHaveLength(1);
    await log.log.change([good]);
    await expect(log.log.change([good])).rejects.toThrow("not open");
    expect(log.log.control.stream(uid)?.shards).toHaveLength(3);
    await log.log.close();
  });

  it("is refused when there is no room for its shards", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 500);
    let open = 500;
    for (let round = 0; round < 4; round++) {
      const merges: ControlRecord[] = [];
      const shards = log
        .stream()
        .shards.filter(({ closedMs }) => closedMs === undefined)
        .sort((a, b) => (a.startingHashKey < b.startingHashKey ? -1 : 1));
      for (let i = 0; i + 1 < open; i += 2) merges.push(log.merging(shards[i]?.shardIndex ?? -1));
      await log.log.change(merges);
      const merged = log.stream().shards.filter(({ closedMs }) => closedMs === undefined);
      open = merged.length;
      await log.log.change(merged.map(({ shardIndex }) => log.splitting(shardIndex)));
      open *= 2;
    }
    expect(log.log.control.shardCount).toBe(500 + 4 * 750);
    const all = log.stream().shards.filter(({ closedMs }) => closedMs === undefined);
    const halves = all.map(({ shardIndex }) => log.splitting(shardIndex));
    await expect(log.log.change(halves)).rejects.toMatchObject({ name: "LimitExceededError" });
    expect(log.log.control.shardCount).toBe(500 + 4 * 750);
    await log.put(someRecords(50));
    await log.log.close();
  }, 60_000);
});

describe("recovery of a resharded log", () => {
  it("puts the records of the WAL back into closed shards", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    await log.put(someRecords(30));
    await log.split(0);
    await log.put(someRecords(30, 100, 30));
    await log.merge(1 + 1);
    await log.put(someRecords(30, 100, 60));
    const before = await log.readAll();
    const again = await TestLog.open(platform.restart());
    const after = await again.readAll();
    expect(again.log.losses).toEqual([]);
    expect(after).toEqual(before);
    expect(again.stream()).toEqual(log.stream());
    await again.log.checkpoint();
    await again.log.close();
    const third = await TestLog.open(platform.restart());
    expect(await third.readAll()).toEqual(before);
    expect(third.stream()).toMatchObject({ ...log.stream(), shards: log.stream().shards });
    await third.log.close();
  });

  it("reports a reshard that a damaged frame held, and what came after it, and goes on", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.put(someRecords(10));
    const store = new MemoryLogStore({ disk: platform.stores.disk("test") });
    await log.split(0);
    const frameNumber = await store.lastFrameNumber();
    await log.put(someRecords(10, 100, 10));
    await log.split(1);
    const frame = (await store.readFrame(frameNumber)) ?? new Uint8Array(0);
    platform.stores.disk("test").overwriteFrame(frameNumber, frame.fill(0xee, 100, 110));
    const again = await TestLog.open(platform.restart());
    const where = again.log.losses.map((loss) => loss.where);
    expect(where).toContain(`WAL frame ${frameNumber}`);
    expect(where.some((one) => one.endsWith("stream-resharded"))).toBe(true);
    const lost = again.log.losses.reduce((sum, loss) => sum + (loss.recordCount ?? 0), 0);
    expect(lost).toBe(10);
    expect(again.stream().shards.map(({ closedMs }) => closedMs)).toEqual([undefined]);
    await again.split(0);
    await again.put(someRecords(10, 100, 20));
    const { records } = await again.readAll();
    expect(records.map(numberOf).sort((a, b) => a - b)).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].concat(Array.from({ length: 10 }, (_, i) => 20 + i)),
    );
    await again.log.close();
  });
});

describe("a store that lost all it had before it was opened", () => {
  it("is reported as the loss of the whole log", async () => {
    const platform = virtualPlatform();
    const { stores } = platform;
    const lossAtOpening = "the browser began it anew";
    const lost = new MemoryLogStore({ disk: stores.disk("test"), lossAtOpening });
    const log = await TestLog.open({
      ...platform,
      stores: Object.assign(Object.create(stores), { open: async () => lost }),
    });
    expect(log.log.losses).toEqual([
      { kind: "log", where: "the whole log", reason: lossAtOpening, recordCount: undefined },
    ]);
    await log.log.close();
  });
});
