/**
 * Shard iterators: every type exact on empty, growing, closed and trimmed shards, through every face; that
 * they expire; and, against a naive model, wherever a random history lets them stand.
 */
import type { OutputOf } from "@millrace/engine/model";
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import { faces } from "./faces.ts";
import { History, steps } from "./iterators/history.ts";
import { seekEverywhere } from "./iterators/seek.ts";
import { bytes, createStream, type Input, STREAM, text, type World } from "./world.ts";

const SHARD = "shardId-000000000000";
const UPPER = "shardId-000000000001";
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const OPTIONS = { quotas: "unlimited" } as const;

type Place = Omit<Input<"GetShardIterator">, "StreamName" | "ShardId">;

async function iteratorAt(world: World, place: Place, ShardId = SHARD): Promise<string> {
  const input = { StreamName: STREAM, ShardId, ...place };
  const { ShardIterator } = await world.call("GetShardIterator", input);
  assert.isString(ShardIterator);
  return ShardIterator ?? "";
}

async function put(world: World, ...texts: readonly string[]): Promise<string[]> {
  const numbers: string[] = [];
  for (const data of texts) {
    const input = { StreamName: STREAM, PartitionKey: "ada", Data: bytes(data) };
    numbers.push((await world.call("PutRecord", input)).SequenceNumber);
  }
  return numbers;
}

/** What an iterator still brings, and whether there is more to come. */
async function drain(world: World, iterator: string): Promise<[string[], "open" | "closed"]> {
  const texts: string[] = [];
  for (let next = iterator; ; ) {
    const page: OutputOf<"GetRecords"> = await world.call("GetRecords", { ShardIterator: next });
    texts.push(...page.Records.map(({ Data }) => text(Data)));
    if (page.NextShardIterator === undefined) return [texts, "closed"];
    if (page.MillisBehindLatest === 0) return [texts, "open"];
    next = page.NextShardIterator;
  }
}

async function seek(world: World, place: Place, ShardId = SHARD) {
  return await drain(world, await iteratorAt(world, place, ShardId));
}

async function errorOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => "none",
    (error: Error) => error.name,
  );
}

