/**
 * One contract for streams wherever they are: an engine here, `millrace serve` and kinesalite over HTTP. A case
 * that a place cannot do is named, with what it asks for.
 */
import { randomBytes } from "node:crypto";
import { StreamRecord } from "@millrace/engine";
import {
  InvalidArgumentError,
  type MillraceLike,
  RecordTooLargeError,
  ResourceInUseError,
  ResourceNotFoundError,
  type StreamLike,
  StreamSpecMismatchError,
} from "millrace";
import { deaggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { byKey, failureOf } from "../support.ts";
import { type Ability, places } from "./support.ts";

const RING_END = ((1n << 128n) - 1n).toString();
const SHARD_0 = "shardId-000000000000";
const SHARD_1 = "shardId-000000000001";

async function readAll(stream: StreamLike): Promise<StreamRecord[]> {
  const records: StreamRecord[] = [];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    records.push(record);
  }
  return records;
}

async function texts(records: AsyncIterable<StreamRecord>): Promise<string[]> {
  const read: string[] = [];
  for await (const record of records) read.push(record.text());
  return read;
}

function numbered(from: number, to: number, keys = 23) {
  return Array.from({ length: to - from }, (_, i) => ({
    partitionKey: `key-${(from + i) % keys}`,
    data: `${from + i}`,
  }));
}

/** Records of one key come in the order of their numbers. */
function expectOrder(records: readonly StreamRecord[]): void {
  const groups = byKey(records.map((one) => [one.partitionKey, one.text()]));
  for (const group of groups.values()) {
    expect(group).toEqual([...group].sort((a, b) => Number(a) - Number(b)));
  }
}

