/** What a group makes of bad input: each kind is reported, hurts nobody else, and stores nothing that it should not. */
import { InvalidArgumentError, LeaseLostError, type ProcessInput } from "millrace";
import { encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { failureOf, openEngine, readAll } from "../support.ts";
import { eventsOf, keep, Notes, put, sorted, textOf, texts, until } from "./support.ts";

const SHARD_0 = "shardId-000000000000";
const ENCODER = new TextEncoder();

async function opened(shards = 1) {
  const engine = await openEngine();
  return { engine, stream: await engine.streams.create("clicks", { shards }) };
}

describe("bad input", () => {
  it("that is an aggregate with a broken checksum is a plain record, byte for byte", async () => {
    const { stream } = await opened();
    const members = ["a", "b"].map((text) => ({
      ...{ partitionKey: "k", data: ENCODER.encode(text), tags: [] },
    }));
    const whole = encodeAggregate(members);
    const broken = Uint8Array.from(whole);
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1;
    const torn = whole.slice(0, whole.length - 5);
    for (const data of [whole, broken, torn]) await stream.putRecord({ partitionKey: "k", data });
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const worker = keep(group.start(notes.factory));
    const events = eventsOf(worker);
    await until(() => notes.records.length === 4);
    expect(notes.records.slice(0, 2).map(textOf)).toEqual(["a", "b"]);
    expect(notes.records.slice(2).map(({ data }) => [...data])).toEqual([[...broken], [...torn]]);
    expect(notes.records[2]?.subSequenceNumber).toBe(0);
    await worker.stop();
    expect((await group.describe()).leases[0]?.lagRecords).toBe(0);
    expect(events.filter(({ kind }) => kind === "aggregate-dropped")).toEqual([]);
  });

  it("that makes a processor throw is reported each time, and other shards go on", async () => {
    const { stream } = await opened(2);
    await put(stream, 0, 60);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    notes.onRecords = (_input, shardId) => {
      if (shardId === SHARD_0) throw new Error("not this shard");
    };
    const worker = keep(group.start(notes.factory, { retryMs: 1 }));
    const events = eventsOf(worker);
    const others = (await readAll(stream)).filter(({ shardId }) => shardId !== SHARD_0);
    const failures = () => events.filter(({ kind }) => kind === "processing-failed");
    await until(() => notes.records.length === others.length && failures().length >= 3);
    for (const failed of failures()) {
      expect(failed).toMatchObject({ shardId: SHARD_0, error: new Error("not this shard") });
    }
    expect((await group.describe()).leases[0]).toMatchObject({
      ...{ owner: { workerId: worker.workerId }, checkpoint: { at: "TRIM_HORIZON" } },
    });
  });

  it("that a processor never ends with costs it the lease, and what it does late is refused", async () => {
    const { engine, stream } = await opened(2);
    const copies = await engine.streams.create("copies");
    await put(stream, 0, 100);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const [stuck, heir] = [new Notes(), new Notes()];
    const copy = async ({ records, checkpointer }: ProcessInput): Promise<void> => {
      const outputs = records.map(({ partitionKey, data }) => ({
        ...{ streamName: "copies", partitionKey, data },
      }));
      await checkpointer.checkpoint({ outputs });
    };
    let wake: () => void = () => undefined;
    let late: Promise<unknown> | undefined;
    let signal: AbortSignal | undefined;
    stuck.onRecords = async (input, shardId) => {
      if (shardId !== SHARD_0 || late !== undefined) return await copy(input);
      ({ signal } = input);
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      late = woken.then(() => failureOf(copy(input)));
      await woken;
    };
    const options = { checkpoints: "manual", workerId: "stuck", processMsMax: 60 } as const;
    const first = keep(group.start(stuck.factory, options));
    // On a slow machine the other shard may stall, too.
    const ofStuck = eventsOf(first);
    const happened = (kind: "lease-lost" | "stalled") =>
      ofStuck.some((event) => event.kind === kind && event.shardId === SHARD_0);
    await until(() => happened("lease-lost"));
    const counter = (await group.describe()).leases[0]?.leaseCounter ?? 0;
    expect(happened("stalled")).toBe(true);
    expect(signal?.aborted).toBe(true);
    // Whoever gets it goes on from the checkpoint, which the stuck one has left where it was.
    heir.onRecords = copy;
    keep(group.start(heir.factory, { checkpoints: "manual", workerId: "heir" }));
    await until(async () =>
      (await group.describe()).leases.every(({ lagRecords }) => lagRecords === 0),
    );
    wake();
    expect(await late).toBeInstanceOf(LeaseLostError);
    await until(() => stuck.calls.includes(`${SHARD_0} leaseLost`));
    const lease = (await group.describe()).leases[0];
    expect(lease?.leaseCounter).toBeGreaterThan(counter - 1);
    // The engine refuses it, too, whatever the worker believes.
    const stale = { shardIndex: 0, leaseCounter: 1, epoch: (lease?.epoch ?? 0) + 1 };
    const commit = { ...stale, checkpoint: { index: 5, subSequenceNumber: 0 } };
    const refused = clientOf(engine).commitEpoch(
      { groupName: "g", workerId: "stuck", checkpoints: [commit], state: [] },
      [],
    );
    expect(await failureOf(refused)).toBeInstanceOf(LeaseLostError);
    expect(sorted((await readAll(copies)).map((one) => one.text()))).toEqual(texts(0, 100));
  });

  it("that is a checkpoint of a foreign shard, or of no shard, is refused by name", async () => {
    const { stream } = await opened(2);
    await put(stream, 0, 50);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const foreign = (await readAll(stream)).find(({ shardId }) => shardId !== SHARD_0);
    const sequenceNumber = foreign?.sequenceNumber ?? "";
    const notes = new Notes();
    const refusals: unknown[] = [];
    notes.onRecords = async ({ checkpointer }, shardId) => {
      if (shardId !== SHARD_0) return;
      const at = { sequenceNumber, subSequenceNumber: 0 };
      const childState = { "shardId-000000000001": { key: 1 } };
      refusals.push(
        await failureOf(checkpointer.checkpoint({ at })),
        await failureOf(checkpointer.checkpoint({ at: { ...at, sequenceNumber: "x" } })),
        await failureOf(checkpointer.checkpoint({ childState })),
        await failureOf(checkpointer.checkpoint({ childState: { "5": {} } })),
        await failureOf(checkpointer.checkpoint({ newestShards: { copies: -1 } })),
      );
    };
    keep(group.start(notes.factory, { checkpoints: "manual" }));
    await until(() => notes.records.length === 50);
    expect(refusals).toHaveLength(5);
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(InvalidArgumentError);
    expect(refusals[0]).toMatchObject({ argument: "what.at", limit: SHARD_0 });
    expect(refusals[2]).toMatchObject({ argument: "state[0].shardIndex" });
    expect(refusals[4]).toMatchObject({ argument: "what.newestShards.copies" });
    expect((await group.describe()).leases.map(({ epoch }) => epoch)).toEqual([0, 0]);
  });
});

describe("a processor", () => {
  it("gets aggregates as they are stored when it asks for that, and is resumed behind them", async () => {
    const { stream } = await opened();
    const members = ["a", "b", "c"].map((text) => ({
      ...{ partitionKey: "k", data: ENCODER.encode(text), tags: [] },
    }));
    const aggregate = encodeAggregate(members);
    for (let i = 0; i < 3; i++) await stream.putRecord({ partitionKey: "k", data: aggregate });
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const seen: number[][] = [];
    for (let life = 0; life < 2; life++) {
      const notes = new Notes();
      const options = { deaggregate: false, batchRecordsMax: 1 } as const;
      const worker = keep(group.start(notes.factory, options));
      await until(() => notes.records.length === (life === 0 ? 3 : 1));
      await worker.stop();
      seen.push(...notes.records.map(({ data }) => [...data]));
      await stream.putRecord({ partitionKey: "k", data: aggregate });
    }
    expect(seen).toEqual(Array.from({ length: 4 }, () => [...aggregate]));
  });

  it("can store state before its first record, and hears that it is waited for", async () => {
    const { stream } = await opened();
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const states: unknown[] = [];
    for (let life = 0; life < 2; life++) {
      let leaving: AbortSignal | undefined;
      const worker = keep(
        group.start(() => ({
          async initialize(input) {
            states.push(input.state);
            ({ leaving } = input);
            await input.checkpointer.checkpoint({ state: { life } });
          },
          processRecords: () => undefined,
        })),
      );
      await until(async () => (await group.describe()).leases[0]?.epoch === life + 1);
      expect(leaving?.aborted).toBe(false);
      await worker.stop();
      expect(leaving?.aborted).toBe(true);
    }
    expect(states).toEqual([{}, { life: 0 }]);
    expect((await group.describe()).leases[0]?.checkpoint).toEqual({ at: "TRIM_HORIZON" });
  });

  it("leaves state to the processors of the shards that its shard was split into", async () => {
    const { stream } = await opened();
    await put(stream, 0, 10);
    const children = await stream.split(SHARD_0);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const states = new Map<string, unknown>();
    const worker = keep(
      group.start(({ shardId }) => ({
        initialize: ({ state }) => void states.set(shardId, state),
        processRecords: () => undefined,
        async shardEnded({ checkpointer }) {
          const left = children.map((child, i) => [child.shardId, { part: i }] as const);
          await checkpointer.checkpoint({ childState: Object.fromEntries(left) });
        },
      })),
    );
    await until(() => states.size === 3);
    expect(children.map(({ shardId }) => states.get(shardId))).toEqual([{ part: 0 }, { part: 1 }]);
    await worker.stop();
  });
});
