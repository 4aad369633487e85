/** Aggregates in a copy whose shards are others than those of its source: consumers get all that is in them. */
import { createHash } from "node:crypto";
import type { Stream } from "millrace";
import { encodeAggregate } from "millrace/aggregation";
import type { RemoteStream } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { endLater, openRemote, startServe } from "../remote/support.ts";
import {
  integers,
  numbered,
  openCopy,
  openLocal,
  readAll,
  replicate,
  until,
} from "./replica-support.ts";

type User = ReturnType<typeof numbered>[number];

function hashKeyOf(partitionKey: string): bigint {
  return BigInt(`0x${createHash("md5").update(partitionKey).digest("hex")}`);
}

function aggregateOf(users: readonly User[]): Uint8Array {
  const encoder = new TextEncoder();
  return encodeAggregate(
    users.map(({ partitionKey, data }) => ({ partitionKey, data: encoder.encode(data) })),
  );
}

/** Puts the users as the KPL does: one aggregate for each shard. */
async function putAggregates(far: RemoteStream, users: readonly User[]): Promise<void> {
  for (const shard of await far.shards()) {
    if (shard.closedMs !== undefined) continue;
    const [start, end] = [BigInt(shard.startingHashKey), BigInt(shard.endingHashKey)];
    const members = users.filter(({ partitionKey }) => {
      const hashKey = hashKeyOf(partitionKey);
      return hashKey >= start && hashKey <= end;
    });
    const data = aggregateOf(members);
    await far.putRecord({ partitionKey: "a", explicitHashKey: shard.startingHashKey, data });
  }
}

/** Reads a stream as a consumer group does; `dropped` are aggregates that it left out. */
async function startReading(stream: Stream) {
  const group = await stream.group("readers", { from: "TRIM_HORIZON" });
  const delivered: string[] = [];
  const dropped: string[] = [];
  const decoder = new TextDecoder();
  const worker = group.start(() => ({
    processRecords: ({ records }) => {
      for (const { data } of records) delivered.push(decoder.decode(data));
    },
  }));
  worker.on("aggregate-dropped", ({ sequenceNumber }) => dropped.push(sequenceNumber));
  endLater(() => worker.stop());
  const lag = async (): Promise<number> => {
    const { leases } = await group.describe();
    return leases.reduce((sum, { lagRecords }) => sum + lagRecords, 0);
  };
  return { delivered, dropped, done: () => until(async () => (await lag()) === 0) };
}

function sorted(texts: readonly string[]): string[] {
  return [...texts].sort((left, right) => Number(left) - Number(right));
}

function texts(users: readonly User[]): string[] {
  return users.map(({ data }) => data);
}

async function farWith(shards: number): Promise<RemoteStream> {
  return await (await openRemote((await startServe()).url)).streams.create("clicks", { shards });
}

