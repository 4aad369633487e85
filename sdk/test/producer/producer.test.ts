/** Producers over the engine: what arrives, as what, and what is said of it. */
import fc from "fast-check";
import { RecordTooLargeError } from "millrace";
import { deaggregate, decodeAggregate, encodeAggregate } from "millrace/aggregation";
import { awsFace } from "millrace/aws";
import { ProducerClosedError, UserRecordFailedError } from "millrace/producer";
import { describe, expect, it } from "vitest";
import { failureOf, openEngine, readAll } from "../support.ts";
import { consumed, HALVES, numbersByKey } from "./support.ts";

const [LOW, HIGH] = HALVES;

describe("a producer", () => {
  it("stores many user records in few records, and says where each is", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks", { shards: 4 });
    await using producer = await stream.producer();
    const puts = Array.from({ length: 5000 }, (_, i) =>
      producer.put({ partitionKey: `key-${i}`, data: `${i}` }),
    );
    expect(producer.outstandingRecords).toBe(5000);
    const results = await Promise.all(puts);
    expect(producer.outstandingRecords).toBe(0);
    expect(producer.bufferedBytes).toBe(0);
    const records = await readAll(stream);
    expect(records.length).toBeLessThan(20);
    const found = new Map(
      (await consumed(stream)).map((one) => [
        `${one.sequenceNumber}/${one.subSequenceNumber}`,
        one,
      ]),
    );
    expect(found.size).toBe(5000);
    for (const [i, result] of results.entries()) {
      const { sequenceNumber, subSequenceNumber, shardId, attempts } = result;
      const record = found.get(`${sequenceNumber}/${subSequenceNumber}`);
      const { partitionKey, aggregated, shardId: foundIn } = record ?? {};
      const told = [partitionKey, record?.text(), foundIn, aggregated, attempts.length].join();
      if (told !== `key-${i},${i},${shardId},true,1`) expect.fail(told);
    }
    expect(producer.metrics()).toMatchObject({
      userRecordsReceived: 5000,
      userRecordsPending: 0,
      userRecordsPut: 5000,
      userRecordsFailed: 0,
      userBytesPut: 18_890,
      kinesisRecordsPut: records.length,
      kinesisBytesPut: records.reduce((sum, { data }) => sum + data.byteLength, 0),
      retries: 0,
      strayAggregates: 0,
      errorsByCode: {},
      userRecordsPerKinesisRecord: { count: records.length, mean: 5000 / records.length },
    });
  });

  it("puts what anybody can put, with any options, exactly once and in its shard", async () => {
    const { streams } = await openEngine();
    const record = fc.record({
      partitionKey: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
      explicitHashKey: fc.option(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(String), {
        nil: undefined,
      }),
      data: fc.uint8Array({ maxLength: 600 }),
    });
    const options = fc.record({
      aggregation: fc.boolean(),
      aggregationMaxBytes: fc.integer({ min: 64, max: 3000 }),
      aggregationMaxCount: fc.integer({ min: 1, max: 20 }),
      collectionMaxCount: fc.integer({ min: 1, max: 20 }),
      maxCallsInFlight: fc.integer({ min: 1, max: 3 }),
      maxBufferedMs: fc.constantFrom(0, 3),
      orderedBy: fc.constantFrom("nothing", "partitionKey"),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 80 }),
        options,
        fc.integer({ min: 1, max: 5 }),
        async (records, settings, shards) => {
          run += 1;
          const stream = await streams.create(`run-${run}`, { shards });
          const producer = await stream.producer(settings);
          const puts = records.map(({ partitionKey, explicitHashKey, data }) =>
            producer.put({
              ...{ partitionKey, data },
              ...(explicitHashKey === undefined ? {} : { explicitHashKey }),
            }),
          );
          await producer.close();
          const results = await Promise.all(puts);
          const found = new Map(
            (await consumed(stream)).map((one) => [
              `${one.sequenceNumber}/${one.subSequenceNumber}`,
              one,
            ]),
          );
          expect(found.size).toBe(records.length);
          for (const [i, { sequenceNumber, subSequenceNumber, shardId }] of results.entries()) {
            const one = found.get(`${sequenceNumber}/${subSequenceNumber}`);
            expect(one?.partitionKey).toBe(records[i]?.partitionKey);
            expect(one?.shardId).toBe(shardId);
            expect(Buffer.from(one?.data ?? []).equals(records[i]?.data ?? Buffer.of(1))).toBe(
              true,
            );
          }
          for (const { data } of await readAll(stream)) {
            const members = decodeAggregate(data);
            if (members === undefined) continue;
            expect(members.length).toBeLessThanOrEqual(settings.aggregationMaxCount);
            expect(data.byteLength).toBeLessThanOrEqual(settings.aggregationMaxBytes);
          }
          await streams.delete(`run-${run}`);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("copies the data before put returns", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks");
    await using producer = await stream.producer();
    const data = Uint8Array.of(0);
    const puts = [1, 2, 3].map((value) => {
      data[0] = value;
      return producer.put({ partitionKey: "k", data });
    });
    await Promise.all(puts);
    expect((await consumed(stream)).map((record) => record.data[0])).toEqual([1, 2, 3]);
  });

  it("puts one user record as a plain record, key and explicit hash key as they are", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks", { shards: 2 });
    await using producer = await stream.producer({ maxBufferedMs: 0 });
    const last = ((1n << 128n) - 1n).toString();
    const { shardId } = await producer.put({ partitionKey: LOW, data: "x", explicitHashKey: last });
    expect(shardId).toBe("shardId-000000000001");
    const [record] = await readAll(stream);
    expect([record?.partitionKey, record?.text()]).toEqual([LOW, "x"]);
  });

  it("wraps what looks like an aggregate, so that consumers get it as it was put", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks");
    const aggregate = encodeAggregate([{ partitionKey: "inner", data: Uint8Array.of(1) }]);
    await using producer = await stream.producer({ maxBufferedMs: 0 });
    await producer.put({ partitionKey: "outer", data: aggregate });
    const [record] = await readAll(stream);
    if (record === undefined) throw new Error("nothing was stored");
    expect(deaggregate(record)).toMatchObject([{ partitionKey: "outer", data: aggregate }]);
  });

  it("puts plain records when it does not aggregate, up to 500 in a call", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks", { shards: 2 });
    await using producer = await stream.producer({ aggregation: false });
    await Promise.all(
      Array.from({ length: 1200 }, (_, i) =>
        producer.put({ partitionKey: `key-${i}`, data: `${i}` }),
      ),
    );
    const records = await readAll(stream);
    expect(records).toHaveLength(1200);
    expect(records.map((one) => Number(one.text())).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1200 }, (_, i) => i),
    );
    expect(producer.metrics()).toMatchObject({
      calls: 3,
      kinesisRecordsPut: 1200,
      kinesisRecordsPerCall: { max: 500 },
    });
  });

  it("does not aggregate where the service spreads the records, and keeps no order there", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("spread", { mode: "ON_DEMAND" });
    const input = { StreamARN: stream.arn, RecordDistributionStrategy: "AUTO" } as const;
    await awsFace(engine).execute("UpdateStreamRecordDistributionStrategy", input);
    await using producer = await stream.producer();
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, i) => producer.put({ partitionKey: LOW, data: `${i}` })),
    );
    expect(await readAll(stream)).toHaveLength(100);
    expect(new Set(results.map(({ shardId }) => shardId)).size).toBeGreaterThan(1);
    expect(await failureOf(stream.producer({ orderedBy: "partitionKey" }))).toMatchObject({
      code: "InvalidArgumentException",
      argument: "options.orderedBy",
    });
  });

  it("refuses a record over the stream's limit, and takes it when the limit was raised", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    await using producer = await stream.producer();
    const put = () => producer.put({ partitionKey: "k", data: new Uint8Array(2_000_000) });
    const failure = await failureOf(put());
    expect(failure).toBeInstanceOf(RecordTooLargeError);
    expect(failure).toMatchObject({ argument: "record", value: 2_000_001, limit: 1_048_576 });
    const input = { StreamARN: stream.arn, MaxRecordSizeInKiB: 4096 };
    await awsFace(engine).execute("UpdateMaxRecordSize", input);
    await failureOf(put());
    await expect.poll(() => put().then(() => "stored", String)).toBe("stored");
    const whole = await producer.put({ partitionKey: "k", data: new Uint8Array(1_048_575) });
    expect(whole.subSequenceNumber).toBe(0);
  });

  it("flushes at once, and closes when all is settled", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks");
    const producer = await stream.producer({ maxBufferedMs: 20_000 });
    await producer.flush();
    const first = producer.put({ partitionKey: "k", data: "1" });
    await producer.flush();
    expect((await first).subSequenceNumber).toBe(0);
    const second = producer.put({ partitionKey: "k", data: "2" });
    const closing = producer.close();
    expect(producer.close()).toBe(closing);
    expect(producer.closed).toBe(true);
    await closing;
    await second;
    const failure = await failureOf(producer.put({ partitionKey: "k", data: "3" }));
    expect(failure).toBeInstanceOf(ProducerClosedError);
    expect((await consumed(stream)).map((one) => one.text())).toEqual(["1", "2"]);
  });

  it("sends everything in the task in which the page ends", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks", { shards: 2 });
    const producer = await stream.producer({ maxBufferedMs: 20_000 });
    const puts = [LOW, HIGH].map((partitionKey) => producer.put({ partitionKey, data: "x" }));
    producer.leave();
    await Promise.all(puts);
    expect(producer.metrics()).toMatchObject({ calls: 1, kinesisRecordsPut: 2 });
    await producer.close();
  });
});