/** Every type of iterator around the records of a shard, and what it must bring. */
function placesAround(
  numbers: readonly string[],
  timesMs: readonly number[],
  texts: readonly string[],
): [Place, readonly string[]][] {
  return [
    [{ ShardIteratorType: "TRIM_HORIZON" }, texts],
    [{ ShardIteratorType: "LATEST" }, []],
    ...numbers.flatMap((StartingSequenceNumber, i): [Place, readonly string[]][] => [
      [{ ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber }, texts.slice(i)],
      [{ ShardIteratorType: "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber }, texts.slice(i + 1)],
    ]),
    ...timesMs.flatMap((timeMs, i): [Place, readonly string[]][] => [
      [at(timeMs), texts.slice(i)],
      [at(timeMs - 1), texts.slice(i)],
      [at(timeMs + 1), texts.slice(i + 1)],
    ]),
  ];
}

function at(timeMs: number): Place {
  return { ShardIteratorType: "AT_TIMESTAMP", Timestamp: new Date(timeMs) };
}

/** Three records a minute apart, and a minute after them. */
async function putApart(world: World): Promise<[string[], number[]]> {
  const numbers: string[] = [];
  const timesMs: number[] = [];
  for (const data of ["one", "two", "three"]) {
    timesMs.push(await world.now());
    numbers.push(...(await put(world, data)));
    await world.advance(MINUTE_MS);
  }
  return [numbers, timesMs];
}

/** Runs in a fresh world of every face. */
function throughFaces(title: string, run: (world: World) => Promise<void>): void {
  for (const face of faces.filter(({ wholeSeconds }) => wholeSeconds !== true)) {
    test(`${title}: ${face.name}`, async () => {
      const { world, close } = await face.open(OPTIONS);
      try {
        await run(world);
      } finally {
        await close();
      }
    });
  }
}

describe("every type of iterator is exact", () => {
  throughFaces("on an empty shard, where whatever comes is yet to come", async (world) => {
    await createStream(world);
    const createdMs = await world.now();
    await world.advance(MINUTE_MS);
    const types = ["TRIM_HORIZON", "LATEST"] as const;
    const nowMs = await world.now();
    const places: Place[] = [
      ...types.map((ShardIteratorType) => ({ ShardIteratorType })),
      ...[0, createdMs, nowMs - 1, nowMs].map(at),
    ];
    const iterators = await Promise.all(places.map((place) => iteratorAt(world, place)));
    for (const iterator of iterators) assert.deepEqual(await drain(world, iterator), [[], "open"]);
    assert.equal(await errorOf(seek(world, at(nowMs + 1))), "InvalidArgumentException");
    await put(world, "first");
    for (const iterator of iterators) {
      assert.deepEqual(await drain(world, iterator), [["first"], "open"]);
    }
  });

  throughFaces("on a growing shard, around each of its records", async (world) => {
    await createStream(world);
    const [numbers, timesMs] = await putApart(world);
    const latest = await iteratorAt(world, { ShardIteratorType: "LATEST" });
    const after = await iteratorAt(world, at(await world.now()));
    for (const [place, texts] of placesAround(numbers, timesMs, ["one", "two", "three"])) {
      assert.deepEqual(await seek(world, place), [[...texts], "open"], JSON.stringify(place));
    }
    await put(world, "four");
    assert.deepEqual(await drain(world, latest), [["four"], "open"]);
    assert.deepEqual(await drain(world, after), [["four"], "open"]);
  });

  throughFaces("on a shard that was split", async (world) => {
    await createStream(world);
    const [numbers, timesMs] = await putApart(world);
    await world.call("SplitShard", {
      StreamName: STREAM,
      ShardToSplit: SHARD,
      NewStartingHashKey: String(1n << 127n),
    });
    await put(world, "of a child");
    for (const [place, texts] of placesAround(numbers, timesMs, ["one", "two", "three"])) {
      assert.deepEqual(await seek(world, place), [[...texts], "closed"], JSON.stringify(place));
    }
    assert.deepEqual(await seek(world, at(await world.now())), [[], "closed"]);
    const { Shards = [] } = await world.call("ListShards", { StreamName: STREAM });
    const { EndingSequenceNumber: end = "" } = Shards[0]?.SequenceNumberRange ?? {};
    for (const ShardIteratorType of ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] as const) {
      const place = { ShardIteratorType, StartingSequenceNumber: end };
      assert.deepEqual(await seek(world, place), [[], "closed"]);
    }
    const children = await Promise.all(
      Shards.slice(1).map(async ({ ShardId, SequenceNumberRange: range }) => {
        const { StartingSequenceNumber } = range;
        const beginning = {
          ShardIteratorType: "AT_SEQUENCE_NUMBER",
          StartingSequenceNumber,
        } as const;
        const [fromNumber] = await seek(world, beginning, ShardId);
        const [fromHorizon] = await seek(world, { ShardIteratorType: "TRIM_HORIZON" }, ShardId);
        assert.deepEqual(fromNumber, fromHorizon);
        return fromNumber;
      }),
    );
    assert.deepEqual(children.flat(), ["of a child"]);
  });

  throughFaces("on shards that were merged", async (world) => {
    await createStream(world, 2);
    const low = { StreamName: STREAM, PartitionKey: "a", ExplicitHashKey: "0" };
    const high = { ...low, ExplicitHashKey: String((1n << 128n) - 1n) };
    await world.call("PutRecord", { ...low, Data: bytes("low") });
    await world.call("PutRecord", { ...high, Data: bytes("high") });
    await world.advance(1);
    const merge = { StreamName: STREAM, ShardToMerge: SHARD, AdjacentShardToMerge: UPPER };
    await world.call("MergeShards", merge);
    await world.call("PutRecord", { ...low, Data: bytes("together") });
    const oldest: Place = { ShardIteratorType: "TRIM_HORIZON" };
    const latest: Place = { ShardIteratorType: "LATEST" };
    assert.deepEqual(await seek(world, oldest, SHARD), [["low"], "closed"]);
    assert.deepEqual(await seek(world, oldest, UPPER), [["high"], "closed"]);
    assert.deepEqual(await seek(world, latest, UPPER), [[], "closed"]);
    assert.deepEqual(await seek(world, oldest, "shardId-000000000002"), [["together"], "open"]);
  });

  throughFaces("on a shard of which retention trimmed a part, then all", async (world) => {
    await createStream(world);
    const firstMs = await world.now();
    const [first = ""] = await put(world, "first");
    await world.advance(12 * HOUR_MS);
    const [second = ""] = await put(world, "second");
    const number = (type: "AT" | "AFTER", StartingSequenceNumber: string): Place => ({
      ShardIteratorType: `${type}_SEQUENCE_NUMBER`,
      StartingSequenceNumber,
    });
    const old: Place[] = [
      { ShardIteratorType: "TRIM_HORIZON" },
      number("AT", first),
      number("AFTER", first),
      at(firstMs),
      at(0),
    ];
    await world.advance(12 * HOUR_MS + MINUTE_MS);
    for (const place of [...old, number("AT", second)]) {
      assert.deepEqual(await seek(world, place), [["second"], "open"], JSON.stringify(place));
    }
    assert.deepEqual(await seek(world, number("AFTER", second)), [[], "open"]);
    await world.advance(12 * HOUR_MS);
    for (const place of [...old, number("AT", second), number("AFTER", second)]) {
      assert.deepEqual(await seek(world, place), [[], "open"], JSON.stringify(place));
    }
    await put(world, "third");
    for (const place of old) assert.deepEqual(await seek(world, place), [["third"], "open"]);
  });
});

describe("an iterator", () => {
  throughFaces("is good for 299 seconds and expired after 301", async (world) => {
    await createStream(world);
    await put(world, "kept");
    const iterator = await iteratorAt(world, { ShardIteratorType: "TRIM_HORIZON" });
    await world.advance(299_000);
    const { NextShardIterator = "", Records } = await world.call("GetRecords", {
      ShardIterator: iterator,
    });
    assert.equal(Records.length, 1);
    await world.advance(2000);
    assert.equal(await errorOf(drain(world, iterator)), "ExpiredIteratorException");
    // The one that goes on was given out later.
    assert.deepEqual(await drain(world, NextShardIterator), [[], "open"]);
    await world.advance(300_000);
    assert.equal(await errorOf(drain(world, NextShardIterator)), "ExpiredIteratorException");
    assert.deepEqual(await seek(world, { ShardIteratorType: "TRIM_HORIZON" }), [["kept"], "open"]);
  });

  throughFaces("of another stream's shard, or of none, is refused", async (world) => {
    await createStream(world);
    const iterator = await iteratorAt(world, { ShardIteratorType: "LATEST" });
    const read = (ShardIterator: string) => errorOf(world.call("GetRecords", { ShardIterator }));
    assert.equal(await read(`${iterator.slice(0, -6)}AAAAA=`), "InvalidArgumentException");
    assert.equal(await read("AAAAAAAAAAE="), "InvalidArgumentException");
    await world.call("DeleteStream", { StreamName: STREAM });
    assert.equal(await read(iterator), "ResourceNotFoundException");
    await createStream(world);
    assert.notEqual(await read(iterator), "none");
  });
});

/** Histories of a run, and the seed that they are made from; fast-check prints it when one fails. */
const RUNS = Number(process.env["MILLRACE_HISTORY_RUNS"] ?? 150);
const SEED = Number(process.env["MILLRACE_HISTORY_SEED"] ?? 1);

/** Names of what a history must have brought about for the property to mean something. */
const MET: readonly (keyof ReturnType<History["met"]>)[] = [
  "closed",
  "empty",
  "trimmed",
  "expired",
];

describe("against a naive model", () => {
  test("every iterator and every read stands where it should", { timeout: 600_000 }, async () => {
    const met = new Map(MET.map((name) => [name, 0]));
    const property = fc.asyncProperty(steps, fc.nat(), async (all, seed) => {
      const history = await History.open();
      try {
        for (const one of all) await history.take(one);
        await seekEverywhere(history, seed);
        for (const [name, count] of Object.entries(history.met())) {
          met.set(
            name as (typeof MET)[number],
            (met.get(name as (typeof MET)[number]) ?? 0) + count,
          );
        }
      } finally {
        await history.close();
      }
    });
    await fc.assert(property, { numRuns: RUNS, seed: SEED });
    for (const [name, count] of met) assert.isAbove(count, 0, name);
  });
});
