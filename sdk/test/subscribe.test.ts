/** Reading as a registered consumer: pushed, over all shards, across reshards and renewals. */
import { ROOT_PRINCIPAL } from "@millrace/engine";
import { openLocal } from "@millrace/engine/local";
import {
  InvalidArgumentError,
  type Millrace,
  ResourceInUseError,
  ResourceNotFoundError,
  type Stream,
} from "millrace";
import { describe, expect, it, vi } from "vitest";
import { ShardSubscription } from "../src/aws/shard-subscription.ts";
import { clientOf } from "../src/client-of.ts";
import { ConsumerReader } from "../src/consumer-reader.ts";
import { registerConsumer } from "../src/stream-control.ts";
import { completeSpec } from "../src/stream-spec.ts";
import { countAlive } from "./memory.ts";
import { byKey, failureOf, openEngine } from "./support.ts";

async function opened(
  shards = 1,
  options: Parameters<typeof openEngine>[0] = {},
): Promise<{ engine: Millrace; stream: Stream }> {
  const engine = await openEngine(options);
  const stream = await engine.streams.create("clicks", { shards });
  await stream.registerConsumer("app");
  return { engine, stream };
}

function numbered(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => ({
    partitionKey: `key-${(from + i) % 11}`,
    data: `${from + i}`,
  }));
}

/** Pairs of key and text until there are `total`. */
async function take(
  stream: Stream,
  total: number,
  from: "LATEST" | "TRIM_HORIZON" = "TRIM_HORIZON",
) {
  const read: [string, string][] = [];
  for await (const batch of stream.subscribe({ consumer: "app", from })) {
    for (const record of batch) read.push([record.partitionKey, record.text()]);
    if (read.length >= total) break;
  }
  return read;
}

describe("consumers", () => {
  it("are registered, listed and deregistered", async () => {
    const { stream } = await opened();
    const other = await stream.registerConsumer("other");
    expect(other).toMatchObject({ name: "other", status: "ACTIVE", created: expect.any(Date) });
    expect(other.arn).toMatch(/stream\/clicks\/consumer\/other:\d+$/);
    expect((await stream.consumers()).map(({ name }) => name)).toEqual(["app", "other"]);
    expect(await failureOf(stream.registerConsumer("app"))).toBeInstanceOf(ResourceInUseError);
    await stream.deregisterConsumer("other");
    expect((await stream.consumers()).map(({ name }) => name)).toEqual(["app"]);
    expect(await failureOf(stream.deregisterConsumer("other"))).toBeInstanceOf(
      ResourceNotFoundError,
    );
  });
});