describe("failures", () => {
  it("of throttled records are tried again until all are stored", async () => {
    const { streams } = await openEngine({ quotas: "aws" });
    const stream = await streams.create("clicks");
    await using producer = await stream.producer({ aggregation: false, rateLimitPercent: 100_000 });
    const results = await Promise.all(
      Array.from({ length: 1600 }, (_, i) => producer.put({ partitionKey: `k${i}`, data: `${i}` })),
    );
    expect(await readAll(stream)).toHaveLength(1600);
    const metrics = producer.metrics();
    expect(metrics.retries).toBeGreaterThan(0);
    expect(metrics.errorsByCode["ProvisionedThroughputExceededException"]).toBeGreaterThan(0);
    const retried = results.filter(({ attempts }) => attempts.length > 1);
    expect(retried.length).toBeGreaterThan(0);
    for (const { attempts } of retried) {
      expect(attempts.map(({ error }) => error?.code)).toEqual([
        ...Array(attempts.length - 1).fill("ProvisionedThroughputExceededException"),
        undefined,
      ]);
    }
  });

  it("of throttled records are final when that is wanted", async () => {
    const { streams } = await openEngine({ quotas: "aws" });
    const stream = await streams.create("clicks");
    const producer = await stream.producer({
      ...{ aggregation: false, rateLimitPercent: 100_000, failIfThrottled: true },
    });
    const puts = Array.from({ length: 1600 }, () => producer.put({ partitionKey: "k", data: "x" }));
    const settled = await Promise.allSettled(puts);
    const failures = settled.filter((one) => one.status === "rejected").map(({ reason }) => reason);
    expect(failures.length).toBeGreaterThan(100);
    expect(failures[0]).toBeInstanceOf(UserRecordFailedError);
    expect(failures[0]).toMatchObject({
      code: "ProvisionedThroughputExceededException",
      retryable: true,
      attempts: [{ error: { code: "ProvisionedThroughputExceededException" } }],
    });
    expect(await readAll(stream)).toHaveLength(1600 - failures.length);
  });

  it("keeps to its rate, so that nothing is throttled", async () => {
    const { streams } = await openEngine({ quotas: "aws" });
    const stream = await streams.create("clicks");
    await using producer = await stream.producer({ aggregation: false, rateLimitPercent: 50 });
    await Promise.all(
      Array.from({ length: 700 }, () => producer.put({ partitionKey: "k", data: "x" })),
    );
    expect(producer.metrics()).toMatchObject({ retries: 0, errorsByCode: {} });
    // 500 at once, and the rest at 500 a second.
    expect(producer.metrics().recordLatencyMs.max).toBeGreaterThan(350);
  });

  it("says that a record may be stored when nobody knows", async () => {
    const { streams, faults } = await openEngine();
    const stream = await streams.create("clicks");
    await using producer = await stream.producer();
    const effect = { kind: "dropped-connection", when: "after" } as const;
    await faults.set([{ operation: "PutRecords", times: 1, effect }]);
    const failure = await failureOf(producer.put({ partitionKey: "k", data: "1" }));
    expect(failure).toBeInstanceOf(UserRecordFailedError);
    expect(failure).toMatchObject({ code: "ConnectionDroppedException", indeterminate: true });
    await producer.put({ partitionKey: "k", data: "2" });
    expect((await readAll(stream)).map((one) => one.text())).toEqual(["1", "2"]);
  });

  it("ends with the time to live, with all attempts", async () => {
    const { streams, faults } = await openEngine();
    const stream = await streams.create("clicks");
    await using producer = await stream.producer({ recordTtlMs: 1000, maxBufferedMs: 10 });
    const effect = { kind: "error", code: "InternalFailureException" } as const;
    await faults.set([{ operation: "PutRecords", effect }]);
    const failure = await failureOf(producer.put({ partitionKey: "k", data: "1" }));
    expect(failure).toBeInstanceOf(UserRecordFailedError);
    expect(failure).toMatchObject({ code: "RecordExpiredException", limit: 1000, retryable: true });
    const { attempts } = failure as UserRecordFailedError;
    expect(attempts.length).toBeGreaterThan(1);
    expect(attempts[0]).toMatchObject({ error: { code: "InternalFailureException" } });
    await faults.clear();
    await using patient = await stream.producer();
    await patient.put({ partitionKey: "k", data: "2" });
    expect((await readAll(stream)).map((one) => one.text())).toEqual(["2"]);
  });

  it("of a stream that was deleted, or an engine that was closed, is final for all", async () => {
    const engine = await openEngine();
    const [gone, kept] = [await engine.streams.create("gone"), await engine.streams.create("kept")];
    const [first, second] = [await gone.producer(), await kept.producer()];
    await engine.streams.delete("gone");
    const failure = await failureOf(first.put({ partitionKey: "k", data: "1" }));
    expect(failure).toMatchObject({ code: "ResourceNotFoundException" });
    await first.close();
    const put = second.put({ partitionKey: "k", data: "1" });
    await engine.close();
    expect(await failureOf(put)).toMatchObject({ code: "EngineClosedException" });
    await second.close();
  });
});

