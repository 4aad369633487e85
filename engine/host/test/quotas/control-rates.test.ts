import { describe, expect, it } from "vitest";
import { MillraceError } from "../../src/errors/errors.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { ControlRates } from "../../src/quotas/control-rates.ts";

function ratesAt(): { clock: VirtualClock; rates: ControlRates } {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1));
  return { clock, rates: new ControlRates(clock, true) };
}

function failureOf(call: () => void): MillraceError {
  try {
    call();
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error("the call passed");
}

describe("rates of control operations", () => {
  it.each([
    ["CreateStream", 5],
    ["DescribeStream", 10],
    ["DescribeStreamSummary", 20],
    ["DescribeLimits", 1],
    ["ListStreams", 5],
  ] as const)(
    "let %s pass %i times in a second, and say when to come back",
    (operation, perSecond) => {
      const { clock, rates } = ratesAt();
      for (let i = 0; i < perSecond; i++) rates.admit(operation, {});
      const refused = failureOf(() => rates.admit(operation, {}));
      expect(refused.code).toBe("LimitExceededException");
      expect(refused.message).toMatch(/^Rate exceeded for account 000000000000\. /);
      expect(refused.limit).toBe(perSecond);
      expect(refused.retryable).toBe(true);
      const waitMs = refused.retryAfterMs ?? 0;
      expect(waitMs).toBe(Math.ceil(1000 / perSecond));
      clock.advanceBy(waitMs - 1);
      failureOf(() => rates.admit(operation, {}));
      clock.advanceBy(1);
      rates.admit(operation, {});
      clock.advanceBy(60_000);
      for (let i = 0; i < perSecond; i++) rates.admit(operation, {});
      failureOf(() => rates.admit(operation, {}));
    },
  );

  it("count iterators by shard, however it is named, and answer as shards do", () => {
    const { rates } = ratesAt();
    const stream = { StreamName: "clicks" };
    const StreamARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    for (let i = 0; i < 4; i++) {
      rates.admit("GetShardIterator", { ...stream, ShardId: "shardId-000000000001" });
    }
    rates.admit("GetShardIterator", { StreamARN, ShardId: "1" });
    const refused = failureOf(() =>
      rates.admit("GetShardIterator", { StreamARN, ShardId: "shardId-1" }),
    );
    expect(refused.code).toBe("ProvisionedThroughputExceededException");
    expect(refused.message).toMatch(
      /^Rate exceeded for shard shardId-000000000001 in stream clicks under account 000000000000\. /,
    );
    rates.admit("GetShardIterator", { ...stream, ShardId: "shardId-000000000002" });
    rates.admit("GetShardIterator", { StreamName: "other", ShardId: "shardId-000000000001" });
  });

  it("count each stream and each operation by itself", () => {
    const { rates } = ratesAt();
    for (let i = 0; i < 5; i++) rates.admit("ListStreamConsumers", { StreamName: "a" });
    failureOf(() => rates.admit("ListStreamConsumers", { StreamName: "a" }));
    rates.admit("ListStreamConsumers", { StreamName: "b" });
    rates.admit("DeleteStream", { StreamName: "a" });
  });

  it("forget full tanks without letting more pass", () => {
    const { clock, rates } = ratesAt();
    for (let i = 0; i < 5000; i++) rates.admit("ListShards", { StreamName: `stream-${i}` });
    clock.advanceBy(1000);
    for (let i = 0; i < 5; i++) rates.admit("DeleteStream", {});
    for (let i = 0; i < 5000; i++) rates.admit("ListShards", { StreamName: `other-${i}` });
    expect(failureOf(() => rates.admit("DeleteStream", {})).code).toBe("LimitExceededException");
  });

  it("do not count data operations, and nothing at all unless asked for", () => {
    const { clock, rates } = ratesAt();
    const off = new ControlRates(clock, false);
    for (let i = 0; i < 100; i++) {
      rates.admit("PutRecord", { StreamName: "clicks" });
      off.admit("DescribeLimits", {});
    }
  });
});
