/** Consumer groups as applications see them: the order of calls, where they start, and what comes when. */
import { type Millrace, ResourceNotFoundError, type Stream } from "millrace";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { openGroup } from "../../src/groups/consumer-group.ts";
import { byKey, failureOf, openEngine } from "../support.ts";
import { LateClient } from "./clients.ts";
import { eventsOf, keep, Notes, numbered, put, sorted, textOf, texts, until } from "./support.ts";

const SHARD_0 = "shardId-000000000000";
const SHARD_1 = "shardId-000000000001";
const SHARD_2 = "shardId-000000000002";
const HOUR_MS = 3_600_000;
/** When a lease that is not handed over is taken by force. */
const HAND_OVER_MS = 30_000;

async function opened(shards = 1): Promise<{ engine: Millrace; stream: Stream }> {
  const engine = await openEngine();
  return { engine, stream: await engine.streams.create("clicks", { shards }) };
}

describe("a worker", () => {
  it("calls a processor in order, and checkpoints what it processed", async () => {
    const { stream } = await opened();
    await put(stream, 0, 10);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const worker = keep(group.start(notes.factory, { workerId: "w" }));
    await until(() => notes.records.length === 10);
    expect(worker.leases).toEqual([SHARD_0]);
    expect((await group.describe()).workers).toMatchObject([{ workerId: "w", leases: 1 }]);
    await worker.stop();
    await worker.finished;
    expect(worker.closed).toBe(true);
    expect(notes.texts).toEqual(texts(0, 10));
    expect(notes.calls).toEqual([
      `${SHARD_0} initialize`,
      `${SHARD_0} processRecords`,
      `${SHARD_0} shutdownRequested`,
    ]);
    const { leases, workers } = await group.describe();
    expect(workers).toEqual([]);
    expect(leases).toMatchObject([
      {
        ...{ shardId: SHARD_0, status: "available", owner: null, lagRecords: 0, iteratorAgeMs: 0 },
        checkpoint: { sequenceNumber: notes.records.at(-1)?.sequenceNumber, subSequenceNumber: 0 },
      },
    ]);
  });

  it("goes on from the checkpoint, with the state that came with it", async () => {
    const { stream } = await opened();
    await put(stream, 0, 10);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const first = new Notes();
    first.onRecords = async ({ records, checkpointer }) => {
      const at = records[3];
      if (at !== undefined) await checkpointer.checkpoint({ at, state: { sum: 6, gone: null } });
    };
    const manual = { checkpoints: "manual", workerId: "one" } as const;
    const worker = keep(group.start(first.factory, manual));
    await until(() => first.records.length === 10);
    await worker.stop();
    const second = new Notes();
    keep(group.start(second.factory, { ...manual, workerId: "two" }));
    await until(() => second.records.length === 6);
    expect(second.texts).toEqual(texts(4, 10));
    expect(first.states).toEqual([{}]);
    expect(second.states).toEqual([{ sum: 6 }]);
  });

  it("reads parents to their end before their children, over splits and merges", async () => {
    const { stream } = await opened();
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    await put(stream, 0, 100);
    await stream.split(SHARD_0);
    await put(stream, 100, 200);
    keep(group.start(notes.factory));
    await until(() => notes.records.length === 200);
    await stream.merge(SHARD_1, SHARD_2);
    await put(stream, 200, 300);
    await until(() => notes.records.length === 300);
    expect(sorted(notes.texts)).toEqual(texts(0, 300));
    const pairs = notes.records.map((one): [string, string] => [one.partitionKey, textOf(one)]);
    for (const values of byKey(pairs).values()) expect(values).toEqual(sorted(values));
    const ends = notes.calls.filter((call) => /shardEnded|initialize/.test(call));
    expect(ends.slice(0, 2)).toEqual([`${SHARD_0} initialize`, `${SHARD_0} shardEnded`]);
    expect(ends.at(-1)).toBe("shardId-000000000003 initialize");
    expect(ends).toHaveLength(7);
    const { leases } = await group.describe();
    expect(leases.filter(({ status }) => status === "ended")).toHaveLength(3);
  });

  it("starts at the newest record, or at a time", async () => {
    const engine = await openEngine({ time: "virtual" });
    const stream = await engine.streams.create("clicks");
    await put(stream, 0, 10);
    await engine.time.advance(HOUR_MS);
    const time = new Date(await engine.time.now());
    await put(stream, 10, 20);
    const [latest, timed] = [new Notes(), new Notes()];
    const groups = [await stream.group("latest"), await stream.group("timed", { from: time })];
    await put(stream, 20, 30);
    keep(groups[0]?.start(latest.factory));
    keep(groups[1]?.start(timed.factory));
    await until(() => latest.records.length === 10 && timed.records.length === 20);
    expect(latest.texts).toEqual(texts(20, 30));
    expect(timed.texts).toEqual(texts(10, 30));
  });

  it("is independent of other groups of the stream", async () => {
    const { engine, stream } = await opened(2);
    const [good, bad] = [new Notes(), new Notes()];
    bad.onRecords = () => {
      throw new Error("always");
    };
    const from = { from: "TRIM_HORIZON" } as const;
    const failing = keep((await stream.group("bad", from)).start(bad.factory, { retryMs: 10 }));
    const failures = eventsOf(failing);
    keep((await stream.group("good", from)).start(good.factory));
    await put(stream, 0, 500);
    await until(() => good.records.length === 500);
    await until(() => failures.filter((one) => one.kind === "processing-failed").length > 5);
    expect(bad.records).toEqual([]);
    expect((await engine.groups.list()).map(({ name }) => name)).toEqual(["bad", "good"]);
    const { leases } = await (await engine.groups.get("bad")).describe();
    const lag = leases.reduce((sum, { lagRecords }) => sum + lagRecords, 0);
    expect(lag).toBe(500);
    for (const { checkpoint } of leases) expect(checkpoint).toEqual({ at: "TRIM_HORIZON" });
  });

  it("hands leases over to a worker that joins, and takes those of one that leaves", async () => {
    const { stream } = await opened(4);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const [one, two] = [new Notes(), new Notes()];
    const first = keep(group.start(one.factory, { workerId: "one" }));
    await put(stream, 0, 200);
    await until(() => one.records.length === 200);
    const second = keep(group.start(two.factory, { workerId: "two" }));
    await until(() => first.leases.length === 2 && second.leases.length === 2);
    await put(stream, 200, 400);
    await until(() => one.records.length + two.records.length >= 400);
    expect(one.calls.filter((call) => call.endsWith("shutdownRequested"))).toHaveLength(2);
    await first.stop();
    await until(() => second.leases.length === 4);
    await put(stream, 400, 600);
    await until(() => one.records.length + two.records.length >= 600);
    // What was handed over was checkpointed: nothing comes twice.
    expect(sorted([...one.texts, ...two.texts])).toEqual(texts(0, 600));
  });

  it("leaves one lease after the other, to workers that have more", async () => {
    const { stream } = await opened(4);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const [one, two] = [new Notes(), new Notes()];
    let finish: (() => void) | undefined;
    one.onRecords = async (_input, shardId) => {
      if (shardId === SHARD_0 && finish === undefined) {
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      }
    };
    const first = keep(group.start(one.factory, { workerId: "one", leasesMax: 2 }));
    await until(() => first.leases.length === 2);
    const second = keep(group.start(two.factory, { workerId: "two" }));
    await until(() => second.leases.length === 2);
    await put(stream, 0, 100);
    await until(() => finish !== undefined);
    const stopping = first.stop();
    await until(() => second.leases.length === 3);
    expect(second.leases).not.toContain(SHARD_0);
    finish?.();
    await stopping;
    await until(() => second.leases.length === 4);
    await until(() => one.records.length + two.records.length >= 100);
    expect(sorted([...one.texts, ...two.texts])).toEqual(texts(0, 100));
  });

  it("hands a lease over that it had not heard of when another worker joined", async () => {
    const { engine, stream } = await opened(2);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const client = new LateClient(clientOf(engine));
    const late = await openGroup(client, stream.description, "g");
    const [one, two] = [new Notes(), new Notes()];
    const first = keep(late.start(one.factory, { workerId: "one" }));
    const statuses = async () => (await group.describe()).leases.map(({ status }) => status);
    await until(async () => (await statuses()).every((status) => status === "owned"));
    const second = keep(group.start(two.factory, { workerId: "two" }));
    await until(async () => (await statuses()).includes("handing-over"));
    client.hear();
    await until(() => first.leases.length === 1 && second.leases.length === 1, HAND_OVER_MS / 2);
    await put(stream, 0, 100);
    await until(() => one.records.length + two.records.length >= 100);
    expect(sorted([...one.texts, ...two.texts])).toEqual(texts(0, 100));
    expect(one.calls.filter((call) => call.endsWith("initialize"))).toHaveLength(1);
    const { leases } = await group.describe();
    // Each lease had one owner, and one of them another one before.
    expect(leases.map(({ leaseCounter }) => leaseCounter).sort()).toEqual([1, 3]);
  });

  it("loses a lease that is taken by force, and hears of it", async () => {
    const { stream } = await opened();
    await put(stream, 0, 10);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    let refused: Promise<unknown> = Promise.resolve();
    let held = false;
    notes.onRecords = async ({ signal, checkpointer }) => {
      if (notes.calls.includes(`${SHARD_0} leaseLost`)) return;
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
      held = true;
      await aborted;
      refused = failureOf(checkpointer.checkpoint());
    };
    const worker = keep(group.start(notes.factory));
    const events = eventsOf(worker);
    await until(() => held);
    await group.reset("TRIM_HORIZON", { force: true });
    await until(() => notes.records.length === 20);
    expect(await refused).toMatchObject({ code: "LeaseLostException" });
    expect(notes.calls.slice(0, 4)).toEqual([
      `${SHARD_0} initialize`,
      `${SHARD_0} processRecords`,
      `${SHARD_0} leaseLost`,
      `${SHARD_0} initialize`,
    ]);
    expect(events.map(({ kind }) => kind)).toContain("lease-lost");
  });

  it("ends with its group", async () => {
    const { stream } = await opened();
    const group = await stream.group("g");
    const notes = new Notes();
    const worker = keep(group.start(notes.factory));
    await until(() => notes.calls.length === 1);
    await group.delete();
    expect(await failureOf(worker.finished)).toBeInstanceOf(ResourceNotFoundError);
    await until(() => notes.calls.includes(`${SHARD_0} leaseLost`));
    expect(worker.closed).toBe(true);
  });

  it("ends when another group bears its group's name, and keeps no leases of that one", async () => {
    const engine = await openEngine();
    const old = await engine.streams.create("clicks");
    const former = await old.group("g", { from: "TRIM_HORIZON" });
    await engine.streams.delete("clicks");
    const stream = await engine.streams.create("clicks");
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const stale = keep(former.start(new Notes().factory));
    await expect(stale.finished).rejects.toBeInstanceOf(ResourceNotFoundError);
    const notes = new Notes();
    keep(group.start(notes.factory));
    await put(stream, 0, 10);
    await until(() => notes.records.length === 10);
  });

  it("reads as a registered consumer of the group's name", async () => {
    const { stream } = await opened(2);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const worker = keep(group.start(notes.factory, { reads: "fan-out" }));
    await put(stream, 0, 300);
    await until(() => notes.records.length === 300);
    expect((await stream.consumers()).map(({ name }) => name)).toEqual(["g"]);
    await stream.split(SHARD_0);
    await put(stream, 300, 400);
    await until(() => notes.records.length === 400);
    expect(sorted(notes.texts)).toEqual(texts(0, 400));
    await worker.stop();
    await group.delete();
    expect(await stream.consumers()).toEqual([]);
  });

  it("keeps deliveries as small as it is told to", async () => {
    const { stream } = await opened();
    await stream.putRecords(numbered(0, 95));
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const sizes: number[] = [];
    notes.onRecords = ({ records }) => {
      sizes.push(records.length);
    };
    keep(group.start(notes.factory, { batchRecordsMax: 10 }));
    await until(() => notes.records.length === 95);
    expect(Math.max(...sizes)).toBe(10);
    expect(notes.texts).toEqual(texts(0, 95));
  });

  it("is called again where a call throws, and its shard's children wait for it", async () => {
    const { stream } = await opened();
    await put(stream, 0, 50);
    await stream.split(SHARD_0);
    await put(stream, 50, 100);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const throwing = new Set(["factory", "initialize", "shardEnded"]);
    const once = (call: string): void => {
      if (throwing.delete(call)) throw new Error(call);
    };
    const worker = keep(
      group.start(
        (lease) => {
          once("factory");
          const processor = notes.factory(lease);
          return {
            ...processor,
            initialize: async (input) => {
              once("initialize");
              await processor.initialize?.(input);
            },
            shardEnded: async (input) => {
              once("shardEnded");
              await processor.shardEnded?.(input);
            },
          };
        },
        { retryMs: 1 },
      ),
    );
    const events = eventsOf(worker);
    await until(() => notes.records.length === 100);
    const failed = events.filter((one) => one.kind === "processing-failed");
    expect(failed.map(({ error, shardId }) => [String(error), shardId])).toEqual([
      ["Error: factory", SHARD_0],
      ["Error: initialize", SHARD_0],
      ["Error: shardEnded", SHARD_0],
    ]);
    expect(notes.calls.slice(0, 3)).toEqual([
      `${SHARD_0} initialize`,
      `${SHARD_0} processRecords`,
      `${SHARD_0} shardEnded`,
    ]);
  });

  it("goes on with the children of a shard that expired before it was processed", async () => {
    const engine = await openEngine({ time: "virtual" });
    const stream = await engine.streams.create("clicks");
    await put(stream, 0, 10);
    const group = await stream.group("g", { from: "TRIM_HORIZON", failoverMs: HOUR_MS });
    const notes = new Notes();
    notes.onRecords = (_input, shardId) => {
      if (shardId === SHARD_0) throw new Error("never");
    };
    const worker = keep(group.start(notes.factory, { retryMs: 1 }));
    const events = eventsOf(worker);
    await until(() => events.some(({ kind }) => kind === "processing-failed"));
    await stream.split(SHARD_0);
    // Step by step: the worker is to be heard of all the time.
    for (let hour = 0; hour < 60; hour++) await engine.time.advance(HOUR_MS / 2);
    await put(stream, 10, 20);
    await until(() => notes.records.length === 10);
    expect(sorted(notes.texts)).toEqual(texts(10, 20));
    expect(notes.calls).toContain(`${SHARD_0} leaseLost`);
  });

  it("registers its consumer again when somebody removed it", async () => {
    const { stream } = await opened();
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    keep(group.start(notes.factory, { reads: "fan-out" }));
    await put(stream, 0, 10);
    await until(() => notes.records.length === 10);
    await stream.deregisterConsumer("g");
    await put(stream, 10, 20);
    await until(() => notes.records.length === 20);
    expect(notes.texts).toEqual(texts(0, 20));
  });

  it("stops at once with its signal, and tells processors that their lease is lost", async () => {
    const { stream } = await opened();
    await put(stream, 0, 10);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const leaving = new AbortController();
    const signals: AbortSignal[] = [];
    let end: () => void = () => undefined;
    notes.onRecords = async ({ signal }) => {
      signals.push(signal);
      await new Promise<void>((resolve) => {
        end = resolve;
      });
    };
    const worker = keep(group.start(notes.factory, { signal: leaving.signal }));
    await until(() => signals.length === 1);
    leaving.abort();
    await worker.finished;
    expect(signals[0]?.aborted).toBe(true);
    expect((await group.describe()).leases[0]).toMatchObject({ owner: null, lagRecords: 10 });
    expect(notes.calls).toEqual([`${SHARD_0} initialize`]);
    end();
    await until(() => notes.calls.includes(`${SHARD_0} leaseLost`));
    expect(worker.leases).toEqual([]);
  });
});
