import { describe, expect, it } from "vitest";
import { InvalidArgumentError } from "../../src/errors/index.ts";
import {
  MetricsRegistry,
  SHARD_METRICS,
  type ShardPut,
} from "../../src/metrics/metrics-registry.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";

const START_MS = Date.UTC(2026, 0, 1, 12, 0, 0);
const MINUTE_MS = 60_000;

function open() {
  const clock = new VirtualClock(START_MS);
  const metrics = new MetricsRegistry(clock);
  const all = (metricName: string, about: { shardIndex?: number; consumerName?: string } = {}) =>
    metrics.get({ streamUid: 1, metricName, startMs: 0, endMs: Number.MAX_VALUE, ...about });
  return { clock, metrics, all };
}

function stored(
  shardIndex: number,
  storedRecords: number,
  change: Partial<ShardPut> = {},
): ShardPut {
  const storedBytes = storedRecords * 100;
  return {
    shardIndex,
    storedRecords,
    storedBytes,
    throttledRecords: 0,
    failedRecords: 0,
    ...change,
  };
}

describe("metrics", () => {
  it("keep a statistic set for every minute in which something happened", () => {
    const { clock, metrics, all } = open();
    metrics.recordPut(1, {
      operation: "PutRecords",
      latencyMs: 4,
      shards: [stored(0, 3), stored(1, 2)],
    });
    clock.advanceBy(MINUTE_MS - 1);
    metrics.recordPut(1, { operation: "PutRecord", latencyMs: 1, shards: [stored(1, 1)] });
    clock.advanceBy(1 + MINUTE_MS);
    metrics.recordPut(1, { operation: "PutRecord", latencyMs: 2, shards: [stored(0, 1)] });
    expect(all("IncomingRecords")).toEqual([
      { timestampMs: START_MS, sum: 6, minimum: 1, maximum: 5, sampleCount: 2 },
      { timestampMs: START_MS + 2 * MINUTE_MS, sum: 1, minimum: 1, maximum: 1, sampleCount: 1 },
    ]);
    expect(all("IncomingBytes").map(({ sum }) => sum)).toEqual([600, 100]);
    expect(all("PutRecords.TotalRecords").map(({ sum }) => sum)).toEqual([5]);
    expect(all("PutRecord.Latency").map(({ sum }) => sum)).toEqual([1, 2]);
  });

  it("tell throttled records from failed ones", () => {
    const { metrics, all } = open();
    metrics.recordPut(1, {
      operation: "PutRecords",
      latencyMs: 1,
      shards: [stored(0, 5, { throttledRecords: 2 }), stored(1, 0, { failedRecords: 1 })],
    });
    metrics.recordPut(1, {
      operation: "PutRecords",
      latencyMs: 1,
      shards: [stored(0, 0, { throttledRecords: 4 })],
    });
    const sums = [
      "PutRecords.SuccessfulRecords",
      "PutRecords.ThrottledRecords",
      "PutRecords.FailedRecords",
      "PutRecords.TotalRecords",
      "PutRecords.Success",
      "WriteProvisionedThroughputExceeded",
    ].map((name) => all(name)[0]?.sum);
    expect(sums).toEqual([5, 6, 1, 12, 1, 6]);
    expect(all("PutRecords.Success")[0]?.sampleCount).toBe(2);
  });

  it("count reads, throttled ones and those that failed", () => {
    const { metrics, all } = open();
    const read = { shardIndex: 0, records: 7, bytes: 700, iteratorAgeMs: 250, throttled: false };
    metrics.recordRead(1, { latencyMs: 3, shards: [read] });
    const throttled = { ...read, records: 0, bytes: 0, iteratorAgeMs: 0, throttled: true };
    metrics.recordRead(1, { latencyMs: 1, shards: [throttled] });
    metrics.recordRead(1, { latencyMs: 1, shards: [] });
    expect(all("GetRecords.Records")[0]).toMatchObject({ sum: 7, sampleCount: 1 });
    expect(all("GetRecords.Bytes")[0]?.sum).toBe(700);
    expect(all("GetRecords.Success")[0]).toMatchObject({ sum: 1, sampleCount: 3 });
    expect(all("GetRecords.IteratorAgeMilliseconds")[0]?.maximum).toBe(250);
    expect(all("ReadProvisionedThroughputExceeded")[0]?.sum).toBe(1);
  });

  it("are kept of shards only where and since they are enabled", () => {
    const { clock, metrics, all } = open();
    const shards = [stored(0, 1), stored(1, 2, { throttledRecords: 3 })];
    const put = { operation: "PutRecords", latencyMs: 1, shards } as const;
    metrics.recordPut(1, put);
    metrics.follow((uid) => (uid === 1 ? ["IncomingRecords"] : []));
    metrics.recordPut(1, put);
    metrics.recordPut(2, put);
    expect(all("IncomingRecords", { shardIndex: 1 })[0]).toMatchObject({ sum: 2, sampleCount: 1 });
    expect(all("IncomingBytes", { shardIndex: 1 })).toEqual([]);
    metrics.follow(() => SHARD_METRICS);
    clock.advanceBy(MINUTE_MS);
    metrics.recordPut(1, put);
    const read = { shardIndex: 1, records: 7, bytes: 700, iteratorAgeMs: 250, throttled: false };
    metrics.recordRead(1, { latencyMs: 1, shards: [read] });
    metrics.recordRead(1, { latencyMs: 1, shards: [{ ...read, throttled: true }] });
    const sums = SHARD_METRICS.map((name) => all(name, { shardIndex: 1 }).at(-1)?.sum);
    expect(sums).toEqual([200, 2, 700, 7, 3, 1, 250]);
    const ofOther = { streamUid: 2, metricName: "IncomingRecords", startMs: 0, endMs: 9e15 };
    expect(metrics.get({ ...ofOther, shardIndex: 1 })).toEqual([]);
    expect(metrics.get(ofOther)[0]?.sum).toBe(3);
  });

  it("count subscriptions by consumer and for the stream", () => {
    const { metrics, all } = open();
    metrics.follow(() => ["OutgoingRecords"]);
    metrics.recordSubscription(1, "a", { succeeded: true, rateExceeded: false });
    metrics.recordSubscription(1, "b", { succeeded: false, rateExceeded: true });
    const event = {
      consumerName: "a",
      shardIndex: 0,
      records: 2,
      bytes: 20,
      millisBehindLatest: 9,
    };
    metrics.recordEvent(1, event);
    metrics.recordEvent(1, { ...event, consumerName: "b", records: 5 });
    expect(all("SubscribeToShardEvent.Records", { consumerName: "a" })[0]?.sum).toBe(2);
    expect(all("SubscribeToShardEvent.Records")[0]).toMatchObject({ sum: 7, sampleCount: 2 });
    expect(all("SubscribeToShard.RateExceeded", { consumerName: "b" })[0]?.sum).toBe(1);
    expect(all("SubscribeToShard.Success")[0]?.sum).toBe(1);
    expect(all("OutgoingRecords", { shardIndex: 0 })[0]?.sum).toBe(7);
  });

  it("give the minutes from the first time to before the second", () => {
    const { clock, metrics } = open();
    for (let minute = 0; minute < 4; minute++) {
      metrics.recordPut(1, { operation: "PutRecord", latencyMs: 1, shards: [stored(0, 1)] });
      clock.advanceBy(MINUTE_MS);
    }
    const about = { streamUid: 1, metricName: "IncomingRecords" };
    const startMs = START_MS + MINUTE_MS;
    const found = metrics.get({ ...about, startMs, endMs: START_MS + 3 * MINUTE_MS });
    expect(found.map(({ timestampMs }) => timestampMs)).toEqual([startMs, startMs + MINUTE_MS]);
  });

  it("last three hours, even when nothing happens any more", () => {
    const { clock, metrics, all } = open();
    const put = { operation: "PutRecord", latencyMs: 1, shards: [stored(0, 1)] } as const;
    for (let minute = 0; minute < 200; minute++) {
      metrics.recordPut(1, put);
      clock.advanceBy(MINUTE_MS);
    }
    expect(all("IncomingRecords")).toHaveLength(180);
    clock.advanceBy(100 * MINUTE_MS);
    expect(all("IncomingRecords")).toHaveLength(80);
    clock.advanceBy(100 * MINUTE_MS);
    expect(all("IncomingRecords")).toEqual([]);
  });

  it("stay in order when the wall clock is set back", () => {
    const { clock, metrics, all } = open();
    const put = { operation: "PutRecord", latencyMs: 1, shards: [stored(0, 1)] } as const;
    metrics.recordPut(1, put);
    clock.jumpWall(-2 * MINUTE_MS);
    metrics.recordPut(1, put);
    clock.advanceBy(MINUTE_MS);
    metrics.recordPut(1, put);
    clock.advanceBy(MINUTE_MS);
    metrics.recordPut(1, put);
    expect(
      all("IncomingRecords").map(({ timestampMs, sum }) => [timestampMs - START_MS, sum]),
    ).toEqual([
      [-2 * MINUTE_MS, 1],
      [-MINUTE_MS, 1],
      [0, 2],
    ]);
  });

  it("refuse names that there are not, also of streams without a datapoint", () => {
    const { all } = open();
    expect(() => all("Incoming")).toThrow(InvalidArgumentError);
    expect(() => all("PutRecord.Success", { shardIndex: 0 })).toThrow(
      /of shards; there are Incoming/,
    );
    expect(() => all("PutRecord.Success", { consumerName: "a" })).toThrow(/of consumers/);
    expect(() => all("IncomingBytes", { shardIndex: 0, consumerName: "a" })).toThrow(/not both/);
  });
});