describe("aggregates of a stream", () => {
  it.each([
    { far: 1, near: 4 },
    { far: 3, near: 2 },
    { far: 3, near: 5 },
    { far: 4, near: 1 },
  ])("of $far shards reach the consumers of a copy of $near whole", async (shards) => {
    const far = await farWith(shards.far);
    const near = await openCopy(shards.near);
    const users = numbered(0, 300, 150);
    await putAggregates(far, users);
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).lagMs === 0);
    expect((await replica.status()).copiedRecords).toBe(shards.far);
    const reading = await startReading(near);
    await until(() => reading.delivered.length >= 300);
    await reading.done();
    expect(sorted(reading.delivered)).toEqual(texts(users));
    expect(reading.dropped).toEqual([]);
    const last = new Map<string, number>();
    for (const text of reading.delivered) {
      const key = `k${Number(text) % 150}`;
      expect(Number(text)).toBeGreaterThan(last.get(key) ?? -1);
      last.set(key, Number(text));
    }
  });

  it("do so, too, when the copy is split after its shards were looked at", async () => {
    const far = await farWith(1);
    const near = await openCopy(2);
    const users = numbered(0, 300, 150);
    await putAggregates(far, users.slice(0, 100));
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 1);
    await near.split("shardId-000000000001");
    await putAggregates(far, users.slice(100, 200));
    await until(async () => (await replica.status()).copiedRecords === 2);
    await near.merge("shardId-000000000002", "shardId-000000000003");
    await near.split("shardId-000000000000");
    await putAggregates(far, users.slice(200));
    await until(async () => (await replica.status()).copiedRecords === 3);
    const reading = await startReading(near);
    await until(() => reading.delivered.length >= 300);
    await reading.done();
    expect(sorted(reading.delivered)).toEqual(texts(users));
    expect(reading.dropped).toEqual([]);
  });

  it("that consumers of the stream leave out are left out by those of the copy", async () => {
    const far = await farWith(2);
    const near = await openCopy(4);
    const users = numbered(0, 300, 150);
    const data = aggregateOf(users);
    await far.putRecord({ partitionKey: "a", explicitHashKey: "0", data });
    await putAggregates(far, users);
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 3);
    const reading = await startReading(near);
    await until(() => reading.delivered.length >= 300 && reading.dropped.length > 0);
    await reading.done();
    expect(sorted(reading.delivered)).toEqual(texts(users));
    expect(reading.dropped).toHaveLength(1);
  });

  it("that were shipped twice are cut twice, and reach consumers once", async () => {
    const far = await farWith(1);
    const local = await (await openLocal()).streams.create("clicks", { shards: 2 });
    await local.putRecords(numbered(0, 300, 150));
    const shipping = await local.replicateTo(far);
    endLater(() => shipping.stop());
    await until(async () => (await shipping.status()).lagRecords === 0);
    const shipped: Uint8Array[] = [];
    for await (const { data } of far.read({ from: "TRIM_HORIZON", until: "end" })) {
      shipped.push(data.slice());
    }
    // As after an answer that was lost.
    for (const data of shipped) await far.putRecord({ partitionKey: "again", data });
    const near = await openCopy(4);
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 2 * shipped.length);
    const reading = await startReading(near);
    await until(() => reading.delivered.length >= 300);
    await reading.done();
    expect(sorted(reading.delivered)).toEqual(integers(0, 300).map(String));
    expect(reading.dropped).toEqual([]);
    // The copy holds them all, in pieces.
    expect((await readAll(near)).length).toBeGreaterThan(2 * shipped.length);
  });

  it("that are too large to be cut in one step stay whole, and that is told", async () => {
    const remote = await openRemote((await startServe()).url);
    const far = await remote.streams.create("clicks", { recordKibMax: 10_240 });
    const near = await (await openLocal()).streams.create("copy", {
      ...{ recordKibMax: 10_240, shards: 2 },
    });
    const filler = new Uint8Array(1_500_000).fill(120);
    const large = encodeAggregate(
      Array.from({ length: 6 }, (_, i) => ({ partitionKey: `k${i}`, data: filler })),
    );
    await far.putRecord({ partitionKey: "a", data: large });
    await putAggregates(far, numbered(0, 20));
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 2);
    await until(async () => (await replica.status()).gaps.length > 0);
    const [gap, ...others] = (await replica.status()).gaps;
    expect(others).toEqual([]);
    expect(gap?.after).toMatch(/^\d{56}$/);
    expect(gap).toEqual({ shardId: "shardId-000000000000", after: gap?.after, before: gap?.after });
    const copies = await readAll(near);
    expect(copies.filter(({ text }) => text.length > 1_000_000)).toHaveLength(1);
    const reading = await startReading(near);
    await until(() => reading.delivered.length >= 20 && reading.dropped.length === 1);
    expect(sorted(reading.delivered)).toEqual(texts(numbered(0, 20)));
  });
});

it("records whose keys take more bytes than characters go into as many steps as they need", async () => {
  const far = await farWith(1);
  const near = await (await openLocal()).streams.create("copy");
  const users = Array.from({ length: 10_000 }, (_, i) => ({
    partitionKey: `${i}`.padEnd(256, "한"),
    data: `${i}`.padEnd(90, " "),
  }));
  await far.putRecords(users);
  const replica = await replicate(far, near);
  await until(async () => (await replica.status()).copiedRecords === users.length, 60_000);
  expect(sorted((await readAll(near)).map(({ text }) => text))).toEqual(texts(users));
}, 90_000);
