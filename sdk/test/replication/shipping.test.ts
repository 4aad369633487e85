/** Streams that are shipped elsewhere: all records, in order, once for whoever consumes them there. */
import { encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { numbered, put, textOf, until } from "../groups/support.ts";
import { http1, openRemote, startKinesalite, startServe } from "../remote/support.ts";
import {
  byKey,
  checkOrder,
  consume,
  drained,
  eventsOf,
  farStream,
  openEngine,
  remoteOf,
  servedRemoteOf,
  stopLater,
} from "./support.ts";

describe("stream.replicateTo", () => {
  it("ships all records in order per key", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const { far, inside } = await farStream(there, "clicks", 3);
    await put(local, 0, 500);
    const replication = stopLater(await local.replicateTo(far));
    const events = eventsOf(replication);
    await put(local, 500, 1000);
    await drained(replication);
    checkOrder(await consume(inside, 1000), 0, 1000);
    const status = await replication.status();
    expect(status).toMatchObject({ state: "running", copiedRecords: 1000, retries: 0, lagMs: 0 });
    expect(status.copiedBytes).toBe(2890);
    expect(status.estimatedMs).toBe(0);
    await until(() => events.some(({ kind }) => kind === "caught-up"));
    expect(replication.name).toMatch(/^replicate-clicks-[0-9a-f]{8}$/);
  });

  it("ships plain records, of each key one at a time, when it is told not to aggregate", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const { far, inside } = await farStream(there, "clicks", 2);
    await put(local, 0, 600);
    const replication = stopLater(await local.replicateTo(far, { aggregate: false }));
    await drained(replication);
    const records = await consume(inside, 600);
    checkOrder(records, 0, 600);
    expect(records.every(({ stored, data }) => stored.data.byteLength === data.byteLength)).toBe(
      true,
    );
    expect(records.some(({ mark }) => mark !== undefined)).toBe(false);
  });

  it("keeps members of aggregates, explicit hash keys, and data that look like an aggregate", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("mixed", { shards: 1 });
    const { far, inside } = await farStream(there, "mixed", 4);
    const member = (i: number) => ({
      ...{ partitionKey: "same", data: new TextEncoder().encode(`${i}`) },
      explicitHashKey: (2n ** 126n * BigInt(i)).toString(),
    });
    const members = [member(0), member(1), member(2), member(3)];
    await local.putRecord({ partitionKey: "a", data: encodeAggregate(members) });
    const strange = new Uint8Array([0xf3, 0x89, 0x9a, 0xc2, 1, 2, 3]);
    await local.putRecord({ partitionKey: "strange", data: strange });
    const replication = stopLater(await local.replicateTo(far));
    await drained(replication);
    const records = await consume(inside, 5);
    const same = records.filter(({ partitionKey }) => partitionKey === "same");
    expect(same.map(({ explicitHashKey }) => explicitHashKey).sort()).toEqual(
      members.map(({ explicitHashKey }) => explicitHashKey).sort(),
    );
    expect(new Set(same.map(({ shardId }) => shardId)).size).toBe(4);
    const kept = records.find(({ partitionKey }) => partitionKey === "strange");
    expect([...(kept?.data ?? [])]).toEqual([...strange]);
    expect(new Set(same.map(({ mark }) => mark?.subSequenceNumber))).toEqual(new Set([0, 1, 2, 3]));
  });

  it("goes on where it was when it is begun again, and shares its shards with others of its name", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 4 });
    const { far, inside } = await farStream(there, "clicks", 2);
    const first = await local.replicateTo(far);
    await put(local, 0, 300);
    await drained(first);
    await first.stop();
    expect(first.closed).toBe(true);
    await expect(first.finished).resolves.toBeUndefined();
    await put(local, 300, 600);
    const both = [stopLater(await local.replicateTo(far)), stopLater(await local.replicateTo(far))];
    for (const one of both) await until(async () => (await one.status()).state === "running");
    await put(local, 600, 900);
    for (const one of both) await drained(one);
    checkOrder(await consume(inside, 900), 0, 900);
    const copied = await Promise.all(both.map(async (one) => (await one.status()).copiedRecords));
    expect(copied.reduce((sum, count) => sum + count, 0)).toBe(600);
    expect(Math.min(...copied)).toBeGreaterThan(0);
  });

  it("follows splits and merges on the far side", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const { far, inside } = await farStream(there, "clicks", 2);
    const replication = stopLater(await local.replicateTo(far));
    let next = 0;
    const more = async (): Promise<void> => {
      await put(local, next, next + 200);
      next += 200;
    };
    for (let round = 0; round < 6; round++) {
      await more();
      const open = (await inside.describe()).openShards;
      const [low, high] = open;
      if (round % 2 === 0) await inside.split(open.at(-1)?.shardId ?? "");
      else await inside.merge(low?.shardId ?? "", high?.shardId ?? "");
    }
    await more();
    await drained(replication);
    checkOrder(await consume(inside, next), 0, next);
  });

  it("follows splits and merges of its own stream", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const { far, inside } = await farStream(there, "clicks", 2);
    const replication = stopLater(await local.replicateTo(far));
    await put(local, 0, 300);
    await local.split("shardId-000000000000");
    await put(local, 300, 600);
    await local.merge("shardId-000000000002", "shardId-000000000003");
    await put(local, 600, 900);
    await until(async () => (await replication.status()).copiedRecords === 900);
    checkOrder(await consume(inside, 900), 0, 900);
  });

  it("ships nothing while it is paused, and goes on after that", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far, inside } = await farStream(there, "clicks", 1);
    const replication = stopLater(await local.replicateTo(far));
    const events = eventsOf(replication);
    await put(local, 0, 10);
    await drained(replication);
    await replication.pause();
    await put(local, 10, 30);
    await until(async () => (await replication.status()).lagRecords === 20);
    expect(await replication.status()).toMatchObject({ state: "paused", copiedRecords: 10 });
    expect((await replication.status()).reason).toBeUndefined();
    replication.resume();
    await drained(replication);
    checkOrder(await consume(inside, 30), 0, 30);
    const states = events.flatMap((event) => (event.kind === "changed" ? [event.state] : []));
    expect(states).toEqual(["running", "paused", "running"]);
  });

  it("stops while it is paused with records on their way, and leaves them to the next one", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far, inside } = await farStream(there, "clicks", 1);
    const first = await local.replicateTo(far);
    await first.pause();
    await put(local, 0, 50);
    await until(async () => (await first.status()).lagRecords === 50);
    await first.stop();
    const next = stopLater(await local.replicateTo(far));
    await drained(next);
    checkOrder(await consume(inside, 50), 0, 50);
  });

  it("keeps to a bandwidth", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far } = await farStream(there, "clicks", 1);
    const data = new Uint8Array(2000);
    for (let i = 0; i < 30; i++) await local.putRecord({ partitionKey: `k${i}`, data });
    const replication = stopLater(await local.replicateTo(far, { bytesPerSecondMax: 20_000 }));
    const begunMs = performance.now();
    await drained(replication);
    // 60 kB, of which one second's may go at once.
    expect(performance.now() - begunMs).toBeGreaterThan(1200);
  });

  it("begins where it is told, and does not take what lies before for sent", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far, inside } = await farStream(there, "clicks", 1);
    await put(local, 0, 20);
    const late = stopLater(await local.replicateTo(far, { name: "late", from: "LATEST" }));
    await until(async () => (await late.status()).state === "running");
    await put(local, 20, 30);
    await until(async () => (await late.status()).copiedRecords === 10);
    expect((await consume(inside, 10)).map(textOf)).toEqual(
      Array.from({ length: 10 }, (_, i) => `${20 + i}`),
    );
    const whole = stopLater(await local.replicateTo(far, { name: "whole" }));
    await drained(whole);
    const again = await consume(inside, 40, { group: "again" });
    expect(new Set(again.map(textOf)).size).toBe(30);
  });

  it("ships over HTTP to millrace serve", async () => {
    const here = await openEngine();
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const remote = await openRemote((await startServe()).url);
    const far = await remote.streams.ensure("clicks", { shards: 2 });
    const replication = stopLater(await local.replicateTo(far));
    await put(local, 0, 2000);
    await drained(replication);
    expect((await replication.status()).copiedRecords).toBe(2000);
    let count = 0;
    for await (const record of far.read({ from: "TRIM_HORIZON", until: "end" })) {
      count += record.data.byteLength > 0 ? 1 : 0;
    }
    // Aggregates: far fewer than what was put.
    expect(count).toBeLessThan(100);
  });

  it("ships plain records to kinesalite, in order per key", async () => {
    const here = await openEngine();
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const remote = await openRemote(await startKinesalite(), { requestHandler: http1() });
    const far = await remote.streams.ensure("clicks", { shards: 2 });
    const replication = stopLater(await local.replicateTo(far, { aggregate: false }));
    await put(local, 0, 400);
    await drained(replication);
    const last = new Map<string, number>();
    let count = 0;
    for await (const record of far.read({ from: "TRIM_HORIZON", until: "end" })) {
      const value = Number(textOf(record));
      expect(value).toBeGreaterThan(last.get(record.partitionKey) ?? -1);
      last.set(record.partitionKey, value);
      count += 1;
    }
    expect(count).toBe(400);
  });
});

