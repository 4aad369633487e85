/** SubscribeToShard as the engine carries it: admission, pushed reads, its own 2 MiB per second, its end. */
import { describe, expect, it } from "vitest";
import { pluginPrincipal, ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type {
  EngineOptions,
  StreamDescription,
  SubscriptionTicket,
} from "../../src/service/engine-service.ts";
import { ApiEngine, callOf, turns } from "../support/api-calls.ts";
import { numberOf, someRecords } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

class Subscriber {
  readonly api: ApiEngine;
  readonly stream: StreamDescription;
  readonly #arns = new Map<string, string>();

  constructor(api: ApiEngine, stream: StreamDescription) {
    this.api = api;
    this.stream = stream;
  }

  async subscribe(ConsumerName = "app", type: "LATEST" | "TRIM_HORIZON" = "TRIM_HORIZON") {
    let arn = this.#arns.get(ConsumerName);
    if (arn === undefined) {
      const StreamARN = this.stream.arn;
      const { Consumer } = await this.api.invoke("RegisterStreamConsumer", {
        ...{ StreamARN, ConsumerName },
      });
      arn = Consumer.ConsumerARN;
      this.#arns.set(ConsumerName, arn);
    }
    return await this.api.service.call("openSubscription", {
      operation: "SubscribeToShard",
      input: {
        ...{ ConsumerARN: arn, ShardId: "shardId-000000000000" },
        StartingPosition: { Type: type },
      },
      caller: { principal: ROOT_PRINCIPAL },
    });
  }

  read(subscription: SubscriptionTicket, waitMs = 0) {
    const { nextIndex } = subscription;
    return this.api.read(this.stream, { nextIndex, subscription, waitMs });
  }
}

async function open(options: Partial<EngineOptions> = {}): Promise<Subscriber> {
  const api = await ApiEngine.open(options);
  return new Subscriber(api, await api.engine.createStream());
}

describe("a subscription", () => {
  it("is pushed what is committed", async () => {
    const subscriber = await open();
    const { api, stream } = subscriber;
    await api.put(stream, someRecords(2));
    const subscription = await subscriber.subscribe("app", "LATEST");
    const waiting = subscriber.read(subscription, 5000);
    await turns();
    await api.put(stream, someRecords(1, 100, 50));
    expect((await waiting).records.map(numberOf)).toEqual([50]);
    await api.close();
  });

  it("reads the one shard that it is for", async () => {
    const subscriber = await open();
    const { api, stream } = subscriber;
    const subscription = await subscriber.subscribe();
    const other = await api.engine.createStream("other");
    for (const [target, shardIndex] of [
      [other, 0],
      [stream, 1],
    ] as const) {
      const error = await failureOf(api.read(target, { shardIndex, subscription }));
      expect(error).toMatchObject({ code: "InvalidArgumentException", argument: "subscription" });
    }
    await api.close();
  });

  it("is read by nobody but who opened it, also under a policy that allows more", async () => {
    const subscriber = await open();
    const { api, stream } = subscriber;
    await api.put(stream, someRecords(2));
    const subscription = await subscriber.subscribe();
    const { nextIndex } = subscription;
    const call = callOf("SubscribeToShard", pluginPrincipal("csv"));
    const stolen = failureOf(api.read(stream, { nextIndex, subscription, call }));
    expect(await stolen).toMatchObject({
      code: "ResourceNotFoundException",
      argument: "subscription",
    });
    expect((await subscriber.read(subscription)).records).toHaveLength(2);
    await api.close();
  });

  it("hands out what it had begun to read when it is taken over meanwhile", async () => {
    const budget = { memoryBudgetBytes: 16 * 1024 * 1024 };
    const platform = virtualPlatform();
    const writer = await ApiEngine.open(budget, platform);
    const written = await writer.engine.createStream();
    for (let i = 0; i < 30; i++) await writer.put(written, someRecords(10, 10_000, i * 10));
    await writer.close();
    const machine = platform.restart();
    const api = await ApiEngine.open(budget, machine);
    const subscriber = new Subscriber(
      api,
      await api.service.call("describeStream", { name: written.name }),
    );
    const first = await subscriber.subscribe();
    await machine.clock.advance(5000);
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    machine.stores.faults.add({ kind: "none", nth: 1, operations: ["readSegment"], until });
    const reading = subscriber.read(first);
    const second = await subscriber.subscribe();
    release();
    expect((await reading).records.length).toBeGreaterThan(0);
    expect((await failureOf(subscriber.read(first))).code).toBe("ResourceInUseException");
    expect((await subscriber.read(second)).records.length).toBeGreaterThan(0);
    await api.close();
  });

  it("is taken over after 5 seconds, in the middle of a waiting read", async () => {
    const subscriber = await open();
    const { api } = subscriber;
    const first = await subscriber.subscribe();
    expect((await failureOf(subscriber.subscribe())).code).toBe("ResourceInUseException");
    await api.platform.clock.advance(5000);
    const waiting = failureOf(subscriber.read(first, 60_000));
    await turns();
    const second = await subscriber.subscribe();
    expect((await waiting).code).toBe("ResourceInUseException");
    expect((await subscriber.read(second)).records).toEqual([]);
    await api.close();
  });

  it("ends five minutes after it was opened, and when it is closed", async () => {
    const subscriber = await open();
    const { api } = subscriber;
    const first = await subscriber.subscribe();
    await api.platform.clock.advance(299_000);
    const waiting = failureOf(subscriber.read(first, 60_000));
    await turns();
    await api.platform.clock.advance(1000);
    expect((await waiting).code).toBe("ResourceNotFoundException");
    expect((await failureOf(subscriber.read(first))).code).toBe("ResourceNotFoundException");
    const second = await subscriber.subscribe();
    await api.service.call("closeSubscription", { id: second.id });
    expect((await failureOf(subscriber.read(second))).code).toBe("ResourceNotFoundException");
    await api.close();
  });

  it("has 2 MiB per second of its own, which GetRecords and other consumers do not touch", async () => {
    const subscriber = await open({ quotas: "aws" });
    const { api, stream } = subscriber;
    const mib = 1_048_576;
    for (let i = 0; i < 6; i++) await api.put(stream, someRecords(1, mib - 100, i));
    const a = await subscriber.subscribe("a");
    const b = await subscriber.subscribe("b");
    const take = async (nextIndex: number, subscription?: SubscriptionTicket) =>
      await api.read(stream, {
        ...{ nextIndex, bytesMax: 2 * mib },
        ...(subscription === undefined ? {} : { subscription }),
      });
    const [fromA, fromB, shared] = [await take(0, a), await take(0, b), await take(0)];
    for (const part of [fromA, fromB, shared]) expect(part.records.length).toBeGreaterThan(0);
    // Each has used up its own second, and the next read of each has to wait.
    const again = await take(fromA.nextIndex, a);
    expect(again.records.length).toBeGreaterThan(0);
    const refused = await failureOf(take(again.nextIndex, a));
    expect(refused.code).toBe("ProvisionedThroughputExceededException");
    expect(refused.retryAfterMs).toBeGreaterThan(0);
    expect((await take(fromB.nextIndex, b)).records.length).toBeGreaterThan(0);
    await api.platform.clock.advance(2000);
    expect((await take(again.nextIndex, a)).records.length).toBeGreaterThan(0);
    await api.close();
  });

  it("says for how long when a record is so large that its read is paid for longer than a read waits", async () => {
    const api = await ApiEngine.open({ quotas: "aws" });
    const stream = await api.service.call("createStream", {
      ...{ name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 10_240 },
    });
    const subscriber = new Subscriber(api, stream);
    await api.put(stream, someRecords(1, 10_485_000));
    await api.platform.clock.advance(10_000);
    await api.put(stream, someRecords(1, 100, 1));
    const subscription = await subscriber.subscribe();
    const { records, nextIndex } = await api.read(stream, {
      ...{ subscription, nextIndex: subscription.nextIndex },
      ...{ bytesMax: 1_048_576, waitMs: 4900 },
    });
    expect(records).toHaveLength(1);
    const waiting = failureOf(subscriber.read({ ...subscription, nextIndex }, 4900));
    await turns();
    await api.platform.clock.advance(4900);
    const { code, retryAfterMs } = await waiting;
    expect({ code, retryAfterMs }).toEqual({
      ...{ code: "ProvisionedThroughputExceededException", retryAfterMs: 100 },
    });
    await api.platform.clock.advance(100);
    const next = await subscriber.read({ ...subscription, nextIndex });
    expect(next.records.map(numberOf)).toEqual([1]);
    await api.close();
  });

  it("is not counted for consumers that there are not", async () => {
    const { api } = await open();
    const ConsumerARN = `arn:aws:kinesis:us-east-1:000000000000:stream/clicks/consumer/made-up:1`;
    const StartingPosition = { Type: "LATEST" } as const;
    const input = { ConsumerARN, ShardId: "shardId-000000000000", StartingPosition };
    const call = { ...callOf("SubscribeToShard"), operation: "SubscribeToShard", input } as const;
    const error = await failureOf(api.service.call("openSubscription", call));
    expect(error.code).toBe("ResourceNotFoundException");
    const points = await api.service.call("streamMetrics", {
      ...{ name: "clicks", metricName: "SubscribeToShard.Success", consumerName: "made-up" },
      ...{ startMs: 0, endMs: Number.MAX_SAFE_INTEGER },
    });
    expect(points).toEqual([]);
    await api.close();
  });

  it("counts its events and calls as CloudWatch does", async () => {
    const subscriber = await open();
    const { api, stream } = subscriber;
    await api.put(stream, someRecords(7));
    const subscription = await subscriber.subscribe();
    await subscriber.read(subscription);
    await failureOf(subscriber.subscribe());
    const nowMs = await api.service.call("now", {});
    const sumOf = async (metricName: string, consumerName?: string): Promise<number> => {
      const points = await api.service.call("streamMetrics", {
        ...{ name: "clicks", metricName, startMs: nowMs - 60_000, endMs: nowMs + 60_000 },
        ...(consumerName === undefined ? {} : { consumerName }),
      });
      return points.reduce((sum, point) => sum + point.sum, 0);
    };
    expect(await sumOf("SubscribeToShardEvent.Records", "app")).toBe(7);
    expect(await sumOf("SubscribeToShard.Success")).toBe(1);
    expect(await sumOf("SubscribeToShard.RateExceeded", "app")).toBe(1);
    await api.close();
  });
});