describe("subscribing", () => {
  it("brings what is there and what comes, of all shards", async () => {
    const { stream } = await opened(3);
    await stream.putRecords(numbered(0, 500));
    const reading = take(stream, 1000);
    await stream.putRecords(numbered(500, 1000));
    const sent = numbered(0, 1000).map((one): [string, string] => [one.partitionKey, one.data]);
    expect(byKey(await reading)).toEqual(byKey(sent));
  });

  it("follows splits and merges, parents before children", async () => {
    const { stream } = await opened(2);
    const reading = take(stream, 1200);
    for (let from = 0; from < 1200; from += 200) {
      const { openShards } = await stream.describe();
      await stream.putRecords(numbered(from, from + 200));
      const [first, second] = openShards;
      if (first === undefined || second === undefined) throw new Error("there are two shards");
      if (from % 400 === 0) await stream.split(second.shardId);
      else await stream.merge(first.shardId, second.shardId);
    }
    const sent = numbered(0, 1200).map((one): [string, string] => [one.partitionKey, one.data]);
    expect(byKey(await reading)).toEqual(byKey(sent));
  });

  it("is renewed after five minutes without a gap", async () => {
    const { engine, stream } = await opened(2, { time: "virtual" });
    const reading = take(stream, 40, "LATEST");
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let from = 0; from < 40; from += 4) {
      await stream.putRecords(numbered(from, from + 4));
      for (let i = 0; i < 10; i++) {
        await engine.time.advance(4000);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
    const sent = numbered(0, 40).map((one): [string, string] => [one.partitionKey, one.data]);
    expect(byKey(await reading)).toEqual(byKey(sent));
  });

  it("of one shard ends when that is closed", async () => {
    const { stream } = await opened();
    await stream.putRecords(numbered(0, 3));
    await stream.split("shardId-000000000000");
    const texts: string[] = [];
    const options = {
      consumer: "app",
      from: "TRIM_HORIZON",
      shard: "shardId-000000000000",
    } as const;
    for await (const batch of stream.subscribe(options)) {
      texts.push(...Array.from(batch, (record) => record.text()));
    }
    expect(texts).toEqual(["0", "1", "2"]);
  });

  it("ends with the signal's reason at once, and lets go when it is left", async () => {
    const { stream } = await opened();
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = stream.subscribe({ consumer: "app", from: "LATEST", signal }).next();
    setTimeout(() => controller.abort(new Error("enough")), 20);
    expect(await failureOf(waiting)).toMatchObject({ message: "enough" });
    await stream.registerConsumer("second");
    const left = stream.subscribe({ consumer: "second", from: "LATEST" });
    const next = left.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await left.return?.();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it("does not keep the batches of one shard while another has none", async () => {
    const { stream } = await opened(2);
    const reading = stream.subscribe({ consumer: "app", from: "TRIM_HORIZON" });
    const first = reading.next();
    const seen: WeakRef<object>[] = [];
    for (let i = 0; i < 30; i++) {
      await stream.putRecord({ partitionKey: "a", data: `${i}` });
      const { value } = i === 0 ? await first : await reading.next();
      if (value !== undefined) seen.push(new WeakRef(value));
    }
    expect(seen).toHaveLength(30);
    expect(await countAlive(seen)).toBeLessThan(5);
    await reading.return?.();
  });

  it("leaves no subscription behind when one of its shards cannot be had", async () => {
    const client = await openLocal({
      ...{ name: "left", storage: "memory", quotas: "unlimited", memoryBudgetBytes: 33_554_432 },
    });
    const stream = await client.call("createStream", completeSpec("clicks", { shards: 4 }));
    await registerConsumer(client, stream, "app");
    const options = { position: { type: "LATEST" }, live: true, signal: undefined } as const;
    const readerOf = (shardId: string | undefined) =>
      new ConsumerReader(client, stream, "app", { ...options, shardId });
    const other = readerOf("shardId-000000000000");
    const calls = vi.spyOn(client, "call");
    const settled = (operation: string) =>
      calls.mock.settledResults.filter(
        ({ type }, i) => type === "fulfilled" && calls.mock.calls[i]?.[0] === operation,
      ).length;
    const waiting = other.next();
    await vi.waitFor(() => expect(settled("openSubscription")).toBe(1));
    const all = readerOf(undefined);
    expect(await failureOf(all.next())).toBeInstanceOf(ResourceInUseError);
    await vi.waitFor(() => expect(settled("openSubscription")).toBe(4));
    await vi.waitFor(() => expect(settled("closeSubscription")).toBe(3));
    expect((await all.next()).done).toBe(true);
    await other.return();
    await waiting;
    await client.close();
  });

  it("is left alone by a closing that fails: it ends by itself, and its signal throws nowhere", async () => {
    const { engine, stream } = await opened();
    const client = clientOf(engine);
    const call = client.call.bind(client);
    const failing = vi.spyOn(client, "call").mockImplementation(async (operation, argument) => {
      if (operation === "closeSubscription") throw new TypeError("not to be closed now");
      return await call(operation, argument);
    });
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", note);
    const leaving = new AbortController();
    const events = await ShardSubscription.open(client, {
      operation: "SubscribeToShard",
      input: {
        ...{
          ConsumerARN: (await stream.consumers())[0]?.arn ?? "",
          ShardId: "shardId-000000000000",
        },
        StartingPosition: { Type: "LATEST" },
      },
      caller: { principal: ROOT_PRINCIPAL },
      signal: leaving.signal,
    });
    const waiting = events.next();
    leaving.abort();
    await waiting;
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", note);
    failing.mockRestore();
    expect(unhandled).toEqual([]);
  });

  it("tells a stream that was deleted by its name", async () => {
    const { engine, stream } = await opened();
    const next = failureOf(stream.subscribe({ consumer: "app", from: "LATEST" }).next());
    await new Promise((resolve) => setTimeout(resolve, 50));
    await engine.streams.delete("clicks");
    expect(await next).toMatchObject({ name: "ResourceNotFoundError", value: "clicks" });
  });

  it("is refused for strangers, twice at a time, and after the consumer is gone", async () => {
    const { stream } = await opened();
    const unknown = stream.subscribe({ consumer: "nobody", from: "LATEST" });
    expect(await failureOf(unknown.next())).toBeInstanceOf(ResourceNotFoundError);
    expect(() => stream.subscribe({ consumer: "a b", from: "LATEST" })).toThrow(
      InvalidArgumentError,
    );
    const first = stream.subscribe({ consumer: "app", from: "LATEST" });
    const waiting = first.next();
    waiting.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const second = stream.subscribe({ consumer: "app", from: "LATEST" });
    expect(await failureOf(second.next())).toBeInstanceOf(ResourceInUseError);
    await stream.deregisterConsumer("app");
    expect(await failureOf(waiting)).toBeInstanceOf(ResourceNotFoundError);
  });

  it("has a read rate of its own, whatever others read", async () => {
    const { stream } = await opened(1, { quotas: "aws" });
    await stream.registerConsumer("other");
    const data = "x".repeat(1_000_000);
    for (let i = 0; i < 6; i++) await stream.putRecord({ partitionKey: "a", data });
    const readBy = async (consumer: string): Promise<number> => {
      const startMs = performance.now();
      let records = 0;
      for await (const batch of stream.subscribe({ consumer, from: "TRIM_HORIZON" })) {
        records += batch.length;
        if (records === 6) break;
      }
      return performance.now() - startMs;
    };
    const [app, other] = await Promise.all([readBy("app"), readBy("other")]);
    // 6 MB at 2 MiB/s, of which the first 2 MiB come at once and the last read may overdraw.
    for (const ms of [app, other]) {
      expect(ms).toBeGreaterThan(800);
      expect(ms).toBeLessThan(4000);
    }
  });
});
