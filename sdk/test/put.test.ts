import fc from "fast-check";
import {
  InvalidArgumentError,
  type PutRecord,
  RecordTooLargeError,
  ResourceNotFoundError,
  ThroughputExceededError,
} from "millrace";
import { awsFace } from "millrace/aws";
import { describe, expect, it } from "vitest";
import { accessLogLines, byKey, failureOf, openEngine, readAll } from "./support.ts";

const MIB = 1_048_576;

function numbered(count: number, keys = 1, dataBytes = 0): PutRecord[] {
  const padding = " ".repeat(dataBytes);
  return Array.from({ length: count }, (_, i) => ({
    partitionKey: `key-${i % keys}`,
    data: `${i}${padding}`,
  }));
}

describe("putRecord", () => {
  it("resolves with where the record is, and the record reads back", async () => {
    const { streams } = await openEngine();
    const clicks = await streams.create("clicks", { shards: 4 });
    const put = await clicks.putRecord({ partitionKey: "user-1", data: { page: "/cart" } });
    const [record, ...others] = await readAll(clicks);
    expect(others).toEqual([]);
    expect(put.sequenceNumber).toMatch(/^\d{56}$/);
    expect(record).toMatchObject({ ...put, partitionKey: "user-1" });
    expect(record?.json()).toEqual({ page: "/cart" });
  });

  it("obeys an explicit hash key, the first and the last of the ring included", async () => {
    const { streams } = await openEngine();
    const clicks = await streams.create("clicks", { shards: 2 });
    const last = ((1n << 128n) - 1n).toString();
    for (const partitionKey of ["a", "b", "c"]) {
      const low = await clicks.putRecord({ partitionKey, data: "", explicitHashKey: "0" });
      const high = await clicks.putRecord({ partitionKey, data: "", explicitHashKey: last });
      expect([low.shardId, high.shardId]).toEqual(["shardId-000000000000", "shardId-000000000001"]);
    }
  });

  it("makes one batch of all the calls of a task, in their order, putRecords between them too", async () => {
    const engine = await openEngine();
    const clicks = await engine.streams.create("clicks");
    const same = await engine.streams.get("clicks");
    const before = (await engine.storage()).commits;
    const puts: Promise<unknown>[] = [];
    for (let i = 0; i < 250; i++) {
      puts.push(clicks.putRecord({ partitionKey: "k", data: `${i}a` }));
      puts.push(same.putRecords([{ partitionKey: "k", data: `${i}b` }]));
    }
    await Promise.all(puts);
    expect((await engine.storage()).commits - before).toBeLessThanOrEqual(2);
    const texts = (await readAll(clicks)).map((record) => record.text());
    expect(texts).toEqual(Array.from({ length: 250 }, (_, i) => [`${i}a`, `${i}b`]).flat());
  });

  it("copies the data before it returns", async () => {
    const { streams } = await openEngine();
    const clicks = await streams.create("clicks");
    const data = Uint8Array.of(1);
    const puts = [1, 2, 3].map((value) => {
      data[0] = value;
      return clicks.putRecord({ partitionKey: "k", data });
    });
    await Promise.all(puts);
    expect((await readAll(clicks)).map((record) => record.data[0])).toEqual([1, 2, 3]);
  });

  it("rejects with a ThroughputExceededError over the quota of a shard", async () => {
    const { streams } = await openEngine({ quotas: "aws" });
    const clicks = await streams.create("clicks");
    const record = { partitionKey: "k", data: "x" };
    const puts = Array.from({ length: 1500 }, () => clicks.putRecord(record));
    const failures = (await Promise.allSettled(puts)).filter((put) => put.status === "rejected");
    expect(failures).toHaveLength(500);
    const failure: unknown = failures[0]?.reason;
    expect(failure).toBeInstanceOf(ThroughputExceededError);
    expect(failure).toMatchObject({
      code: "ProvisionedThroughputExceededException",
      retryable: true,
      limit: "1,000 records per second",
    });
    expect(String(failure)).toContain(
      "Rate exceeded for shard shardId-000000000000 in stream clicks under account 000000000000. " +
        "Limit: 1,000 records per second.",
    );
    expect((failure as ThroughputExceededError).retryAfterMs).toBeGreaterThan(0);
  });

  it("rejects when it is aborted, and sends nothing that was not sent yet", async () => {
    const { streams } = await openEngine();
    const clicks = await streams.create("clicks");
    const record = { partitionKey: "k", data: "x" };
    const controller = new AbortController();
    const put = clicks.putRecord(record, { signal: controller.signal });
    controller.abort(new Error("stop"));
    expect(await failureOf(put)).toMatchObject({ message: "stop" });
    expect(await failureOf(clicks.putRecord(record, { signal: controller.signal }))).toMatchObject({
      message: "stop",
    });
    expect(await readAll(clicks)).toEqual([]);
  });
});

