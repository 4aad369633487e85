/** Shards that are split, merged and scaled, and what is put and read across it. */
import { InvalidArgumentError, type Millrace, ResourceNotFoundError, type Stream } from "millrace";
import { describe, expect, it } from "vitest";
import { byKey, failureOf, openEngine, readAll } from "./support.ts";

const HOUR_MS = 3_600_000;
const SHARD_0 = "shardId-000000000000";
const RING_END = ((1n << 128n) - 1n).toString();

async function opened(shards = 1): Promise<{ engine: Millrace; stream: Stream }> {
  const engine = await openEngine();
  return { engine, stream: await engine.streams.create("clicks", { shards }) };
}

function numbered(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => ({
    partitionKey: `key-${(from + i) % 23}`,
    data: `${from + i}`,
  }));
}

/** Hash keys of the open shards, which must cover the ring exactly once. */
async function openRanges(stream: Stream): Promise<[string, string][]> {
  const { openShards } = await stream.describe();
  const ranges = openShards.map((one): [string, string] => [
    one.startingHashKey,
    one.endingHashKey,
  ]);
  let next = 0n;
  for (const [start, end] of ranges) {
    expect(BigInt(start)).toBe(next);
    next = BigInt(end) + 1n;
  }
  expect(next).toBe(1n << 128n);
  return ranges;
}

describe("shards", () => {
  it("are split in the middle or where it is said, with their lineage", async () => {
    const { stream } = await opened();
    const [lower, upper] = await stream.split(SHARD_0);
    expect([lower?.startingHashKey, lower?.endingHashKey]).toEqual([
      "0",
      ((1n << 127n) - 1n).toString(),
    ]);
    expect([upper?.startingHashKey, upper?.endingHashKey]).toEqual([
      (1n << 127n).toString(),
      RING_END,
    ]);
    expect([lower?.parentShardIndex, upper?.parentShardIndex]).toEqual([0, 0]);
    const [small] = await stream.split("shardId-000000000001", "1000");
    expect([small?.shardId, small?.endingHashKey]).toEqual(["shardId-000000000003", "999"]);
    const shards = await stream.shards();
    expect(shards.map((shard) => [shard.shardIndex, shard.closedMs !== undefined])).toEqual([
      [0, true],
      [1, true],
      [2, false],
      [3, false],
      [4, false],
    ]);
    await openRanges(stream);
  });

  it("are merged with their neighbours", async () => {
    const { stream } = await opened(3);
    const child = await stream.merge("shardId-000000000001", SHARD_0);
    expect(child).toMatchObject({ shardId: "shardId-000000000003", startingHashKey: "0" });
    expect(new Set([child?.parentShardIndex, child?.adjacentParentShardIndex])).toEqual(
      new Set([0, 1]),
    );
    expect(await openRanges(stream)).toHaveLength(2);
    expect(await failureOf(stream.merge(SHARD_0, "shardId-000000000002"))).toMatchObject({
      code: "InvalidArgumentException",
    });
  });

  it("are scaled uniformly", async () => {
    const { stream } = await opened(2);
    expect((await stream.scale(4)).shards).toBe(4);
    const ranges = await openRanges(stream);
    expect(ranges.map(([start]) => BigInt(start))).toEqual([0n, 1n, 2n, 3n].map((i) => i << 126n));
    expect((await stream.shards()).length).toBe(6);
  });

  it("are refused when they are none, and so are keys outside of them", async () => {
    const { stream } = await opened();
    expect(await failureOf(stream.split("shardId-000000000007"))).toBeInstanceOf(
      ResourceNotFoundError,
    );
    expect(await failureOf(stream.split(SHARD_0, "0"))).toBeInstanceOf(InvalidArgumentError);
    expect(await failureOf(stream.scale(0))).toBeInstanceOf(InvalidArgumentError);
  });
});

describe("retention", () => {
  it("is raised and lowered", async () => {
    const { stream } = await opened();
    expect((await stream.retain(48)).retentionHours).toBe(48);
    expect((await stream.retain(48)).retentionHours).toBe(48);
    expect((await stream.retain(24)).retentionHours).toBe(24);
    expect(stream.description.retentionHours).toBe(24);
    expect(await failureOf(stream.retain(23))).toBeInstanceOf(InvalidArgumentError);
  });
});

describe("an on-demand stream", () => {
  it("begins with four shards, and is not a provisioned one", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks", { mode: "ON_DEMAND" });
    expect([stream.description.mode, stream.description.shards]).toEqual(["ON_DEMAND", 4]);
    expect(await failureOf(streams.ensure("clicks", { mode: "PROVISIONED" }))).toMatchObject({
      argument: "mode",
      limit: "ON_DEMAND",
    });
    await streams.ensure("clicks", { mode: "ON_DEMAND" });
  });
});

