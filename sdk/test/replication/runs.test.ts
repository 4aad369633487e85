/** Streams that are shipped by several runs: whoever begins in the middle, again or by way of others hides nothing. */
import { RecordTooLargeError } from "millrace";
import { describe, expect, it } from "vitest";
import { put, textOf, until } from "../groups/support.ts";
import { consume, drained, farStream, openEngine, remoteOf, stopLater } from "./support.ts";

const texts = (records: Awaited<ReturnType<typeof consume>>): Set<string> =>
  new Set(records.map(textOf));

function numbers(from: number, to: number): Set<string> {
  return new Set(Array.from({ length: to - from }, (_, i) => `${from + i}`));
}

describe("runs of shipping", () => {
  it("by way of a stream that began in the middle say nothing of what was before", async () => {
    const [a, b, c] = [await openEngine(), await openEngine(), await openEngine()];
    const inA = await a.streams.ensure("s", { shards: 1 });
    const inB = await b.streams.ensure("s", { shards: 1 });
    const inC = await c.streams.ensure("s", { shards: 1 });
    await put(inA, 0, 100);
    const toB = stopLater(await inA.replicateTo(await (await remoteOf(b)).streams.get("s")));
    await drained(toB);
    const farC = await (await remoteOf(c)).streams.get("s");
    const onwards = stopLater(await inB.replicateTo(farC, { name: "onwards", from: "LATEST" }));
    await until(async () => (await onwards.status()).state === "running");
    await put(inA, 100, 101);
    await until(async () => (await onwards.status()).copiedRecords === 1);
    const direct = stopLater(await inA.replicateTo(farC, { name: "direct" }));
    await until(async () => (await direct.status()).copiedRecords === 101);
    expect(texts(await consume(inC, 102))).toEqual(numbers(0, 101));
  });

  it("under another name deliver all again", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("s", { shards: 2 });
    const { far, inside } = await farStream(there, "s", 2);
    await put(local, 0, 50);
    await drained(stopLater(await local.replicateTo(far)));
    await drained(stopLater(await local.replicateTo(far, { name: "again" })));
    expect(await consume(inside, 100)).toHaveLength(100);
  });

  it("go on after a stop, and are others after a reset of the group", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("s", { shards: 1 });
    const { far, inside } = await farStream(there, "s", 1);
    const name = "ship";
    const ship = async (count: number): Promise<void> => {
      const replication = await local.replicateTo(far, { name });
      await until(async () => (await replication.status()).copiedRecords === count);
      await drained(replication);
      await replication.stop();
    };
    await put(local, 0, 10);
    await ship(10);
    const group = await local.group(name);
    await put(local, 10, 20);
    await group.reset("LATEST");
    await put(local, 20, 30);
    await ship(10);
    await put(local, 30, 40);
    await ship(10);
    await group.reset("TRIM_HORIZON");
    await ship(40);
    const records = await consume(inside, 70);
    expect(texts(records)).toEqual(numbers(0, 40));
    expect(new Set(records.map(({ mark }) => mark?.source.origin)).size).toBe(3);
  });

  it("pause at a record that has no room for its mark, and send one that has for a brief one", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("large", { shards: 1, recordKibMax: 2048 });
    const { far, inside } = await farStream(there, "large", 7);
    const putLarge = (room: number): Promise<unknown> =>
      local.putRecord({ partitionKey: "k", data: new Uint8Array(1_048_576 - room) });
    await putLarge(150);
    const replication = stopLater(await local.replicateTo(far));
    await drained(replication);
    const [first] = await consume(inside, 1);
    expect(first?.data.byteLength).toBe(1_048_426);
    expect(first?.mark).toBeDefined();
    await putLarge(20);
    await until(async () => (await replication.status()).state === "paused");
    expect((await replication.status()).reason).toBeInstanceOf(RecordTooLargeError);
  });
});