describe("putRecords", () => {
  it.each([1, 2, 8])(
    "keeps 10,000 real log lines over %i shards, in order per key",
    async (shards) => {
      const { streams } = await openEngine();
      const log = await streams.create("log", { shards });
      const lines = await accessLogLines();
      expect(lines).toHaveLength(10_000);
      const keyOf = (line: string): string => line.slice(0, line.indexOf(" "));
      const records = lines.map((line) => ({ partitionKey: keyOf(line), data: line }));
      const result = await log.putRecords(records);
      expect(result).toMatchObject({ length: 10_000, failedRecordCount: 0 });
      const read = await readAll(log);
      expect(new Set(read.map(({ shardId }) => shardId)).size).toBe(shards);
      expect(byKey(read.map((record) => [record.partitionKey, record.text()]))).toEqual(
        byKey(lines.map((line) => [keyOf(line), line])),
      );
      const stored = new Map(read.map((record) => [record.sequenceNumber, record]));
      for (const [i, outcome] of [...result].entries()) {
        if (!("sequenceNumber" in outcome)) throw new Error(outcome.errorMessage);
        expect(stored.get(outcome.sequenceNumber)).toMatchObject({ shardId: outcome.shardId });
        if (i % 1000 === 0) expect(stored.get(outcome.sequenceNumber)?.text()).toBe(lines[i]);
      }
      expect(stored.size).toBe(10_000);
    },
  );

  it("reads back exactly what was put, whatever it was", async () => {
    const { streams } = await openEngine();
    let run = 0;
    const record = fc.record({
      partitionKey: fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }),
      data: fc.uint8Array({ maxLength: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 50 }),
        fc.integer({ min: 1, max: 5 }),
        async (records, shards) => {
          run += 1;
          const stream = await streams.create(`run-${run}`, { shards });
          await stream.putRecords(records);
          const pair = (key: string, data: Uint8Array): [string, string] => [key, data.toString()];
          const read = await readAll(stream);
          expect(byKey(read.map((one) => pair(one.partitionKey, one.bytes())))).toEqual(
            byKey(records.map((one) => pair(one.partitionKey, one.data))),
          );
          await streams.delete(`run-${run}`);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("splits a call that is larger than one batch, and keeps its order", async () => {
    const engine = await openEngine();
    const clicks = await engine.streams.create("clicks");
    const records = numbered(25_000, 1, 300);
    const after = clicks.putRecord({ partitionKey: "key-0", data: "after" });
    const [result] = await Promise.all([clicks.putRecords(records), after]);
    expect(result).toMatchObject({ length: 25_000, failedRecordCount: 0 });
    const texts = (await readAll(clicks)).map((record) => record.text().trim());
    expect(texts).toEqual(["after", ...records.map((_, i) => String(i))]);
  });

  it("takes records of 10 MiB where the stream allows them", async () => {
    const { streams } = await openEngine();
    const large = await streams.create("large", { recordKibMax: 10_240 });
    const data = new Uint8Array(10 * MIB - 1).fill(7);
    const result = await large.putRecords([
      { partitionKey: "k", data },
      { partitionKey: "k", data: "small" },
      { partitionKey: "k", data: "x".repeat(10 * MIB - 1) },
    ]);
    expect(result.failedRecordCount).toBe(0);
    const read = await readAll(large);
    expect(read.map((record) => record.data.byteLength)).toEqual([10 * MIB - 1, 5, 10 * MIB - 1]);
    expect(Buffer.compare(read[0]?.data ?? new Uint8Array(), data)).toBe(0);
  });

  it("refuses the whole call for one bad record, before anything is sent", async () => {
    const engine = await openEngine();
    const clicks = await engine.streams.create("clicks");
    const good = clicks.putRecord({ partitionKey: "k", data: "before" });
    const records = [...numbered(20_000, 1, 100), { partitionKey: "", data: "bad" }];
    const failure = await failureOf(clicks.putRecords(records));
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure).toMatchObject({
      argument: "records[20000].partitionKey",
      value: "",
      limit: 256,
    });
    await good;
    await clicks.putRecord({ partitionKey: "k", data: "after" });
    expect((await readAll(clicks)).map((record) => record.text())).toEqual(["before", "after"]);
  });

  it("refuses a record over the stream's limit, and takes one at it", async () => {
    const { streams } = await openEngine();
    const clicks = await streams.create("clicks");
    await clicks.putRecord({ partitionKey: "k", data: new Uint8Array(MIB - 1) });
    for (const data of [new Uint8Array(MIB), "x".repeat(MIB), { text: "é".repeat(MIB / 2) }]) {
      const failure = await failureOf(clicks.putRecord({ partitionKey: "k", data }));
      expect(failure).toBeInstanceOf(RecordTooLargeError);
      expect(failure).toMatchObject({ argument: "record", limit: MIB });
    }
  });

  it("takes larger records once it was asked about a stream that was changed", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    const large = { partitionKey: "a", data: new Uint8Array(2_000_000) };
    expect(await failureOf(stream.putRecord(large))).toMatchObject({ limit: 1_048_576 });
    const input = { StreamARN: stream.arn, MaxRecordSizeInKiB: 4096 };
    await awsFace(engine).execute("UpdateMaxRecordSize", input);
    await stream.describe();
    await stream.putRecord(large);
    await (await engine.streams.get("clicks")).putRecord(large);
    expect(await readAll(stream)).toHaveLength(2);
  });

  it("refuses what is no array or has unknown options, and takes an empty array", async () => {
    const { streams } = await openEngine();
    const clicks = await streams.create("clicks");
    const record = { partitionKey: "k", data: "x" };
    const bad = [
      clicks.putRecords("records" as never),
      clicks.putRecords([record], { timeout: 5 } as never),
      clicks.putRecord(record, { signal: "now" } as never),
      clicks.putRecord(undefined as never),
    ];
    for (const failure of await Promise.all(bad.map(failureOf))) {
      expect(failure).toBeInstanceOf(InvalidArgumentError);
    }
    expect(await clicks.putRecords([])).toMatchObject({ length: 0, failedRecordCount: 0 });
  });

  it("fails with AWS's text when the stream was deleted", async () => {
    const { streams } = await openEngine();
    const clicks = await streams.create("clicks");
    await streams.delete("clicks");
    const calls = [
      clicks.putRecord({ partitionKey: "k", data: "x" }),
      clicks.putRecords([{ partitionKey: "k", data: "x" }]),
      readAll(clicks),
    ];
    for (const failure of await Promise.all(calls.map(failureOf))) {
      expect(failure).toBeInstanceOf(ResourceNotFoundError);
      expect(failure).toMatchObject({
        message: "Stream clicks under account 000000000000 not found.",
      });
    }
  });

  it("refuses only the last records of a key over its shard's quota, also of a split call", async () => {
    const { streams } = await openEngine({ quotas: "aws" });
    const clicks = await streams.create("clicks", { shards: 2 });
    const records = numbered(25_000, 50);
    const result = await clicks.putRecords(records);
    expect(result.failedRecordCount).toBeGreaterThan(20_000);
    expect(result.failedRecordCount).toBeLessThan(24_999);
    const refused = new Set<string>();
    let stored = 0;
    for (const [i, outcome] of [...result].entries()) {
      const key = records[i]?.partitionKey ?? "";
      if ("errorCode" in outcome) {
        refused.add(key);
        expect(outcome.errorCode).toBe("ProvisionedThroughputExceededException");
        expect(outcome.retryAfterMs).toBeGreaterThanOrEqual(0);
      } else {
        stored += 1;
        expect(refused.has(key)).toBe(false);
      }
    }
    expect(stored).toBe(result.length - result.failedRecordCount);
    expect(await readAll(clicks)).toHaveLength(stored);
  });

  it("leaves other calls of the task alone when the rest of a split call is not sent", async () => {
    const { streams } = await openEngine({ quotas: "aws" });
    const clicks = await streams.create("clicks", { shards: 2 });
    const last = ((1n << 128n) - 1n).toString();
    const other = { partitionKey: "k", data: "other", explicitHashKey: last };
    const records = numbered(15_000).map((record) => ({ ...record, explicitHashKey: "0" }));
    const [before, result, after] = await Promise.all([
      clicks.putRecord(other),
      clicks.putRecords(records),
      clicks.putRecord(other),
    ]);
    expect([before.shardId, after.shardId]).toEqual([
      "shardId-000000000001",
      "shardId-000000000001",
    ]);
    expect(result.failedRecordCount).toBe(14_000);
    expect(result.get(14_999)).toMatchObject({
      errorCode: "ProvisionedThroughputExceededException",
      errorMessage: expect.stringContaining("Not sent"),
    });
  });

  it("has an outcome for each of its records and for no other", async () => {
    const { streams } = await openEngine();
    const clicks = await streams.create("clicks");
    const result = await clicks.putRecords(numbered(3));
    for (const i of [-1, 3, 0.5, Number.NaN]) {
      expect(() => result.get(i)).toThrow(InvalidArgumentError);
    }
    expect([...result]).toEqual([0, 1, 2].map((i) => result.get(i)));
  });
});
