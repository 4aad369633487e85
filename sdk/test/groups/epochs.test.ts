/** What groups promise about checkpoints: aggregates, outputs, dead letters, and workers that die. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  InvalidArgumentError,
  LeaseLostError,
  type Millrace,
  open,
  type ProcessInput,
  type Stream,
} from "millrace";
import { encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { openGroup } from "../../src/groups/consumer-group.ts";
import { Leaders } from "../leaders.ts";
import { failureOf, openEngine, readAll } from "../support.ts";
import { CountingClient, MuteClient, TroubledClient } from "./clients.ts";
import { eventsOf, keep, Notes, numbered, put, sorted, textOf, texts, until } from "./support.ts";

const SHARD_0 = "shardId-000000000000";
const ENCODER = new TextEncoder();

async function opened(shards = 1): Promise<{ engine: Millrace; stream: Stream }> {
  const engine = await openEngine();
  return { engine, stream: await engine.streams.create("clicks", { shards }) };
}

/** An aggregate of records `from` up to `to`, put under their first key. */
async function putAggregate(stream: Stream, from: number, to: number): Promise<void> {
  const members = numbered(from, to).map(({ partitionKey, data }) => ({
    ...{ partitionKey, data: ENCODER.encode(data), tags: [] },
  }));
  const [first] = members;
  if (first === undefined) throw new Error("an aggregate has a member");
  await stream.putRecord({ partitionKey: first.partitionKey, data: encodeAggregate(members) });
}

/** Records of the tests of outputs, and deliveries of a few of them. */
const COPIED = 600;
const SMALL = { checkpoints: "manual", batchRecordsMax: 7 } as const;

/** What a dead letter says of its record. */
interface Letter {
  readonly record: {
    readonly data: string;
    readonly dataBytes: number;
    readonly sequenceNumber: string;
  };
}

/** Checkpoints a delivery together with a copy of it. */
async function copy({ records, checkpointer }: ProcessInput): Promise<void> {
  const outputs = records.map(({ partitionKey, data }) => ({
    ...{ streamName: "copies", partitionKey, data },
  }));
  await checkpointer.checkpoint({ outputs });
}

describe("aggregates", () => {
  it("are resumed at the member that a checkpoint names, and cut where a delivery ends", async () => {
    const { stream } = await opened();
    await put(stream, 0, 3);
    await putAggregate(stream, 3, 10);
    await put(stream, 10, 12);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const [first, second] = [new Notes(), new Notes()];
    first.onRecords = async ({ records, checkpointer }) => {
      const at = records.find((one) => textOf(one) === "6");
      if (at !== undefined) await checkpointer.checkpoint({ at });
    };
    const options = { checkpoints: "manual", batchRecordsMax: 5 } as const;
    const worker = keep(group.start(first.factory, options));
    await until(() => first.records.length === 12);
    expect(first.texts).toEqual(texts(0, 12));
    expect(first.records.map((one) => one.subSequenceNumber)).toEqual([
      0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0,
    ]);
    expect(new Set(first.records.map((one) => one.sequenceNumber)).size).toBe(6);
    await worker.stop();
    const { leases } = await group.describe();
    expect(leases[0]?.checkpoint).toMatchObject({ subSequenceNumber: 3 });
    keep(group.start(second.factory, options));
    await until(() => second.records.length === 5);
    expect(second.texts).toEqual(texts(7, 12));
  });

  it("with a member outside of the shard are dropped whole, reported and left behind", async () => {
    const { stream } = await opened(2);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const worker = keep(group.start(notes.factory));
    const events = eventsOf(worker);
    await put(stream, 0, 3);
    // Its 20 keys belong to both shards.
    await putAggregate(stream, 3, 23);
    await until(() => events.some(({ kind }) => kind === "aggregate-dropped"));
    const dropped = events.find(({ kind }) => kind === "aggregate-dropped");
    expect(dropped).toMatchObject({ records: 20 });
    await until(async () =>
      (await group.describe()).leases.every(({ lagRecords }) => lagRecords === 0),
    );
    expect(sorted(notes.texts)).toEqual(texts(0, 3));
  });

  it("that are none are plain records", async () => {
    const { stream } = await opened();
    const broken = encodeAggregate([{ partitionKey: "a", data: ENCODER.encode("1"), tags: [] }]);
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1;
    await stream.putRecord({ partitionKey: "a", data: broken });
    const notes = new Notes();
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    keep(group.start(notes.factory));
    await until(() => notes.records.length === 1);
    expect(notes.records[0]?.data).toEqual(new Uint8Array(broken));
  });
});