describe("reading across reshards", () => {
  it("gives the parent's records before its children's, to the end", async () => {
    const { stream } = await opened();
    await stream.putRecords(numbered(0, 1000));
    await stream.split(SHARD_0);
    await stream.putRecords(numbered(1000, 2000));
    await stream.merge("shardId-000000000001", "shardId-000000000002");
    await stream.putRecords(numbered(2000, 3000));
    const records = await readAll(stream);
    expect(records.map((record) => record.text()).slice(0, 1000)).toEqual(
      numbered(0, 1000).map(({ data }) => data),
    );
    const read = byKey(records.map((one): [string, string] => [one.partitionKey, one.text()]));
    const sent = byKey(
      numbered(0, 3000).map((one): [string, string] => [one.partitionKey, one.data]),
    );
    expect(read).toEqual(sent);
  });

  it("keeps that order over shards in between that took nothing", async () => {
    const { stream } = await opened();
    await stream.putRecords(numbered(0, 200));
    // Neither of the first one's children has a record when its own children come.
    const [lower, upper] = await stream.split(SHARD_0);
    for (const child of [lower, upper]) await stream.split(child?.shardId ?? "");
    await stream.putRecords(numbered(200, 400));
    const texts = (await readAll(stream)).map((record) => record.text());
    expect(texts.slice(0, 200)).toEqual(numbered(0, 200).map(({ data }) => data));
    expect(texts.slice(200).sort()).toEqual(numbered(200, 400).map(({ data }) => data));
  });

  it("starts at a time in whichever shards have something there", async () => {
    const { engine, stream } = await opened().then(async () => {
      const virtual = await openEngine({ time: "virtual" });
      return { engine: virtual, stream: await virtual.streams.create("clicks") };
    });
    await stream.putRecords(numbered(0, 10));
    await engine.time.advance(60_000);
    await stream.split(SHARD_0);
    await engine.time.advance(60_000);
    const from = new Date(await engine.time.now());
    await stream.putRecords(numbered(10, 20));
    const texts: string[] = [];
    for await (const record of stream.read({ from, until: "end" })) texts.push(record.text());
    expect(texts.sort()).toEqual(numbered(10, 20).map(({ data }) => data));
  });

  it("picks up the children of closed shards while it is live, each key in order", async () => {
    const { stream } = await opened(2);
    const total = 3000;
    const expected = byKey(
      numbered(0, total).map((one): [string, string] => [one.partitionKey, one.data]),
    );
    const reading = (async () => {
      const read: [string, string][] = [];
      for await (const record of stream.read({ from: "TRIM_HORIZON", until: "live" })) {
        read.push([record.partitionKey, record.text()]);
        if (read.length === total) break;
      }
      return read;
    })();
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let from = 0; from < total; from += 100) {
      const puts = stream.putRecords(numbered(from, from + 100));
      const open = (await stream.describe()).openShards;
      const at = random(open.length);
      const [one, other] = [open[at], open[at + 1]];
      if (open.length < 8 && random(2) === 0 && one !== undefined) await stream.split(one.shardId);
      else if (one !== undefined && other !== undefined)
        await stream.merge(one.shardId, other.shardId);
      await puts;
    }
    expect(byKey(await reading)).toEqual(expected);
    expect((await stream.shards()).length).toBeGreaterThan(15);
  });

  for (const kind of ["read", "subscribe"] as const) {
    it(`goes on, in ${kind}(), with what came of shards that were removed while it paused`, async () => {
      const engine = await openEngine({ time: "virtual" });
      const stream = await engine.streams.create("clicks");
      await stream.registerConsumer("app");
      await stream.putRecord({ partitionKey: "a", data: "first" });
      const from = "TRIM_HORIZON";
      const batches =
        kind === "read"
          ? stream.readBatches({ from, until: "live" })
          : stream.subscribe({ from, consumer: "app" });
      expect((await batches.next()).value?.text(0)).toBe("first");
      await stream.putRecord({ partitionKey: "a", data: "expires" });
      // The reader never hears of the first split's lower child.
      await stream.split(SHARD_0);
      await engine.time.advance(HOUR_MS);
      await stream.split("shardId-000000000001");
      for (let i = 0; i < 60; i++) await engine.time.advance(HOUR_MS);
      expect((await stream.shards()).map(({ shardIndex }) => shardIndex)).toEqual([2, 3, 4]);
      await stream.putRecords(numbered(0, 30));
      const texts: string[] = [];
      while (texts.length < 30) {
        const { value } = await batches.next();
        for (const record of value ?? []) texts.push(record.text());
      }
      expect(texts.sort()).toEqual(
        numbered(0, 30)
          .map(({ data }) => data)
          .sort(),
      );
      await batches.return?.();
    });
  }

  it("of one shard ends when that is closed, and does not follow", async () => {
    const { stream } = await opened();
    await stream.putRecords(numbered(0, 5));
    const reading = (async () => {
      const texts: string[] = [];
      const options = { from: "TRIM_HORIZON", until: "live", shard: SHARD_0 } as const;
      for await (const record of stream.read(options)) texts.push(record.text());
      return texts;
    })();
    await stream.split(SHARD_0);
    await stream.putRecords(numbered(5, 10));
    expect(await reading).toEqual(["0", "1", "2", "3", "4"]);
  });
});