describe.each(places)("streams of $name", (place) => {
  const open = async (shards = 1): Promise<{ millrace: MillraceLike; stream: StreamLike }> => {
    const millrace = await place.open();
    return { millrace, stream: await millrace.streams.create("clicks", { shards }) };
  };
  /** A case that asks for something that the place may not have. */
  const needing = (ability: Ability) => (place.can(ability) ? it : it.skip);

  it("are created, found, listed, described and deleted", async () => {
    const { streams } = await place.open();
    for (const name of ["b", "a"]) await streams.create(name, { shards: 2, retentionHours: 48 });
    expect((await streams.list()).map(({ name }) => name)).toEqual(["a", "b"]);
    const stream = await streams.get("a");
    expect(stream.description).toMatchObject({
      ...{ name: "a", shards: 2, mode: "PROVISIONED", status: "ACTIVE", retentionHours: 48 },
      ...{ recordKibMax: 1024, encryption: null, closedShards: [], durability: "strict" },
    });
    expect(stream.arn).toMatch(/^arn:aws:kinesis:.*:\d{12}:stream\/a$/);
    const ranges = (await stream.shards()).map((one) => [one.startingHashKey, one.endingHashKey]);
    expect(ranges).toEqual([
      ["0", ((1n << 127n) - 1n).toString()],
      [(1n << 127n).toString(), RING_END],
    ]);
    expect(Math.abs(stream.description.createdMs - Date.now())).toBeLessThan(60_000);
    await streams.delete("a");
    expect(await failureOf(stream.describe())).toBeInstanceOf(ResourceNotFoundError);
    expect(await failureOf(streams.get("a"))).toBeInstanceOf(ResourceNotFoundError);
    expect(await failureOf(streams.delete("a"))).toBeInstanceOf(ResourceNotFoundError);
    expect((await streams.list()).map(({ name }) => name)).toEqual(["b"]);
  });

  it("are there once, and are ensured", async () => {
    const { streams } = await place.open();
    const [one, other] = await Promise.all([
      streams.ensure("clicks", { shards: 2 }),
      streams.ensure("clicks", { shards: 2 }),
    ]);
    expect([one.name, other.name]).toEqual(["clicks", "clicks"]);
    expect((await streams.ensure("clicks")).description.shards).toBe(2);
    expect(await failureOf(streams.create("clicks"))).toBeInstanceOf(ResourceInUseError);
    const failure = await failureOf(streams.ensure("clicks", { shards: 3 }));
    expect(failure).toBeInstanceOf(StreamSpecMismatchError);
    expect(failure).toMatchObject({ argument: "shards", value: 3, limit: 2 });
  });

  it("refuse names and specifications that no stream may have, before anything is sent", async () => {
    const { streams } = await place.open();
    for (const call of [
      streams.create("no spaces"),
      streams.get(""),
      streams.delete("ü"),
      streams.ensure("clicks", { shards: 0 }),
      streams.create("clicks", { retentionHours: 12 }),
      streams.create("clicks", { colour: "red" } as never),
    ]) {
      expect(await failureOf(call)).toBeInstanceOf(InvalidArgumentError);
    }
    expect(await streams.list()).toEqual([]);
  });

  it("give back what was put, whatever it was", async () => {
    const { stream } = await open();
    const bytes = new Uint8Array(randomBytes(100_000));
    const data = [bytes, bytes.buffer, "text", "\uFEFFmarked", { page: "/cart" }, [1, 2], "", null];
    const puts = await Promise.all(
      data.map((one, i) =>
        stream.putRecord({ partitionKey: i % 2 === 0 ? "k" : "ключ-😀", data: one }),
      ),
    );
    const read = await readAll(stream);
    const found = new Map(read.map((record) => [record.sequenceNumber, record]));
    expect(found.size).toBe(data.length);
    const at = (i: number): StreamRecord | undefined => found.get(puts[i]?.sequenceNumber ?? "");
    expect(Buffer.compare(at(0)?.bytes() ?? new Uint8Array(), bytes)).toBe(0);
    expect(Buffer.compare(at(1)?.data ?? new Uint8Array(), bytes)).toBe(0);
    expect([2, 3, 6].map((i) => at(i)?.text())).toEqual(["text", "\uFEFFmarked", ""]);
    expect([4, 5, 7].map((i) => at(i)?.json())).toEqual([{ page: "/cart" }, [1, 2], null]);
    expect([0, 1].map((i) => at(i)?.partitionKey)).toEqual(["k", "ключ-😀"]);
    expect(read.every((record) => record instanceof StreamRecord)).toBe(true);
    expect(read.every(({ arrivalMs }) => Math.abs(arrivalMs - Date.now()) < 60_000)).toBe(true);
    expect(puts.every(({ shardId }) => shardId === SHARD_0)).toBe(true);
  });

  it("obey explicit hash keys", async () => {
    const { stream } = await open(2);
    const low = await stream.putRecord({ partitionKey: "a", data: "", explicitHashKey: "0" });
    const high = await stream.putRecord({ partitionKey: "a", data: "", explicitHashKey: RING_END });
    expect([low.shardId, high.shardId]).toEqual([SHARD_0, SHARD_1]);
  });

  it("keep the order of a key over many calls, and say of each record where it is", async () => {
    const { stream } = await open(3);
    const records = numbered(0, 2000, 300);
    const [result] = await Promise.all([
      stream.putRecords(records),
      ...numbered(2000, 2100, 300).map((record) => stream.putRecord(record)),
    ]);
    expect(result).toMatchObject({ length: 2000, failedRecordCount: 0 });
    const read = await readAll(stream);
    expect(read).toHaveLength(2100);
    expect(new Set(read.map(({ shardId }) => shardId)).size).toBe(3);
    expectOrder(read);
    const found = new Map(read.map((record) => [record.sequenceNumber, record]));
    for (const i of [0, 999, 1999]) {
      const outcome = result.get(i);
      if (!("sequenceNumber" in outcome)) throw new Error(outcome.errorMessage);
      expect(found.get(outcome.sequenceNumber)?.text()).toBe(`${i}`);
    }
    expect(() => result.get(2000)).toThrow(InvalidArgumentError);
    const last = new Map<string, bigint>();
    for (const { shardId, sequenceNumber } of read) {
      expect(BigInt(sequenceNumber) > (last.get(shardId) ?? 0n)).toBe(true);
      last.set(shardId, BigInt(sequenceNumber));
    }
  });

  it("refuse bad records before anything is sent, and take none at all", async () => {
    const { stream } = await open();
    const good = { partitionKey: "k", data: "x" };
    const calls: [Promise<unknown>, string][] = [
      [stream.putRecords([good, { partitionKey: "", data: "x" }]), "records[1].partitionKey"],
      [stream.putRecord({ partitionKey: "k".repeat(257), data: "x" }), "record.partitionKey"],
      [stream.putRecord({ ...good, explicitHashKey: "-1" }), "record.explicitHashKey"],
      [stream.putRecord({ partitionKey: "k", data: undefined as never }), "record.data"],
      [stream.putRecord(undefined as never), "record"],
      [stream.putRecords("records" as never), "records"],
      [stream.putRecord(good, { timeout: 5 } as never), "options.timeout"],
      [stream.putRecord(good, { signal: "now" } as never), "options.signal"],
    ];
    for (const [call, argument] of calls) {
      const failure = await failureOf(call);
      expect(failure).toBeInstanceOf(InvalidArgumentError);
      expect(failure).toMatchObject({ argument });
    }
    const large = { partitionKey: "k", data: new Uint8Array(1_048_576) };
    expect(await failureOf(stream.putRecord(large))).toBeInstanceOf(RecordTooLargeError);
    expect(await stream.putRecords([])).toMatchObject({ length: 0, failedRecordCount: 0 });
    expect(await readAll(stream)).toEqual([]);
  });

  it("put nothing that was aborted before it was sent", async () => {
    const { stream } = await open();
    const controller = new AbortController();
    const { signal } = controller;
    const put = stream.putRecord({ partitionKey: "k", data: "x" }, { signal });
    controller.abort(new Error("stop"));
    expect(await failureOf(put)).toMatchObject({ message: "stop" });
    await stream.putRecord({ partitionKey: "k", data: "y" });
    expect((await readAll(stream)).map((record) => record.text())).toEqual(["y"]);
  });

  it("are read from a sequence number, after one, and one shard alone", async () => {
    const { stream } = await open(2);
    await stream.putRecords(numbered(0, 60));
    const all = await readAll(stream);
    const shard = all.filter(({ shardId }) => shardId === SHARD_1);
    const fifth = shard.at(5);
    if (fifth === undefined) throw new Error("there are more than five records in the shard");
    const { sequenceNumber } = fifth;
    const expected = shard.map((record) => record.text());
    const until = "end";
    const from = { sequenceNumber };
    expect(await texts(stream.read({ from, until }))).toEqual(expected.slice(5));
    const after = { sequenceNumber, after: true };
    expect(await texts(stream.read({ from: after, until }))).toEqual(expected.slice(6));
    const one = stream.read({ from: "TRIM_HORIZON", until, shard: SHARD_1 });
    expect(await texts(one)).toEqual(expected);
    const missing = stream.read({ from: "TRIM_HORIZON", until, shard: "shardId-000000000009" });
    expect(await failureOf(texts(missing))).toBeInstanceOf(ResourceNotFoundError);
    const none = stream.read({ from: { sequenceNumber: "12" }, until });
    expect(await failureOf(texts(none))).toBeInstanceOf(InvalidArgumentError);
  });

  it("are read from a time", async () => {
    const { stream } = await open();
    await stream.putRecord({ partitionKey: "k", data: "early" });
    // kinesalite's sequence numbers, by which it seeks, are of whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 2100));
    await stream.putRecord({ partitionKey: "k", data: "late" });
    const arrivals = (await readAll(stream)).map(({ arrivalMs }) => arrivalMs);
    const between = new Date((arrivals.at(1) ?? 0) - 1000);
    expect(await texts(stream.read({ from: between, until: "end" }))).toEqual(["late"]);
    const from = { timestamp: new Date(0) };
    expect(await texts(stream.read({ from, until: "end" }))).toEqual(["early", "late"]);
  });

  it("are read to the end that they had when the reading began", async () => {
    const { stream } = await open(2);
    await stream.putRecords(numbered(0, 40));
    const reading = stream.readBatches({ from: "TRIM_HORIZON", until: "end" });
    // Once there is a batch the ends are known.
    const first = await reading.next();
    await stream.putRecords(numbered(40, 80));
    const read = [...(first.value ?? [])].map((record) => record.text());
    for await (const batch of reading) read.push(...[...batch].map((record) => record.text()));
    expect(read.toSorted((a, b) => Number(a) - Number(b))).toEqual(
      numbered(0, 40).map(({ data }) => data),
    );
    expect(await texts(stream.read({ from: "LATEST", until: "end" }))).toEqual([]);
  });

  it("are read live, from the end on, until the loop is left or the signal is aborted", async () => {
    const { stream } = await open(2);
    await stream.putRecord({ partitionKey: "a", data: "before" });
    const reading = stream.read({ from: "LATEST", until: "live" });
    const next = reading.next();
    // The position is being found; what is put once it is must come.
    await new Promise((resolve) => setTimeout(resolve, place.remote ? 600 : 20));
    for (const data of ["one", "two"]) await stream.putRecord({ partitionKey: "a", data });
    expect((await next).value?.text()).toBe("one");
    expect((await reading.next()).value?.text()).toBe("two");
    const waiting = reading.next();
    await reading.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    const controller = new AbortController();
    const { signal } = controller;
    const other = failureOf(stream.read({ from: "LATEST", until: "live", signal }).next());
    controller.abort(new Error("enough"));
    expect(await other).toMatchObject({ message: "enough" });
  });

  it("come in batches that say what each read says of its shards", async () => {
    const { stream } = await open();
    await stream.putRecords(numbered(0, 50));
    for await (const batch of stream.readBatches({ from: "TRIM_HORIZON", until: "end" })) {
      expect(batch.length).toBe(50);
      for (const [i, record] of [...batch].entries()) {
        expect(batch.id(i)).toBe(`${record.shardId}:${record.sequenceNumber}`);
        expect(batch.text(i)).toBe(record.text());
        expect(batch.get(i).arrivalMs).toBe(record.arrivalMs);
        expect(record.bytes().buffer).not.toBe(record.data.buffer);
      }
      expect(batch.shards).toMatchObject([
        { shardId: SHARD_0, recordCount: 50, millisBehindLatest: 0, atEnd: true, trimmed: false },
      ]);
      expect(batch.encrypted).toBe(false);
      expect(() => batch.get(50)).toThrow(InvalidArgumentError);
      expect(() => batch.text(-1)).toThrow(InvalidArgumentError);
    }
  });

  it.each<[string, unknown, string]>([
    ["no options", undefined, "options"],
    ["an unknown option", { from: "LATEST", until: "end", limit: 5 }, "options.limit"],
    ["an unknown from", { from: "START", until: "end" }, "from"],
    ["an invalid date", { from: new Date("x"), until: "end" }, "from"],
    ["no until", { from: "LATEST" }, "until"],
    ["a shard that is a number", { from: "LATEST", until: "end", shard: 2 }, "shard"],
  ])("refuse a reading with %s at once", async (_what, options, argument) => {
    const { stream } = await open();
    for (const method of ["read", "readBatches"] as const) {
      expect(() => stream[method](options as never)).toThrow(InvalidArgumentError);
      const failure = await failureOf(
        Promise.resolve().then(() => stream[method](options as never)),
      );
      expect(failure).toMatchObject({ argument });
    }
  });

  it("are split and merged, and read parents first", async () => {
    const { stream } = await open();
    await stream.putRecords(numbered(0, 100));
    const [lower, upper] = await stream.split(SHARD_0);
    expect([lower?.shardId, upper?.shardId]).toEqual([SHARD_1, "shardId-000000000002"]);
    expect([lower?.parentShardIndex, upper?.parentShardIndex]).toEqual([0, 0]);
    expect(upper?.startingHashKey).toBe((1n << 127n).toString());
    await stream.putRecords(numbered(100, 200));
    const child = await stream.merge(SHARD_1, "shardId-000000000002");
    expect(child).toMatchObject({ shardId: "shardId-000000000003", startingHashKey: "0" });
    await stream.putRecords(numbered(200, 300));
    const described = await stream.describe();
    expect(described.shards).toBe(1);
    expect(described.closedShards.map(({ shardIndex }) => shardIndex)).toEqual([0, 1, 2]);
    expect(described.closedShards.every(({ closedMs = 0 }) => closedMs > Date.now() - 60_000)).toBe(
      true,
    );
    const read = await readAll(stream);
    expect(read).toHaveLength(300);
    expectOrder(read);
    expect(await failureOf(stream.split("shardId-000000000009"))).toBeInstanceOf(
      ResourceNotFoundError,
    );
    expect(await failureOf(stream.split("shardId-000000000003", "0"))).toBeInstanceOf(
      InvalidArgumentError,
    );
  });

  it("are read live over a reshard", async () => {
    const { stream } = await open();
    await stream.putRecords(numbered(0, 50));
    const read: StreamRecord[] = [];
    const controller = new AbortController();
    const { signal } = controller;
    const reading = (async () => {
      for await (const record of stream.read({ from: "TRIM_HORIZON", until: "live", signal })) {
        read.push(record);
        if (read.length === 150) return;
      }
    })();
    await stream.split(SHARD_0);
    await stream.putRecords(numbered(50, 150));
    await reading;
    expectOrder(read);
    expect(new Set(read.map(({ shardId }) => shardId)).size).toBe(3);
  });

  it("keep records for as long as they are told", async () => {
    const { stream } = await open();
    expect((await stream.retain(48)).retentionHours).toBe(48);
    expect((await stream.retain(24)).retentionHours).toBe(24);
    expect(stream.description.retentionHours).toBe(24);
    expect(await failureOf(stream.retain(23))).toBeInstanceOf(InvalidArgumentError);
  });

  it("take what producers aggregate", async () => {
    const { stream } = await open(2);
    await using producer = await stream.producer({ maxBufferedMs: 20 });
    const puts = await Promise.all(numbered(0, 1000).map((record) => producer.put(record)));
    expect(puts).toHaveLength(1000);
    const read = await readAll(stream);
    expect(read.length).toBeLessThan(100);
    const users = read.flatMap((record) => [...deaggregate(record)]);
    const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
    expect(users.map(({ data }) => Number(decode(data))).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i),
    );
  });

  it("keep the order of producers that ask for it", async () => {
    const { stream } = await open(2);
    const producer = await stream.producer({ orderedBy: "partitionKey", maxBufferedMs: 5 });
    await Promise.all(numbered(0, 400, 5).map((record) => producer.put(record)));
    await producer.close();
    const users = (await readAll(stream)).flatMap((record) => [...deaggregate(record)]);
    const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
    const groups = byKey(users.map((one) => [one.partitionKey, decode(one.data)]));
    for (const group of groups.values()) {
      expect(group).toEqual(group.toSorted((a, b) => Number(a) - Number(b)));
    }
    expect(users).toHaveLength(400);
  });

  it("tell that they were deleted", async () => {
    const { millrace, stream } = await open();
    const producer = await stream.producer();
    await millrace.streams.delete("clicks");
    const record = { partitionKey: "k", data: "x" };
    const calls = [stream.putRecord(record), stream.putRecords([record]), readAll(stream)];
    for (const failure of await Promise.all(calls.map(failureOf))) {
      expect(failure).toBeInstanceOf(ResourceNotFoundError);
    }
    expect(await failureOf(producer.put(record))).toMatchObject({
      code: "ResourceNotFoundException",
    });
    await producer.close();
  });

  it("are closed with what they are of", async () => {
    const { millrace, stream } = await open();
    const quiet = await millrace.streams.create("quiet");
    const waiting = failureOf(quiet.read({ from: "LATEST", until: "live" }).next());
    const put = stream.putRecord({ partitionKey: "k", data: "x" });
    await millrace.close();
    expect(await put).toMatchObject({ shardId: SHARD_0 });
    const closed = { code: "EngineClosedException" };
    expect(await waiting).toMatchObject(closed);
    expect(millrace.closed).toBe(true);
    expect(await failureOf(stream.describe())).toMatchObject(closed);
    const late = stream.putRecord({ partitionKey: "k", data: "x" });
    expect(await failureOf(late)).toMatchObject(closed);
    await millrace.close();
  });

  needing("scale")("are scaled", async () => {
    const { stream } = await open(2);
    expect((await stream.scale(4)).shards).toBe(4);
    expect(await stream.shards()).toHaveLength(6);
    expect(await failureOf(stream.scale(0))).toBeInstanceOf(InvalidArgumentError);
  });

  needing("on-demand")("are made on demand", async () => {
    const { streams } = await place.open();
    const stream = await streams.create("clicks", { mode: "ON_DEMAND" });
    expect(stream.description).toMatchObject({ mode: "ON_DEMAND", shards: 4 });
  });

  needing("large records")("take large records", async () => {
    const { streams } = await place.open();
    const stream = await streams.create("large", { recordKibMax: 4096 });
    const data = new Uint8Array(randomBytes(4_000_000));
    await stream.putRecords([
      { partitionKey: "k", data },
      { partitionKey: "l", data },
      { partitionKey: "m", data },
    ]);
    const read = await readAll(stream);
    expect(read.map((record) => Buffer.compare(record.data, data))).toEqual([0, 0, 0]);
  });

  needing("encryption")("are encrypted, and no longer", async () => {
    const { stream } = await open();
    const encrypted = await stream.startEncryption({ keyId: "alias/aws/kinesis" });
    expect(encrypted.encryption).not.toBeNull();
    await stream.putRecord({ partitionKey: "k", data: "secret" });
    const batches = stream.readBatches({ from: "TRIM_HORIZON", until: "end" });
    expect((await batches.next()).value).toMatchObject({ encrypted: true });
    expect((await stream.stopEncryption()).encryption).toBeNull();
    const failure = await failureOf(stream.startEncryption({ keyId: "alias/none" }));
    expect(failure).toMatchObject({ name: "KmsNotFoundError" });
  });

  needing("consumers")("are pushed to registered consumers, over reshards", async () => {
    const { stream } = await open();
    await stream.putRecords(numbered(0, 50));
    const { name, status } = await stream.registerConsumer("audit");
    expect([name, status]).toEqual(["audit", "ACTIVE"]);
    expect((await stream.consumers()).map((one) => one.name)).toEqual(["audit"]);
    const read: StreamRecord[] = [];
    const reading = (async () => {
      for await (const batch of stream.subscribe({ consumer: "audit", from: "TRIM_HORIZON" })) {
        read.push(...batch);
        if (read.length === 150) return;
      }
    })();
    await stream.split(SHARD_0);
    await stream.putRecords(numbered(50, 150));
    await reading;
    expectOrder(read);
    expect(new Set(read.map(({ shardId }) => shardId)).size).toBe(3);
    await stream.deregisterConsumer("audit");
    expect(await stream.consumers()).toEqual([]);
    const none = stream.subscribe({ consumer: "audit", from: "LATEST" });
    expect(await failureOf(none.next())).toBeInstanceOf(ResourceNotFoundError);
    expect(() => stream.subscribe({ consumer: "a b", from: "LATEST" })).toThrow(
      InvalidArgumentError,
    );
  });
});
