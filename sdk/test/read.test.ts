import { openLocal } from "@millrace/engine/local";
import {
  EngineClosedError,
  InvalidArgumentError,
  type ReadOptions,
  ResourceNotFoundError,
} from "millrace";
import { describe, expect, it } from "vitest";
import { BatchReader } from "../src/batch-reader.ts";
import { RecordBatcher } from "../src/record-batcher.ts";
import { completeSpec } from "../src/stream-spec.ts";
import { failureOf, openEngine, readAll } from "./support.ts";

async function filled(count: number, shards = 1) {
  const engine = await openEngine();
  const stream = await engine.streams.create("clicks", { shards });
  const records = Array.from({ length: count }, (_, i) => ({ partitionKey: `${i}`, data: `${i}` }));
  const result = await stream.putRecords(records);
  return { engine, stream, result };
}

async function texts(records: AsyncIterable<{ text(): string }>): Promise<string[]> {
  const read: string[] = [];
  for await (const record of records) read.push(record.text());
  return read;
}

describe("reading to the end", () => {
  it("gives every record once, each shard's in order, over many slices", async () => {
    const { stream, result } = await filled(25_000, 3);
    const records = await readAll(stream);
    expect(new Set(records.map((record) => record.text())).size).toBe(25_000);
    const last = new Map<string, string>();
    for (const { shardId, sequenceNumber } of records) {
      const before = last.get(shardId) ?? "";
      expect(sequenceNumber > before).toBe(true);
      last.set(shardId, sequenceNumber);
    }
    expect(last.size).toBe(3);
    expect(result.length).toBe(records.length);
  });

  it("stops at the end that the shards had when it began", async () => {
    const { stream } = await filled(10, 2);
    const reading = stream.read({ from: "TRIM_HORIZON", until: "end" });
    await stream.describe();
    await stream.putRecords(
      Array.from({ length: 10 }, (_, i) => ({ partitionKey: `${i}`, data: `late-${i}` })),
    );
    const read = await texts(reading);
    expect(read).toHaveLength(10);
    expect(read.filter((text) => text.startsWith("late"))).toEqual([]);
  });

  it("ends at once where there is nothing", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("empty", { shards: 3 });
    for (const from of ["TRIM_HORIZON", "LATEST", new Date()] as const) {
      expect(await texts(stream.read({ from, until: "end" }))).toEqual([]);
    }
  });

  it("starts at and after sequence numbers, in the shard that they are of", async () => {
    const { stream } = await filled(100, 4);
    const all = await readAll(stream);
    const tenth = all.at(10);
    if (tenth === undefined) throw new Error("there are more than ten records");
    const { sequenceNumber, shardId } = tenth;
    const shard = all.filter((record) => record.shardId === shardId).map((record) => record.text());
    const from = shard.slice(shard.indexOf(tenth.text()));
    const until = "end";
    expect(await texts(stream.read({ from: { sequenceNumber }, until }))).toEqual(from);
    expect(await texts(stream.read({ from: { sequenceNumber, after: true }, until }))).toEqual(
      from.slice(1),
    );
  });

  it("reads one shard when it is told to", async () => {
    const { stream } = await filled(100, 4);
    const all = await readAll(stream);
    const shard = "shardId-000000000002";
    const expected = all.filter(({ shardId }) => shardId === shard).map((record) => record.text());
    expect(expected.length).toBeGreaterThan(0);
    expect(await texts(stream.read({ from: "TRIM_HORIZON", until: "end", shard }))).toEqual(
      expected,
    );
  });

  it("starts at a time, before, within and after what there is", async () => {
    const { stream } = await filled(5);
    const [first] = await readAll(stream);
    const arrivalMs = first?.arrivalMs ?? 0;
    const at = (timestamp: Date) => texts(stream.read({ from: { timestamp }, until: "end" }));
    expect(await at(new Date(0))).toHaveLength(5);
    expect(await at(new Date(arrivalMs))).toHaveLength(5);
    expect(await at(new Date(arrivalMs + 3_600_000))).toEqual([]);
    expect(await texts(stream.read({ from: new Date(0), until: "end" }))).toHaveLength(5);
  });

  it("waits for the read quota of a shard and goes on", async () => {
    const { streams } = await openEngine({ quotas: "aws" });
    const stream = await streams.create("clicks");
    const records = Array.from({ length: 3 }, (_, i) => ({
      partitionKey: "k",
      data: `${i}`.padEnd(1_000_000),
    }));
    expect((await stream.putRecords(records)).failedRecordCount).toBe(0);
    for (let round = 0; round < 2; round++) {
      const read = await texts(stream.read({ from: "TRIM_HORIZON", until: "end" }));
      expect(read.map((text) => text.trim())).toEqual(["0", "1", "2"]);
    }
  });
});

