/** Copies of streams elsewhere in a local one: every record once and in order, wherever it begins. */
import { createHash } from "node:crypto";
import { BackpressureError, type Stream } from "millrace";
import { encodeAggregate } from "millrace/aggregation";
import { describe, expect, it, vi } from "vitest";
import { answer } from "../remote/stub-endpoint.ts";
import { advance, http1, openRemote, startKinesalite, startServe } from "../remote/support.ts";
import {
  disorderedKeys,
  integers,
  numbered,
  numbersIn,
  openBehind,
  openCopy,
  openLocal,
  readAll,
  replicate,
  until,
} from "./replica-support.ts";

const farSides = [
  { name: "millrace serve", open: async () => await openRemote((await startServe()).url) },
  {
    name: "kinesalite",
    open: async () => await openRemote(await startKinesalite(), { requestHandler: http1() }),
  },
];

describe.each(farSides)("a replica of a stream of $name", ({ open: openFar }) => {
  it("has every record with its key and its data, in order, and goes on with what comes", async () => {
    const far = await (await openFar()).streams.create("clicks", { shards: 3 });
    const near = await openCopy(2);
    await far.putRecords(numbered(0, 500));
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 500);
    await far.putRecords(numbered(500, 800));
    await until(async () => (await replica.status()).copiedRecords === 800);
    const copied = await readAll(near);
    expect(
      copied.map(({ partitionKey, text }) => ({ partitionKey, data: text })).sort(byNumber),
    ).toEqual(numbered(0, 800));
    expect(disorderedKeys(copied)).toEqual([]);
    await until(async () => (await replica.status()).lagMs === 0);
    expect(await replica.status()).toMatchObject({ state: "running", retries: 0, estimatedMs: 0 });
  });

  it("begins at the newest record where it is to", async () => {
    const far = await (await openFar()).streams.create("clicks", { shards: 2 });
    const near = await openCopy();
    await far.putRecords(numbered(0, 50));
    const replica = await replicate(far, near, { from: "LATEST" });
    await until(async () => (await replica.status()).lagMs === 0);
    await far.putRecords(numbered(50, 90));
    await until(async () => (await replica.status()).copiedRecords >= 40);
    expect(await numbersIn(near)).toEqual(integers(50, 90));
  });

  it("goes on over splits and merges of the stream, parents first", async () => {
    const far = await (await openFar()).streams.create("clicks", { shards: 2 });
    const near = await openCopy();
    const replica = await replicate(far, near);
    await far.putRecords(numbered(0, 100));
    const [low, high] = await far.split("shardId-000000000000");
    await far.putRecords(numbered(100, 200));
    await far.merge(high?.shardId ?? "", "shardId-000000000001");
    await far.putRecords(numbered(200, 300));
    await far.split(low?.shardId ?? "");
    await far.putRecords(numbered(300, 400));
    await until(async () => (await replica.status()).copiedRecords >= 400);
    expect(await numbersIn(near)).toEqual(integers(0, 400));
    expect(disorderedKeys(await readAll(near))).toEqual([]);
  });
});