describe("a ring of replications", () => {
  it.each([
    { way: "the client", elsewhere: remoteOf },
    { way: "HTTP", elsewhere: servedRemoteOf },
  ])("over $way stops at the stream that records were put into first", async ({ elsewhere }) => {
    const [a, b] = [await openEngine(), await openEngine()];
    const inA = await a.streams.ensure("ring", { shards: 2 });
    const inB = await b.streams.ensure("ring", { shards: 3 });
    const toB = stopLater(await inA.replicateTo(await (await elsewhere(b)).streams.get("ring")));
    const toA = stopLater(await inB.replicateTo(await (await elsewhere(a)).streams.get("ring")));
    await inA.putRecords(numbered(0, 200));
    const ofB = numbered(200, 300).map(({ data, partitionKey }) => ({
      ...{ data, partitionKey: `b-${partitionKey}` },
    }));
    await inB.putRecords(ofB);
    await until(async () => {
      const [one, other] = [await toB.status(), await toA.status()];
      return (
        one.copiedRecords + other.copiedRecords >= 600 &&
        one.lagRecords === 0 &&
        other.lagRecords === 0 &&
        one.repeats >= 200 &&
        other.repeats >= 100
      );
    });
    // All went once around, and what came back was not sent again.
    expect((await toB.status()).copiedRecords).toBe(300);
    expect((await toA.status()).copiedRecords).toBe(300);
    expect((await toB.status()).repeats).toBe(200);
    expect((await toA.status()).repeats).toBe(100);
    for (const stream of [inA, inB]) checkOrder(await consume(stream, 300), 0, 300);
    const kept = await consume(inA, 500, { group: "keeps", repeats: "keep" });
    expect(kept).toHaveLength(500);
    expect(byKey(kept).size).toBe(46);
  });
});