describe("live reading", () => {
  it("is woken by what is put, and ends when the loop is left", async () => {
    const { stream } = await filled(3, 2);
    const reading = stream.read({ from: "LATEST", until: "live" });
    await stream.describe();
    // Each put waits for its record to be read, so that every one has to wake a read that waits.
    for (let i = 0; i < 20; i++) {
      const next = reading.next();
      await stream.putRecord({ partitionKey: `${i}`, data: `live-${i}` });
      expect((await next).value?.text()).toBe(`live-${i}`);
    }
    for await (const record of stream.read({ from: "TRIM_HORIZON", until: "live" })) {
      if (record.text() === "live-19") break;
    }
    await reading.return?.();
  });

  it("ends with the signal's reason at once, while it waits", async () => {
    const { stream } = await filled(0);
    const controller = new AbortController();
    const { signal } = controller;
    const reading = stream.read({ from: "LATEST", until: "live", signal });
    const waiting = failureOf(reading.next());
    controller.abort(new Error("enough"));
    expect(await waiting).toMatchObject({ message: "enough" });
    expect(await failureOf(reading.next())).toMatchObject({ message: "enough" });
  });

  it("ends at once when it is left while it waits", async () => {
    const { stream } = await filled(0);
    for (const reading of [
      stream.read({ from: "LATEST", until: "live" }),
      stream.readBatches({ from: "LATEST", until: "live" }),
    ]) {
      const waiting = reading.next();
      await reading.return?.();
      expect(await waiting).toEqual({ done: true, value: undefined });
      expect(await reading.next()).toEqual({ done: true, value: undefined });
    }
  });

  it("ends with an EngineClosedError when the engine is closed", async () => {
    const { engine, stream } = await filled(0);
    const waiting = failureOf(stream.read({ from: "LATEST", until: "live" }).next());
    await new Promise((resolve) => setTimeout(resolve, 20));
    await engine.close();
    expect(await waiting).toBeInstanceOf(EngineClosedError);
  });

  it("waits in virtual time for longer than the engine takes to answer", async () => {
    // A read of 20 s that gets its answer 50 ms after it began, or is asked again.
    const limits = { readMs: -19_950 };
    const options = { name: "slow", storage: "memory", quotas: "unlimited" } as const;
    const client = await openLocal({
      ...options,
      time: "virtual",
      memoryBudgetBytes: 33_554_432,
      limits,
    });
    const stream = await client.call("createStream", completeSpec("clicks", {}));
    const position = { type: "LATEST" } as const;
    const read = { position, live: true, shardId: undefined, signal: undefined };
    const reader = new BatchReader(client, stream, read);
    const next = reader.next();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const batcher = new RecordBatcher(client, stream, false);
    await batcher.put([{ partitionKey: "a", data: "late" }], () => "record", undefined);
    expect((await next).value?.text(0)).toBe("late");
    await reader.return();
    await client.close();
  });

  it("tells a stream that was deleted by its name, also when there is another of that name", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks");
    const next = failureOf(stream.read({ from: "LATEST", until: "live" }).next());
    await stream.describe();
    await streams.delete("clicks");
    await streams.create("clicks");
    expect(await next).toMatchObject({ name: "ResourceNotFoundError", value: "clicks" });
  });

  it("starts where the stream ended when read() was called", async () => {
    const { stream } = await filled(3);
    const reading = stream.read({ from: "LATEST", until: "live" });
    await stream.describe();
    await stream.putRecord({ partitionKey: "k", data: "new" });
    expect((await reading.next()).value?.text()).toBe("new");
    await reading.return?.();
  });
});