describe("a replica", () => {
  it("begins at a time", async () => {
    const { url } = await startServe({ time: "virtual" });
    const far = await (await openRemote(url)).streams.create("clicks", { shards: 2 });
    const near = await openCopy();
    await far.putRecords(numbered(0, 50));
    await advance(url, 60_000);
    await far.putRecords(numbered(50, 80));
    let timeMs = 0;
    for await (const record of far.read({ from: "TRIM_HORIZON", until: "end" })) {
      if (record.text() === "50") timeMs = record.arrivalMs;
    }
    const replica = await replicate(far, near, { from: new Date(timeMs) });
    await until(async () => (await replica.status()).copiedRecords >= 30);
    expect(await numbersIn(near)).toEqual(integers(50, 80));
  });

  it("copies the largest record that there is, beside others", async () => {
    const remote = await openRemote((await startServe()).url);
    const far = await remote.streams.create("clicks", { recordKibMax: 10_240 });
    const near = await (await openLocal()).streams.create("copy", { recordKibMax: 10_240 });
    const sizes = [5, 10_485_759, 7];
    for (const size of sizes) {
      await far.putRecord({ partitionKey: "k", data: new Uint8Array(size).fill(120) });
    }
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 3);
    expect((await readAll(near)).map(({ text }) => text.length)).toEqual(sizes);
  });

  it("keeps aggregates as they are, in the shards of their members' keys", async () => {
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks", {
      shards: 4,
    });
    const near = await openCopy(4);
    const users = numbered(0, 400, 400);
    for (const shard of await far.shards()) {
      const start = BigInt(shard.startingHashKey);
      const members = users.filter(({ partitionKey }) => {
        const hashKey = hashKeyOf(partitionKey);
        return hashKey >= start && hashKey <= BigInt(shard.endingHashKey);
      });
      const encoder = new TextEncoder();
      const data = encodeAggregate(
        members.map((one) => ({ partitionKey: one.partitionKey, data: encoder.encode(one.data) })),
      );
      // As the KPL does: one key for all aggregates, and the shard by hash key.
      await far.putRecord({ partitionKey: "a", explicitHashKey: shard.startingHashKey, data });
    }
    await replicate(far, near);
    const group = await near.group("readers", { from: "TRIM_HORIZON" });
    const delivered: string[] = [];
    const decoder = new TextDecoder();
    const worker = group.start(() => ({
      processRecords: ({ records }) => {
        for (const { partitionKey, data } of records) {
          delivered.push(`${partitionKey} ${decoder.decode(data)}`);
        }
      },
    }));
    await until(() => delivered.length >= 400);
    await worker.stop();
    expect(delivered.sort()).toEqual(users.map((one) => `${one.partitionKey} ${one.data}`).sort());
    expect((await readAll(near)).map(({ shardId }) => shardId)).toHaveLength(4);
  });

  it("goes on where it was when the local stream is split and merged", async () => {
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks", {
      shards: 2,
    });
    const near = await openCopy(2);
    await far.putRecords(numbered(0, 100));
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 100);
    const [low, high] = await near.split("shardId-000000000000");
    await far.putRecords(numbered(100, 200));
    await until(async () => (await replica.status()).copiedRecords === 200);
    await until(async () => (await leaseOf(near, low?.shardId ?? "")) === "owned");
    await far.putRecords(numbered(200, 300));
    await until(async () => (await replica.status()).copiedRecords === 300);
    await replica.stop();
    await near.merge(low?.shardId ?? "", high?.shardId ?? "");
    await far.putRecords(numbered(300, 400));
    const again = await replicate(far, near);
    await until(async () => (await again.status()).copiedRecords === 100);
    expect(await numbersIn(near)).toEqual(integers(0, 400));
  });
});

describe("a replica whose local stream is split", () => {
  it("hands on where it stands, also when the engine has no answer at that moment", async () => {
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks");
    const near = await openCopy();
    await far.putRecords(numbered(0, 100));
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 100);
    const list = near.shards.bind(near);
    let failures = 0;
    let closed = false;
    vi.spyOn(near, "shards").mockImplementation(async () => {
      // Once it was seen that the shard is closed, it is to be finished.
      if (closed && failures++ < 2) throw new BackpressureError("no answer now");
      const shards = await list();
      closed ||= shards.some(({ closedMs }) => closedMs !== undefined);
      return shards;
    });
    await near.split("shardId-000000000000");
    await until(() => failures > 2);
    await far.putRecords(numbered(100, 200));
    await until(async () => (await replica.status()).copiedRecords >= 200);
    expect(await numbersIn(near)).toEqual(integers(0, 200));
    expect(await replica.status()).toMatchObject({ state: "running", copiedRecords: 200 });
  });
});

describe("a replica of a stream that is split", () => {
  it("has not caught up before it has read what came of the shard", async () => {
    const { url } = await startServe();
    const far = await (await openRemote(url)).streams.create("clicks", { shards: 2 });
    let hidden = false;
    const behind = await openBehind(url, (operation, { response }) => {
      const hides = hidden && operation === "ListShards";
      if (hides) answer(response, 400, { __type: "LimitExceededException", message: "" });
      return hides;
    });
    const replica = await replicate(await behind.streams.get("clicks"), await openCopy());
    let caughtUp = 0;
    replica.on("caught-up", () => {
      caughtUp += 1;
    });
    await until(() => caughtUp === 1);
    hidden = true;
    await far.split("shardId-000000000000");
    await far.putRecords(numbered(0, 100));
    // The shard is read to its end, and the other one goes on.
    await until(async () => (await replica.status()).retries > 2);
    const { copiedRecords, lagMs } = await replica.status();
    expect(copiedRecords).toBeLessThan(100);
    expect({ lagMs, caughtUp }).toEqual({ lagMs: undefined, caughtUp: 1 });
    hidden = false;
    await until(() => caughtUp === 2);
    expect(await replica.status()).toMatchObject({ lagMs: 0, copiedRecords: 100 });
  });
});

async function leaseOf(near: Stream, shardId: string): Promise<string | undefined> {
  const group = await near.group("replica-of-clicks");
  const { leases } = await group.describe();
  return leases.find((lease) => lease.shardId === shardId)?.status;
}

/** Where a partition key stands on the ring. */
function hashKeyOf(partitionKey: string): bigint {
  return BigInt(`0x${createHash("md5").update(partitionKey).digest("hex")}`);
}

function byNumber(left: { readonly data: string }, right: { readonly data: string }): number {
  return Number(left.data) - Number(right.data);
}
