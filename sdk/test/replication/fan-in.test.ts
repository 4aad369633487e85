/** Several ways into one local stream: one replica of each source, and nothing that only one of them brought is dropped. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Millrace, open, type Replication, type Stream } from "millrace";
import { encodeAggregate } from "millrace/aggregation";
import type { RemoteStream } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { hashKeyFrom } from "../../src/aggregation/hash-key.ts";
import { sourceOf, tagOf } from "../../src/replication/mark.ts";
import { textOf } from "../groups/support.ts";
import { advance, endLater, openRemote, startServe } from "../remote/support.ts";
import { failureOf } from "../support.ts";
import { numbered, readAll, replicate, until } from "./replica-support.ts";
import { consume, farStream, openEngine, remoteOf, stopLater } from "./support.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const RING = { start: hashKeyFrom(0n), end: hashKeyFrom((1n << 128n) - 1n) };
const SOURCE = sourceOf({ incarnation: "a".repeat(32), streamUid: 1 }, 0, "b".repeat(16), RING);

/** An aggregate of one record as a shipper sends it: the numbers are its place in the source and its data. */
function marked(index: number): { readonly partitionKey: string; readonly data: Uint8Array } {
  const tags = [tagOf({ source: SOURCE, index, subSequenceNumber: 0 }, undefined)];
  const data = new TextEncoder().encode(`${index}`);
  const aggregate = encodeAggregate([{ partitionKey: "k", data, tags }]);
  return { partitionKey: "k", data: aggregate };
}

async function ship(inside: Pick<Stream, "putRecord">, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) await inside.putRecord(marked(index));
}

async function copied(replica: Replication, records: number): Promise<void> {
  await until(async () => (await replica.status()).copiedRecords >= records);
}

/** Ends a replica for good. */
async function remove(engine: Millrace, replica: Replication): Promise<void> {
  await replica.stop();
  await (await engine.groups.get(replica.name)).delete();
}

/** What a group is delivered, each number once however often it comes. */
async function delivered(stream: Stream, count: number): Promise<number[]> {
  const records = await consume(stream, count);
  return [...new Set(records.map((record) => Number(textOf(record))))].sort((a, b) => a - b);
}

const integers = (to: number): number[] => Array.from({ length: to }, (_, i) => i);

async function scene(): Promise<{
  readonly engine: Millrace;
  readonly near: Stream;
  readonly far: RemoteStream;
  readonly inside: Stream;
}> {
  const engine = await openEngine();
  const near = await engine.streams.create("copy", { shards: 1 });
  const { far, inside } = await farStream(await openEngine(), "clicks", 1);
  return { engine, near, far, inside };
}

describe("a second replica of a stream into the same local stream", () => {
  it("is refused before anything is copied, wherever it begins, and however the first one is doing", async () => {
    const { engine, near, far } = await scene();
    await far.putRecords(numbered(0, 10));
    const first = await replicate(far, near, { name: "first" });
    await copied(first, 10);
    const refused = {
      ...{ name: "ResourceInUseError", argument: "name", value: "second", limit: "first" },
      ...{ message: expect.stringContaining(far.arn) },
    };
    for (const from of ["TRIM_HORIZON", "LATEST", new Date()] as const) {
      expect(await failureOf(far.replicateTo(near, { name: "second", from }))).toMatchObject(
        refused,
      );
    }
    await first.stop();
    expect(await failureOf(far.replicateTo(near, { name: "second" }))).toMatchObject(refused);
    // Also where there is a group of that name that does something else.
    await near.group("second", { failoverMs: 2000 });
    expect(await failureOf(far.replicateTo(near, { name: "second" }))).toMatchObject(refused);
    expect((await engine.groups.list()).map(({ name }) => name).sort()).toEqual([
      "first",
      "second",
    ]);
    expect(await readAll(near)).toHaveLength(10);
  });

  it("under the same name is the same one, and goes on", async () => {
    const { near, far } = await scene();
    await far.putRecords(numbered(0, 10));
    const first = await replicate(far, near);
    await copied(first, 10);
    const again = await replicate(far, near, { from: "LATEST" });
    await first.stop();
    await far.putRecords(numbered(10, 20));
    await copied(again, 10);
    expect(await readAll(near)).toHaveLength(20);
  });

  it("is refused also by an engine that was opened again, where the first one goes on within its run", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-fan-in-"));
    endLater(() => rm(directory, { recursive: true, force: true }));
    const { far, inside } = await farStream(await openEngine(), "clicks", 1);
    await ship(inside, 0, 10);
    const before = await open({ name: "near", storage: "file", directory });
    const first = await far.replicateTo(await before.streams.create("copy"), { name: "first" });
    await copied(first, 10);
    await first.stop();
    await before.close();
    const engine = await openEngine({ name: "near", storage: "file", directory });
    const near = await engine.streams.get("copy");
    const refused = failureOf(far.replicateTo(near, { name: "second", from: "LATEST" }));
    expect(await refused).toMatchObject({ name: "ResourceInUseError", limit: "first" });
    // Shipped again, as when an answer was lost.
    await ship(inside, 5, 15);
    await copied(await replicate(far, near, { name: "first" }), 10);
    expect((await consume(near, 15)).map(textOf)).toEqual(integers(15).map(String));
  });

  it("is none where it goes to another local stream, or comes from another stream", async () => {
    const { engine, near, far } = await scene();
    const other = await engine.streams.create("other");
    const { far: second } = await farStream(await openEngine(), "views", 1);
    for (const stream of [far, second]) await stream.putRecords(numbered(0, 10));
    const replicas = [
      await replicate(far, near, { name: "one" }),
      await replicate(far, other, { name: "two" }),
      await replicate(second, near, { name: "three" }),
    ];
    for (const replica of replicas) await copied(replica, 10);
    expect(await readAll(near)).toHaveLength(20);
  });

  it("may begin when the first one is gone for good, and hides nothing that neither had brought", async () => {
    const { engine, near, far, inside } = await scene();
    await ship(inside, 0, 10);
    const first = await replicate(far, near, { name: "first" });
    await copied(first, 10);
    await remove(engine, first);
    await ship(inside, 10, 20);
    const second = await replicate(far, near, { name: "second", from: "LATEST" });
    await until(async () => (await second.status()).lagMs === 0);
    await ship(inside, 20, 30);
    await copied(second, 10);
    await remove(engine, second);
    expect(await delivered(near, 20)).toEqual([...integers(10), ...integers(30).slice(20)]);
    const third = await replicate(far, near, { name: "third" });
    await copied(third, 30);
    expect(await delivered(near, 10)).toEqual(integers(30));
  });
});