describe("batches", () => {
  it("have what single records have, by position, and tell of their shards", async () => {
    const { stream } = await filled(50, 2);
    for await (const batch of stream.readBatches({ from: "TRIM_HORIZON", until: "end" })) {
      expect(batch.length).toBe(50);
      for (const [i, record] of [...batch].entries()) {
        const { partitionKey, sequenceNumber, shardId, arrivalMs } = record;
        expect(batch.partitionKey(i)).toBe(partitionKey);
        expect(batch.id(i)).toBe(`${shardId}:${sequenceNumber}`);
        expect(batch.arrivalMs(i)).toBe(arrivalMs);
        expect(batch.text(i)).toBe(record.text());
        expect(batch.json(i)).toBe(Number(record.text()));
        expect(record.data.buffer).toBe(batch.data(0).buffer);
        expect(record.bytes().buffer).not.toBe(batch.data(0).buffer);
        expect(batch.get(i).sequenceNumber).toBe(sequenceNumber);
      }
      expect(batch.shards).toHaveLength(2);
      expect(batch.shards.every(({ atEnd, trimmed, hole }) => atEnd && !trimmed && !hole)).toBe(
        true,
      );
      expect(() => batch.get(50)).toThrow(InvalidArgumentError);
      expect(() => batch.text(-1)).toThrow(InvalidArgumentError);
    }
  });

  it("come in turn when several are asked for at once", async () => {
    const { stream } = await filled(25_000);
    const reading = stream.readBatches({ from: "TRIM_HORIZON", until: "end" });
    const results = await Promise.all([1, 2, 3, 4, 5].map(() => reading.next()));
    const lengths = results.map(({ value }) => value?.length ?? 0);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(25_000);
    const first = results.flatMap(({ value }) => (value === undefined ? [] : [value.text(0)]));
    expect(first).toEqual([...first].sort((a, b) => Number(a) - Number(b)));
  });
});

describe("bad reads", () => {
  it.each<[string, unknown, string]>([
    ["no options", undefined, "options"],
    ["an unknown option", { from: "LATEST", until: "end", limit: 5 }, "options.limit"],
    ["no from", { until: "end" }, "from"],
    ["an unknown from", { from: "START", until: "end" }, "from"],
    ["an invalid date", { from: new Date("x"), until: "end" }, "from"],
    [
      "an invalid timestamp",
      { from: { timestamp: new Date("x") }, until: "end" },
      "from.timestamp",
    ],
    ["no until", { from: "LATEST" }, "until"],
    ["an unknown until", { from: "LATEST", until: "never" }, "until"],
    ["a shard that is a number", { from: "LATEST", until: "end", shard: 2 }, "shard"],
    ["a signal that is none", { from: "LATEST", until: "end", signal: {} }, "signal"],
  ])("are refused at once with %s", async (_what, options, argument) => {
    const { stream } = await filled(0);
    for (const method of ["read", "readBatches"] as const) {
      const read = async () => stream[method](options as ReadOptions);
      const failure = await failureOf(read());
      expect(failure).toBeInstanceOf(InvalidArgumentError);
      expect(failure).toMatchObject({ argument });
    }
  });

  it("fail in the loop when the shard or the sequence number is none of the stream's", async () => {
    const { stream } = await filled(1);
    const until = "end";
    const shard = "shardId-000000000009";
    expect(await failureOf(texts(stream.read({ from: "LATEST", until, shard })))).toBeInstanceOf(
      ResourceNotFoundError,
    );
    const from = { sequenceNumber: "12" };
    expect(await failureOf(texts(stream.read({ from, until })))).toBeInstanceOf(
      InvalidArgumentError,
    );
  });
});