describe("reshards", () => {
  it("between prediction and commit put the members of a stray aggregate again", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks");
    await using producer = await stream.producer();
    await stream.split("shardId-000000000000");
    const results = await Promise.all(
      [LOW, HIGH, LOW, HIGH].map((partitionKey, i) => producer.put({ partitionKey, data: `${i}` })),
    );
    for (const { attempts } of results) {
      expect(attempts.map(({ error }) => error?.code)).toEqual(["WrongShardException", undefined]);
    }
    expect(results.map(({ shardId }) => shardId.slice(-1))).toEqual(["1", "2", "1", "2"]);
    expect(numbersByKey(await consumed(stream))).toEqual(
      new Map([
        [LOW, [0, 2]],
        [HIGH, [1, 3]],
      ]),
    );
    expect(producer.metrics()).toMatchObject({
      strayAggregates: 1,
      retries: 4,
      errorsByCode: { WrongShardException: 1 },
    });
    // Whoever reads the stream as it is finds them twice.
    expect((await readAll(stream)).flatMap((record) => deaggregate(record))).toHaveLength(8);
  });

  it("that merge, or leave all members in one shard, put nothing again", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("clicks", { shards: 2 });
    await using producer = await stream.producer();
    await stream.merge("shardId-000000000000", "shardId-000000000001");
    const puts = [LOW, LOW, HIGH, HIGH].map((partitionKey) =>
      producer.put({ partitionKey, data: "1" }),
    );
    for (const { attempts, shardId } of await Promise.all(puts)) {
      expect(attempts).toHaveLength(1);
      expect(shardId).toBe("shardId-000000000002");
    }
    expect(producer.metrics().strayAggregates).toBe(0);
    const { sequenceNumber } = await producer.put({ partitionKey: LOW, data: "1" });
    expect(sequenceNumber).toMatch(/^\d{56}$/);
  });

  it.each([
    ["partitionKey", true],
    ["partitionKey", false],
    ["nothing", true],
  ] as const)(
    "and faults under load: by %s, aggregation %s: consumers get each record once",
    async (orderedBy, aggregation) => {
      const { streams, faults } = await openEngine();
      const stream = await streams.create("clicks");
      await using producer = await stream.producer({
        ...{ orderedBy, aggregation, maxBufferedMs: 1, backoffBaseMs: 1, backoffMaxMs: 5 },
        ...{ collectionMaxCount: 7, aggregationMaxBytes: 400, maxCallsInFlight: 4 },
      });
      await faults.set([
        {
          operation: "PutRecords",
          probability: 0.5,
          effect: { kind: "partial-failure", recordProbability: 0.2 },
        },
        {
          operation: "PutRecords",
          probability: 0.1,
          effect: { kind: "error", code: "InternalFailureException" },
        },
        { operation: "PutRecords", probability: 0.2, effect: { kind: "delay", delayMs: 3 } },
      ]);
      const puts: Promise<unknown>[] = [];
      const reshard = async (round: number): Promise<void> => {
        const open = (await stream.shards()).filter(({ closedMs }) => closedMs === undefined);
        if (round % 3 === 2) {
          const [first, second] = open.sort((a, b) =>
            BigInt(a.startingHashKey) < BigInt(b.startingHashKey) ? -1 : 1,
          );
          if (first && second) await stream.merge(first.shardId, second.shardId);
        } else {
          const shard = open[round % open.length];
          if (shard !== undefined) await stream.split(shard.shardId);
        }
      };
      for (let round = 0; round < 15; round++) {
        const resharding = reshard(round);
        for (let i = 0; i < 80; i++) {
          const n = round * 80 + i;
          puts.push(producer.put({ partitionKey: `key-${n % 13}`, data: `${n}` }));
          if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        }
        await resharding;
      }
      await Promise.all(puts);
      const found = numbersByKey(await consumed(stream));
      for (const [key, numbers] of found) {
        const expected = Array.from({ length: 1200 }, (_, n) => n).filter(
          (n) => `key-${n % 13}` === key,
        );
        const inOrder = orderedBy === "partitionKey" ? numbers : numbers.sort((a, b) => a - b);
        expect(inOrder).toEqual(expected);
      }
      expect(found.size).toBe(13);
      expect(producer.metrics().retries).toBeGreaterThan(20);
    },
  );
});
