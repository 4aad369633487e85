/** What options are refused, and by which names. */
import { InvalidArgumentError } from "millrace";
import { openProducer } from "millrace/producer";
import { expect, it } from "vitest";
import { checkProducerOptions } from "../../src/producer/options.ts";
import { failureOf, openEngine } from "../support.ts";

it("defaults are the KPL's", () => {
  expect(checkProducerOptions({})).toEqual({
    aggregation: true,
    aggregationMaxBytes: 51_200,
    aggregationMaxCount: 4_294_967_295,
    collectionMaxCount: 500,
    collectionMaxBytes: 5_242_880,
    maxBufferedMs: 100,
    recordTtlMs: 30_000,
    rateLimitPercent: 150,
    failIfThrottled: false,
    maxCallsInFlight: 24,
    bufferMaxBytes: 16_777_216,
    orderedBy: "nothing",
    backoffBaseMs: 50,
    backoffMaxMs: 2000,
  });
});

it.each([
  [{ aggregation: 1 }, "aggregation", "1", "boolean"],
  [{ aggregationMaxBytes: 63 }, "aggregationMaxBytes", "63", "64 to 1048576"],
  [{ aggregationMaxCount: 0 }, "aggregationMaxCount", "0", "1 to 4294967295"],
  [{ collectionMaxCount: 501 }, "collectionMaxCount", "501", "1 to 500"],
  [{ collectionMaxBytes: 52_223 }, "collectionMaxBytes", "52223", "52224 to 10485760"],
  [{ maxBufferedMs: -1 }, "maxBufferedMs", "-1", "0 to 86400000"],
  [{ recordTtlMs: 99 }, "recordTtlMs", "99", "100 to 86400000"],
  [{ recordTtlMs: 100 }, "recordTtlMs", "100", "more than maxBufferedMs, 100"],
  [{ rateLimitPercent: 0 }, "rateLimitPercent", "0", "1 to 9007199254740991"],
  [{ failIfThrottled: "no" }, "failIfThrottled", '"no"', "boolean"],
  [{ maxCallsInFlight: 257 }, "maxCallsInFlight", "257", "1 to 256"],
  [{ bufferMaxBytes: 1.5 }, "bufferMaxBytes", "1.5", "65536 to 1073741824"],
  [{ orderedBy: "shard" }, "orderedBy", '"shard"', '"nothing" or "partitionKey"'],
  [{ backoffMaxMs: 49 }, "backoffMaxMs", "49", "backoffBaseMs, 50, or more"],
  [{ backoffBaseMs: Number.NaN }, "backoffBaseMs", "NaN", "1 to 60000"],
])("%o is refused", async (options, member, value, limit) => {
  const { streams } = await openEngine();
  const stream = await streams.create("clicks");
  const failure = await failureOf(stream.producer(options as never));
  expect(failure).toBeInstanceOf(InvalidArgumentError);
  expect(failure).toMatchObject({ argument: `options.${member}`, value, limit });
});

it("unknown options are refused, and those that are undefined are not there", async () => {
  expect(() => checkProducerOptions({ linger: 5 } as never)).toThrow(
    expect.objectContaining({ argument: "options.linger" }),
  );
  expect(checkProducerOptions({ maxBufferedMs: undefined } as never).maxBufferedMs).toBe(100);
  for (const target of [undefined, {}, { putRecords: 1 }]) {
    expect(await failureOf(openProducer(target as never))).toMatchObject({
      argument: "target",
    });
  }
});

it("records are refused as by putRecord", async () => {
  const { streams } = await openEngine();
  const producer = await (await streams.create("clicks")).producer();
  const bad = [undefined, { partitionKey: "", data: "" }, { partitionKey: "k", data: undefined }];
  for (const record of bad) {
    expect(await failureOf(producer.put(record as never))).toBeInstanceOf(InvalidArgumentError);
  }
  expect(producer.outstandingRecords).toBe(0);
});