describe("checkpoints", () => {
  it("are refused for what the processor was not given", async () => {
    const { stream } = await opened(2);
    await put(stream, 0, 100);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const refusals: unknown[] = [];
    notes.onRecords = async ({ records, checkpointer }, shardId) => {
      const [first, second] = records;
      const { sequenceNumber } = first ?? { sequenceNumber: "" };
      if (shardId !== SHARD_0 || second === undefined) return;
      const foreign = (await readAll(stream)).find((one) => one.shardId !== shardId);
      const after = { sequenceNumber: records.at(-1)?.sequenceNumber ?? "", subSequenceNumber: 1 };
      await checkpointer.checkpoint({ at: second });
      for (const at of [
        { sequenceNumber: foreign?.sequenceNumber ?? "", subSequenceNumber: 0 },
        after,
        { sequenceNumber, subSequenceNumber: 0 },
        { sequenceNumber: "12", subSequenceNumber: 0 },
        { sequenceNumber, subSequenceNumber: -1 },
      ]) {
        refusals.push(await failureOf(checkpointer.checkpoint({ at })));
      }
      for (const what of [
        { outputs: [{ streamName: "clicks", partitionKey: "", data: "x" }] },
        { outputs: [{ streamName: "no/name", partitionKey: "a", data: "x" }] },
        { state: { "bad key": 1 } },
      ]) {
        refusals.push(await failureOf(checkpointer.checkpoint(what)));
      }
    };
    const worker = keep(group.start(notes.factory, { checkpoints: "manual" }));
    const events = eventsOf(worker);
    await until(() => notes.records.length === 100);
    expect(events.filter(({ kind }) => kind === "processing-failed")).toEqual([]);
    expect(refusals).toHaveLength(8);
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(InvalidArgumentError);
    expect(String(refusals[0])).toContain("must be a record of shardId-000000000000");
    const { leases } = await group.describe();
    expect(leases.map(({ epoch }) => epoch)).toEqual([1, 0]);
  });

  it("put outputs once, however often workers are killed between", async () => {
    const { engine, stream } = await opened(3);
    const copies = await engine.streams.create("copies", { shards: 2 });
    await put(stream, 0, COPIED);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const lag = async () => {
      const { leases } = await group.describe();
      return leases.reduce((sum, { lagRecords }) => sum + lagRecords, 0);
    };
    for (let kills = 0; (await lag()) > 0; kills++) {
      const notes = new Notes();
      notes.onRecords = (input) => copy(input);
      const worker = keep(group.start(notes.factory, { ...SMALL, workerId: `w-${kills}` }));
      // Dies in the middle of whatever it does then.
      const life = 1 + (kills % 5) * 3;
      await until(async () => notes.calls.length >= life || (await lag()) === 0);
      await worker.stop({ graceful: false });
    }
    const records = await readAll(copies);
    expect(sorted(records.map((one) => one.text()))).toEqual(texts(0, COPIED));
  });

  it("are refused to a worker that was taken for dead, with all that came with them", async () => {
    const { engine, stream } = await opened(2);
    const copies = await engine.streams.create("copies");
    await put(stream, 0, COPIED);
    const spec = { from: "TRIM_HORIZON", failoverMs: 500 } as const;
    const group = await stream.group("g", spec);
    const mute = new MuteClient(clientOf(engine));
    const muteGroup = await openGroup(mute, stream.description, "g");
    const [zombie, heir] = [new Notes(), new Notes()];
    let refusals = 0;
    zombie.onRecords = async (input) => {
      // It believes to own the lease, until a checkpoint tells.
      mute.silent = true;
      await until(() => heir.records.length > 0);
      const refused = await failureOf(copy(input));
      expect(refused).toBeInstanceOf(LeaseLostError);
      refusals += 1;
      throw refused;
    };
    heir.onRecords = (input) => copy(input);
    const dead = keep(muteGroup.start(zombie.factory, { ...SMALL, workerId: "zombie" }));
    const lost = eventsOf(dead);
    await until(() => mute.silent);
    keep(group.start(heir.factory, { ...SMALL, workerId: "heir" }));
    await until(() => refusals === 2 && heir.records.length === COPIED);
    expect(lost.filter(({ kind }) => kind === "lease-lost")).toHaveLength(2);
    expect(zombie.records).toEqual([]);
    expect(sorted((await readAll(copies)).map((one) => one.text()))).toEqual(texts(0, COPIED));
  });

  it("put outputs once over changes of the leader, and keep their leases", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-groups-"));
    const leaders = await Leaders.open(directory);
    try {
      const stream = await leaders.stream("clicks", 3);
      await leaders.stream("copies");
      const spec = { from: "TRIM_HORIZON" } as const;
      const group = await openGroup(leaders, stream.description, "g", spec);
      const notes = new Notes();
      notes.onRecords = (input) => copy(input);
      const worker = keep(group.start(notes.factory, SMALL));
      for (let change = 0; change < 8; change++) {
        await put(await leaders.stream("clicks", 3), change * 50, change * 50 + 50);
        await leaders.change();
      }
      await until(() => notes.records.length >= 400);
      const copies = await readAll(await leaders.stream("copies"));
      expect(sorted(copies.map((one) => one.text()))).toEqual(texts(0, 400));
      expect(sorted(notes.texts)).toEqual(texts(0, 400));
      const { leases } = await group.describe();
      expect(leases.map(({ leaseCounter }) => leaseCounter)).toEqual([1, 1, 1]);
      expect(notes.calls.filter((call) => call.endsWith("initialize"))).toHaveLength(3);
      await worker.stop();
    } finally {
      await leaders.close();
      await rm(directory, { recursive: true, force: true });
    }
  });

  it("put outputs once when epochs are refused and answers are lost", async () => {
    const { engine, stream } = await opened(2);
    const copies = await engine.streams.create("copies");
    await put(stream, 0, 200);
    const troubled = new TroubledClient(clientOf(engine));
    const spec = { from: "TRIM_HORIZON" } as const;
    const group = await openGroup(troubled, stream.description, "g", spec);
    const notes = new Notes();
    notes.onRecords = (input) => copy(input);
    const worker = keep(group.start(notes.factory, { ...SMALL, retryMs: 1 }));
    const events = eventsOf(worker);
    await until(() => notes.records.length === 200);
    expect(sorted((await readAll(copies)).map((one) => one.text()))).toEqual(texts(0, 200));
    expect(notes.calls.filter((call) => call.endsWith("leaseLost"))).toEqual([]);
    expect(events.some(({ kind }) => kind === "processing-failed")).toBe(true);
  });

  it("of several shards go in one epoch when they are made by themselves", async () => {
    const { engine, stream } = await opened(8);
    await put(stream, 0, 400);
    const counted = new CountingClient(clientOf(engine));
    const group = await openGroup(counted, stream.description, "g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const waiting = new Set<string>();
    // No delivery ends before all shards have one under way.
    let go: () => void = () => undefined;
    const together = new Promise<void>((resolve) => {
      go = resolve;
    });
    notes.onRecords = async (_input, shardId) => {
      waiting.add(shardId);
      if (waiting.size === 8) go();
      await together;
    };
    const worker = keep(group.start(notes.factory, { checkpointIntervalMs: 50 }));
    await until(() => notes.records.length === 400);
    await until(async () =>
      (await group.describe()).leases.every(({ lagRecords }) => lagRecords === 0),
    );
    await worker.stop();
    expect(counted.shards[0]).toBe(8);
  });

  it("are there after the engine was closed and opened again", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-groups-"));
    try {
      const options = { name: "groups", storage: "file", directory } as const;
      const seen: string[] = [];
      for (let life = 0; life < 3; life++) {
        const engine = await open(options);
        const stream = await engine.streams.ensure("clicks", { shards: 2 });
        await put(stream, life * 50, life * 50 + 50);
        const group = await stream.group("g", { from: "TRIM_HORIZON" });
        const notes = new Notes();
        const worker = keep(group.start(notes.factory));
        await until(() => notes.records.length === 50);
        await worker.stop();
        seen.push(...notes.texts);
        await engine.close();
      }
      expect(sorted(seen)).toEqual(texts(0, 150));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe("a batch that fails", () => {
  it("is delivered again, and then put into the dead-letter stream with its checkpoint", async () => {
    const { engine, stream } = await opened();
    const letters = await engine.streams.create("letters");
    await put(stream, 0, 30);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    notes.onRecords = ({ records }) => {
      if (records.some((one) => textOf(one) === "12")) throw new Error("twelve");
    };
    const worker = keep(
      group.start(notes.factory, {
        ...{ batchRecordsMax: 5, attemptsMax: 3, retryMs: 1 },
        deadLetter: { streamName: "letters" },
      }),
    );
    const events = eventsOf(worker);
    await until(() => notes.records.length === 25);
    await worker.stop();
    expect(notes.texts).toEqual([...texts(0, 10), ...texts(15, 30)]);
    const failed = events.filter((one) => one.kind === "processing-failed");
    expect(failed.map(({ attempt, retryMs }) => [attempt, retryMs !== undefined])).toEqual([
      [1, true],
      [2, true],
      [3, false],
    ]);
    expect(events.find(({ kind }) => kind === "dead-letter")).toMatchObject({ records: 5 });
    const parked = await readAll(letters);
    const source = await readAll(stream);
    expect(parked.map((one) => one.partitionKey)).toEqual(
      numbered(10, 15).map((one) => one.partitionKey),
    );
    const documents = parked.map((one) => one.json<Letter>());
    expect(documents.map(({ record }) => atob(record.data))).toEqual(texts(10, 15));
    expect(documents[2]).toMatchObject({
      requestContext: { consumerGroup: "g", approximateInvokeCount: 3 },
      responseContext: { errorMessage: "Error: twelve" },
      KinesisBatchInfo: {
        ...{ shardId: SHARD_0, batchSize: 5, streamArn: stream.arn },
        startSequenceNumber: source[10]?.sequenceNumber,
        endSequenceNumber: source[14]?.sequenceNumber,
      },
      record: { sequenceNumber: source[12]?.sequenceNumber, subSequenceNumber: 0, dataBytes: 2 },
    });
    const { leases } = await group.describe();
    expect(leases[0]?.lagRecords).toBe(0);
  });

  it("comes again without what was checkpointed, and is parked without it", async () => {
    const { engine, stream } = await opened();
    const letters = await engine.streams.create("letters");
    await engine.streams.create("copies");
    await put(stream, 0, 10);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const given: number[] = [];
    const factory = () => ({
      processRecords: async ({ records, checkpointer }: ProcessInput) => {
        given.push(records.length);
        const [at] = records;
        if (at === undefined || given.length > 3) throw new Error("too often");
        const outputs = [{ streamName: "copies", partitionKey: "k", data: at.data }];
        await checkpointer.checkpoint({ at, outputs });
        throw new Error("one is enough");
      },
      shutdownRequested: ({ checkpointer }: Pick<ProcessInput, "checkpointer">) =>
        checkpointer.checkpoint({ state: { last: "words" } }),
    });
    const deadLetter = { streamName: "letters" };
    const worker = keep(group.start(factory, { attemptsMax: 5, retryMs: 1, deadLetter }));
    const events = eventsOf(worker);
    await until(() => events.some(({ kind }) => kind === "dead-letter"));
    await worker.stop();
    expect(given).toEqual([10, 9, 8, 7, 7]);
    expect(events.find(({ kind }) => kind === "dead-letter")).toMatchObject({ records: 7 });
    const parked = (await readAll(letters)).map((one) => atob(one.json<Letter>().record.data));
    expect(parked).toEqual(texts(3, 10));
    expect(events.filter((one) => one.kind === "processing-failed")).toHaveLength(5);
    expect((await group.describe()).leases[0]).toMatchObject({ epoch: 5, lagRecords: 0 });
  });

  it("is parked once, however often that fails in between", async () => {
    const { engine, stream } = await opened();
    const data = crypto.getRandomValues(new Uint8Array(60_000));
    await stream.putRecords(numbered(0, 120).map((one) => ({ ...one, data })));
    const troubled = new TroubledClient(clientOf(engine));
    const spec = { from: "TRIM_HORIZON" } as const;
    const group = await openGroup(troubled, stream.description, "g", spec);
    const deadLetter = { streamName: "letters" };
    const factory = () => ({
      processRecords: () => {
        throw new Error("never");
      },
    });
    const worker = keep(group.start(factory, { attemptsMax: 1, retryMs: 1, deadLetter }));
    const events = eventsOf(worker);
    // The stream for them is not there at first.
    await until(() => events.length > 2);
    const letters = await engine.streams.create("letters");
    await until(async () => (await group.describe()).leases[0]?.lagRecords === 0);
    await worker.stop();
    const numbers = (await readAll(letters)).map((one) => one.json<Letter>().record);
    expect(numbers).toHaveLength(120);
    expect(new Set(numbers.map(({ sequenceNumber }) => sequenceNumber)).size).toBe(120);
    const { epoch = 0 } = (await group.describe()).leases[0] ?? {};
    expect(troubled.commits).toBeGreaterThanOrEqual(epoch + 2);
  });

  it("leaves the data behind that a dead letter has no room for", async () => {
    const { engine, stream } = await opened();
    const letters = await engine.streams.create("letters");
    const data = crypto.getRandomValues(new Uint8Array(65_536));
    const large = new Uint8Array(1_000_000);
    for (let at = 0; at < large.length; at += data.length) {
      large.set(data.subarray(0, Math.min(data.length, large.length - at)), at);
    }
    await stream.putRecord({ partitionKey: "a", data: large });
    await stream.putRecord({ partitionKey: "b", data: large.subarray(0, 600_000) });
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    notes.onRecords = () => {
      throw new Error("large");
    };
    const deadLetter = { streamName: "letters" };
    const worker = keep(group.start(notes.factory, { attemptsMax: 1, deadLetter }));
    const events = eventsOf(worker);
    await until(() => events.some(({ kind }) => kind === "dead-letter"));
    const [first, second] = (await readAll(letters)).map((one) => one.json<Letter>().record);
    expect(first).toMatchObject({ data: null, dataBytes: 1_000_000 });
    expect(Buffer.from(second?.data ?? "", "base64").equals(large.subarray(0, 600_000))).toBe(true);
  });

  it("stops its shard alone where no dead-letter stream is given", async () => {
    const { stream } = await opened(2);
    await put(stream, 0, 100);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    notes.onRecords = (_input, shardId) => {
      if (shardId === SHARD_0) throw new Error("never");
    };
    const worker = keep(group.start(notes.factory, { attemptsMax: 2, retryMs: 1 }));
    const events = eventsOf(worker);
    const other = (await readAll(stream)).filter(({ shardId }) => shardId !== SHARD_0);
    await until(() => notes.records.length === other.length);
    await until(() => events.length >= 4);
    await put(stream, 100, 200);
    await until(() => notes.records.length > other.length);
    const failed = events.filter((one) => one.kind === "processing-failed");
    expect(failed.map(({ retryMs }) => retryMs !== undefined)).toEqual([true, false]);
    await worker.stop();
    expect((await group.describe()).leases[0]?.checkpoint).toEqual({ at: "TRIM_HORIZON" });
  });

  it("has its lease given up when it does not end in time, and others go on", async () => {
    const { stream } = await opened(2);
    await put(stream, 0, 100);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    let stuck = 0;
    const signals: AbortSignal[] = [];
    notes.onRecords = async ({ signal }, shardId) => {
      if (shardId !== SHARD_0 || stuck > 0) return;
      stuck += 1;
      signals.push(signal);
      await new Promise(() => undefined);
    };
    const worker = keep(group.start(notes.factory, { processMsMax: 50 }));
    const events = eventsOf(worker);
    await until(() => notes.records.length === 100);
    const kinds = events
      .filter((one) => "shardId" in one && one.shardId === SHARD_0)
      .map(({ kind }) => kind);
    expect(kinds.slice(0, 4)).toEqual(["lease-taken", "stalled", "lease-lost", "lease-taken"]);
    expect(signals[0]?.aborted).toBe(true);
    expect(sorted(notes.texts)).toEqual(texts(0, 100));
  });
});