describe("two ways of the same records into one stream", () => {
  it("from different places on hide nothing that only one of them brings", async () => {
    const { engine, near, far, inside } = await scene();
    const between = await openEngine();
    const middle = await between.streams.create("clicks", { shards: 1 });
    const hop = await replicate(far, middle);
    await ship(inside, 0, 10);
    await copied(hop, 10);
    const direct = await replicate(far, near, { name: "direct" });
    await copied(direct, 10);
    await direct.pause();
    await ship(inside, 10, 20);
    await copied(hop, 20);
    const remote = await (await remoteOf(between)).streams.get("clicks");
    const way = await replicate(remote, near, { name: "by-way-of", from: "LATEST" });
    await until(async () => (await way.status()).lagMs === 0);
    await ship(inside, 20, 30);
    await copied(way, 10);
    direct.resume();
    await copied(direct, 30);
    expect(await delivered(near, 30)).toEqual(integers(30));
    await remove(engine, way);
  });
});

describe("the marks of a copy", () => {
  it("drop what is shipped again within it, and say another run behind a gap", async () => {
    const { url } = await startServe({ time: "virtual" });
    const far = await (await openRemote(url)).streams.create("clicks");
    const near = await (await openEngine()).streams.create("copy");
    for (const index of [0, 1, 2, 1, 2, 3]) await far.putRecord(marked(index));
    const first = await replicate(far, near);
    await copied(first, 6);
    await first.stop();
    for (const index of [4, 5]) await far.putRecord(marked(index));
    await advance(url, DAY_MS + 3_600_000);
    for (const index of [6, 7]) await far.putRecord(marked(index));
    await advance(url, 60_000);
    const second = await replicate(far, near);
    await copied(second, 2);
    // The shipper was away as well, and its answers were lost.
    for (const index of [4, 5, 6, 7]) await far.putRecord(marked(index));
    await copied(second, 6);
    const records = await consume(near, 8);
    expect(records.map(textOf)).toEqual(["0", "1", "2", "3", "6", "7", "4", "5"]);
  });
});

describe("a replication that ships copies on", () => {
  it("begins another run behind a gap, so that what was never shipped is not taken for a repeat", async () => {
    const here = await openEngine({ time: "virtual" });
    const local = await here.streams.create("clicks", { shards: 1 });
    const { far, inside } = await farStream(await openEngine(), "clicks", 1);
    await ship(local, 0, 5);
    const first = await local.replicateTo(far);
    await until(async () => (await first.status()).lagRecords === 0);
    await first.stop();
    await ship(local, 5, 8);
    for (let hour = 0; hour < 26; hour++) await here.time.advance(HOUR_MS);
    await ship(local, 8, 10);
    const second = stopLater(await local.replicateTo(far));
    await until(async () => (await second.status()).copiedRecords === 2);
    expect((await second.status()).gaps).toHaveLength(1);
    // Whoever put them was away as well, and its answers were lost.
    await ship(local, 5, 10);
    await until(async () => (await second.status()).copiedRecords === 5);
    expect(await delivered(inside, 10)).toEqual(integers(10));
  });
});
