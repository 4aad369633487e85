/** Consumer groups of streams elsewhere when workers come and go, tables fail and input is bad. */
import {
  InvalidArgumentError,
  LeaseLostError,
  NotSupportedError,
  ResourceInUseError,
  ResourceNotFoundError,
  type ShardProcessor,
} from "millrace";
import { encodeAggregate } from "millrace/aggregation";
import {
  type RemoteGroupOptions,
  type RemoteStream,
  RemoteUnavailableError,
} from "millrace/remote";
import { describe, expect, it } from "vitest";
import { hashKeyFrom } from "../../../src/aggregation/hash-key.ts";
import { type ReplicationMark, sourceOf, tagOf } from "../../../src/replication/mark.ts";
import { eventsOf, keep, Notes, numbered, sorted, texts, until } from "../../groups/support.ts";
import { failureOf } from "../../support.ts";
import { LeasesBehind, MemoryLeases, type Trouble } from "../memory-leases.ts";
import { openRunning, passed, runningClock } from "../running-clock.ts";
import { answer, forward, startStub } from "../stub-endpoint.ts";
import { http1, startServe } from "../support.ts";
import { groupOf, inOrder, openEngine, put, rowsOf, startNoted } from "./support.ts";

/** Where a record was put first whose data are a number: all in one shard with all hash keys. */
function markAt(index: number): ReplicationMark {
  const incarnation = "0123456789abcdef0123456789abcdef";
  const range = { start: hashKeyFrom(0n), end: hashKeyFrom((1n << 128n) - 1n) };
  const source = sourceOf({ incarnation, streamUid: 1 }, 0, "0123456789abcdef", range);
  return { source, index, subSequenceNumber: 0 };
}

async function streamOf(shards = 1): Promise<RemoteStream> {
  const remote = await openRunning((await startServe()).url);
  return await remote.streams.create("clicks", { shards });
}

describe("workers", () => {
  it("share the leases evenly, one after the other given up in order, and take over what a leaving one leaves", async () => {
    const stream = await streamOf(4);
    const leases = new MemoryLeases();
    const group = await groupOf(stream, leases);
    const one = startNoted(group, { workerId: "one" });
    await put(stream, 0, 100);
    await until(() => one.worker.leases.length === 4 && one.notes.records.length === 100);
    const two = startNoted(group, { workerId: "two" });
    await until(() => one.worker.leases.length === 2 && two.worker.leases.length === 2);
    expect(one.notes.calls.filter((call) => call.endsWith("shutdownRequested"))).toHaveLength(2);
    await put(stream, 100, 200);
    await until(() => one.notes.records.length + two.notes.records.length >= 200);
    // Nothing was processed when a lease was given up in order: nothing comes twice.
    expect(sorted([...one.notes.texts, ...two.notes.texts])).toEqual(texts(0, 200));
    await one.worker.stop();
    await until(() => two.worker.leases.length === 4);
    await put(stream, 200, 250);
    const all = () => sorted([...one.notes.texts, ...two.notes.texts]);
    await until(() => all().length >= 250);
    expect(all()).toEqual(texts(0, 250));
    expect(inOrder(two.notes.records)).toBe(true);
  });

  it("that do not give a lease up in time lose it, and hear of it at their next checkpoint", async () => {
    const stream = await streamOf(2);
    await put(stream, 0, 20);
    const leases = new MemoryLeases();
    const slow = new Notes();
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const failures: unknown[] = [];
    let deliveries = 0;
    slow.onRecords = async ({ checkpointer }) => {
      deliveries += 1;
      await held;
      await checkpointer.checkpoint().catch((error: unknown) => failures.push(error));
    };
    const patient = await groupOf(stream, leases, { handOverMs: 300 });
    const first = startNoted(patient, { workerId: "slow" }, slow);
    const events = eventsOf(first.worker);
    await until(() => deliveries === 2);
    const second = startNoted(patient, { workerId: "quick" });
    await until(() => second.worker.leases.length === 1);
    await until(() => events.some(({ kind }) => kind === "lease-lost"));
    go();
    await until(() => failures.length === 1);
    expect(failures[0]).toBeInstanceOf(LeaseLostError);
    await until(() => slow.calls.some((call) => call.endsWith("leaseLost")));
    const byOwner = (await rowsOf(leases)).map(({ owner }) => owner).sort();
    expect(byOwner).toEqual(["quick", "slow"]);
  });

  it("that come back under their name have their leases back at once", async () => {
    const stream = await streamOf(2);
    await put(stream, 0, 10);
    const leases = new MemoryLeases();
    const far = new LeasesBehind(leases);
    const before = startNoted(await groupOf(stream, far), { workerId: "same" });
    await until(() => before.notes.records.length === 10);
    far.cut();
    const failoverMs = 60_000;
    const group = await groupOf(stream, leases, { failoverMs });
    const begunMs = runningClock.monotonicMs();
    const after = startNoted(group, { workerId: "same" });
    await until(() => after.worker.leases.length === 2);
    expect(runningClock.monotonicMs() - begunMs).toBeLessThan(failoverMs / 3);
  });

  it("that only may have so many leases leave the others to whoever has room", async () => {
    const stream = await streamOf(4);
    const group = await groupOf(stream, new MemoryLeases());
    const small = startNoted(group, { workerId: "small", leasesMax: 1 });
    await until(() => small.worker.leases.length === 1);
    const big = startNoted(group, { workerId: "big" });
    await until(() => big.worker.leases.length === 3);
    expect(small.worker.leases).toHaveLength(1);
  });

  it("do not give records twice that were shipped there twice, also after a split and a merge", async () => {
    const stream = await streamOf();
    const shipped = (from: number, to: number): Uint8Array<ArrayBuffer> => {
      let before: ReplicationMark | undefined;
      const members = numbered(from, to).map(({ partitionKey, data }) => {
        const mark = markAt(Number(data));
        const tag = tagOf(mark, before);
        before = mark;
        return { partitionKey, data: new TextEncoder().encode(data), tags: [tag] };
      });
      return encodeAggregate(members);
    };
    const ship = async (from: number, to: number): Promise<void> => {
      for (let i = 0; i < 2; i++) {
        await stream.putRecord({ partitionKey: "key-0", data: shipped(from, to) });
      }
    };
    const leases = new MemoryLeases();
    const group = await groupOf(stream, leases);
    const first = startNoted(group);
    await ship(0, 20);
    await until(() => first.notes.records.length === 20);
    await first.worker.stop();
    await ship(10, 30);
    const second = startNoted(group);
    await until(() => second.notes.records.length === 10);
    expect(second.notes.texts).toEqual(texts(20, 30));
    expect((await rowsOf(leases))[0]?.state).toContain("millrace.repeats.");
    const shard = (await stream.shards())[0]?.shardId ?? "";
    const [left, right] = await stream.split(shard);
    await stream.merge(left?.shardId ?? "", right?.shardId ?? "");
    await ship(20, 40);
    await until(() => second.notes.texts.includes("39"));
    expect(second.notes.texts).toEqual(texts(20, 40));
  });

  it("work as a loop", async () => {
    const stream = await streamOf();
    await put(stream, 0, 30);
    const leases = new MemoryLeases();
    const group = await groupOf(stream, leases);
    const read: string[] = [];
    const reader = group.read({ batchRecordsMax: 10 });
    for await (const batch of reader) {
      read.push(...batch.records.map(({ stored }) => stored.text()));
      if (read.length === 20) break;
    }
    const [row] = await rowsOf(leases);
    expect(row?.owner).toBe(null);
    const again = startNoted(group);
    await until(() => again.notes.texts.includes("29"));
    // The batch that the loop was left at comes again.
    expect(again.notes.texts).toEqual(texts(10, 30));
  });

  it("keep a processor's state in the lease, and give a child's to it", async () => {
    const stream = await streamOf();
    await put(stream, 0, 5);
    const leases = new MemoryLeases();
    const group = await groupOf(stream, leases);
    const notes = new Notes();
    notes.onRecords = async ({ checkpointer, records }) => {
      await checkpointer.checkpoint({ state: { count: records.length, gone: null } });
    };
    const first = startNoted(group, { checkpoints: "manual" }, notes);
    await until(() => notes.records.length === 5);
    await first.worker.stop();
    expect((await rowsOf(leases))[0]?.state).toBe('{"count":5}');
    await stream.split("shardId-000000000000");
    const states: Record<string, unknown> = {};
    keep(
      group.start(({ shardId }) => ({
        initialize: ({ state }) => {
          states[shardId] = state;
        },
        processRecords: () => undefined,
        shardEnded: async ({ checkpointer }) => {
          const child = { from: "above" };
          const childState = { "shardId-000000000001": child };
          await checkpointer.checkpoint({ childState });
        },
      })),
    );
    await until(() => Object.keys(states).length === 3);
    expect(states).toEqual({
      "shardId-000000000000": { count: 5 },
      "shardId-000000000001": { from: "above" },
      "shardId-000000000002": {},
    });
  });

  it("begin again with what an attempt that failed has committed", async () => {
    const remote = await openRunning((await startServe()).url);
    const group = await groupOf(await remote.streams.create("clicks"), new MemoryLeases());
    const begun: unknown[] = [];
    const initialize: ShardProcessor["initialize"] = async ({ state, checkpointer }) => {
      begun.push(state);
      if (begun.length > 1) return;
      await checkpointer.checkpoint({ state: { sum: 1, gone: 2 } });
      await checkpointer.checkpoint({ state: { gone: null } });
      throw new Error("once");
    };
    keep(group.start(() => ({ initialize, processRecords: () => undefined })));
    await until(() => begun.length === 2);
    expect(begun).toEqual([{}, { sum: 1 }]);
  });

  it("put what they give up into a dead-letter stream of the same service", async () => {
    const remote = await openRunning((await startServe()).url);
    const stream = await remote.streams.create("clicks");
    const parked = await remote.streams.create("parked");
    await put(stream, 0, 3);
    const notes = new Notes();
    notes.onRecords = ({ records }) => {
      if (records.some(({ stored }) => stored.text() === "1")) throw new Error("cannot do 1");
    };
    const group = await groupOf(stream, new MemoryLeases());
    const options = { attemptsMax: 2, retryMs: 1, batchRecordsMax: 1 };
    const { worker } = startNoted(
      group,
      { ...options, deadLetter: { streamName: "parked" } },
      notes,
    );
    const events = eventsOf(worker);
    await until(() => notes.texts.includes("2"));
    expect(notes.texts).toEqual(["0", "2"]);
    const letters: unknown[] = [];
    for await (const letter of parked.read({ from: "TRIM_HORIZON", until: "end" })) {
      letters.push(JSON.parse(letter.text()));
    }
    expect(letters).toMatchObject([
      { requestContext: { consumerGroup: "g" }, record: { data: btoa("1") } },
    ]);
    expect(events.filter(({ kind }) => kind === "dead-letter")).toHaveLength(1);
  });
});

describe("trouble", () => {
  it("with the table, as lost answers, refusals and silence, loses no record and no order", async () => {
    const stream = await streamOf(3);
    const leases = new MemoryLeases();
    let seed = 7;
    const trouble = (): Trouble => {
      seed = (seed * 48_271) % 2_147_483_647;
      if (seed % 10 < 2) return "answers lost";
      return seed % 10 < 4 ? "refused" : "none";
    };
    const workers: ReturnType<typeof startNoted>[] = [];
    for (const workerId of ["one", "two"]) {
      const far = new LeasesBehind(leases);
      const group = await groupOf(stream, far);
      far.trouble = trouble;
      workers.push(startNoted(group, { workerId, checkpointIntervalMs: 20 }));
    }
    for (let from = 0; from < 300; from += 50) {
      await put(stream, from, from + 50);
      await passed(300);
    }
    const all = () => new Set(workers.flatMap(({ notes }) => notes.texts));
    await until(() => all().size === 300);
    expect(sorted([...all()])).toEqual(texts(0, 300));
  });

  it("with the service is told as failures, and ridden out for longer than a call may take", async () => {
    const { url } = await startServe();
    let down = false;
    const endpoint = await startStub((question) => {
      if (down && question.operation === "GetRecords") {
        answer(question.response, 503, { __type: "ServiceUnavailable", message: "" });
      } else forward(url, question);
    });
    const whole = await openRunning(url);
    const clicks = await whole.streams.create("clicks");
    await put(clicks, 0, 10);
    const deadlineMs = 1000;
    const remote = await openRunning(endpoint, { requestHandler: http1(), deadlineMs });
    const stream = await remote.streams.get("clicks");
    const { worker, notes } = startNoted(await groupOf(stream, new MemoryLeases()));
    const events = eventsOf(worker);
    await until(() => notes.records.length === 10);
    down = true;
    await put(clicks, 10, 20);
    const told = () =>
      events.filter(
        (one) => one.kind === "processing-failed" && one.error instanceof RemoteUnavailableError,
      );
    await passed(2 * deadlineMs);
    await until(() => told().length >= 2);
    down = false;
    await until(() => notes.records.length === 20);
    expect(notes.texts).toEqual(texts(0, 20));
    expect(worker.closed).toBe(false);
    expect(events).not.toContainEqual(expect.objectContaining({ kind: "lease-lost" }));
  });

  it("of a stream that is deleted, or a group, ends its workers", async () => {
    const remote = await openRunning((await startServe()).url);
    const stream = await remote.streams.create("clicks");
    const engine = await openEngine();
    for (const leases of [new MemoryLeases(), engine]) {
      const group = await groupOf(stream, leases);
      const { worker } = startNoted(group);
      await until(() => worker.leases.length === 1);
      await group.delete();
      expect(await failureOf(worker.finished)).toBeInstanceOf(ResourceNotFoundError);
    }
    const { worker } = startNoted(await groupOf(stream, engine));
    await until(() => worker.leases.length === 1);
    await remote.streams.delete("clicks");
    expect(await failureOf(worker.finished)).toBeInstanceOf(ResourceNotFoundError);
    const anew = await remote.streams.create("clicks");
    await put(anew, 0, 5);
    // What is known of the stream before is not of this one.
    const { notes } = startNoted(await groupOf(anew, engine));
    await until(() => notes.records.length === 5);
  });

  it("of a backend that is closed under them ends workers", async () => {
    const remote = await openRunning((await startServe()).url);
    const stream = await remote.streams.create("clicks");
    const leases = new MemoryLeases();
    const { worker } = startNoted(await groupOf(stream, leases));
    await until(() => worker.leases.length === 1);
    await remote.close();
    expect(await failureOf(worker.finished)).toMatchObject({ name: "EngineClosedError" });
    await until(async () => (await rowsOf(leases)).every(({ owner }) => owner === null));
  });
});

describe("a reset", () => {
  it("sets a group or a lease back, when nobody owns it or by force", async () => {
    const stream = await streamOf(2);
    await put(stream, 0, 40);
    const leases = new MemoryLeases();
    const group = await groupOf(stream, leases);
    const { worker, notes } = startNoted(group);
    await until(() => notes.records.length === 40);
    await until(async () => (await rowsOf(leases)).every((row) => /^\d/.test(row.checkpoint)));
    expect(await failureOf(group.reset("TRIM_HORIZON"))).toBeInstanceOf(ResourceInUseError);
    const shardId = "shardId-000000000001";
    const ofShard = notes.records.filter((record) => record.shardId === shardId).length;
    await group.reset("TRIM_HORIZON", { shardId, force: true });
    await until(() => notes.records.length === 40 + ofShard);
    await worker.stop();
    await group.reset("TRIM_HORIZON");
    const again = startNoted(group);
    await until(() => again.notes.records.length === 40);
    expect(inOrder(again.notes.records)).toBe(true);
    await again.worker.stop();
    await group.reset("LATEST");
    expect((await group.describe()).leases.map(({ checkpoint }) => checkpoint)).toEqual([
      { at: "LATEST" },
      { at: "LATEST" },
    ]);
    const unknown = group.reset("LATEST", { shardId: "shardId-000000000009" });
    expect(await failureOf(unknown)).toBeInstanceOf(ResourceNotFoundError);
  });
});

describe("bad input", () => {
  it.each<[string, unknown]>([
    ["options.leases", { from: "LATEST" }],
    ["options.leases", { leases: null }],
    ["options.leases", { leases: { list: () => [] } }],
    ["options.failoverMs", { leases: new MemoryLeases(), failoverMs: 10 }],
    ["options.handOverMs", { leases: new MemoryLeases(), handOverMs: -1 }],
    ["options.leasse", { leases: new MemoryLeases(), leasse: 1 }],
    ["from", { leases: new MemoryLeases(), from: { sequenceNumber: "1" } }],
  ])("is refused: %s in %j", async (argument, options) => {
    const stream = await streamOf();
    const failure = await failureOf(stream.group("g", options as RemoteGroupOptions));
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure).toMatchObject({ argument });
  });

  it("to a worker, a loop or a checkpoint is told", async () => {
    const stream = await streamOf();
    await put(stream, 0, 1);
    const leases = new MemoryLeases();
    const group = await groupOf(stream, leases);
    expect(() =>
      group.start(() => ({ processRecords: () => undefined }), { reads: "fan-out" }),
    ).toThrow(NotSupportedError);
    expect(() => group.start(undefined as never)).toThrow(InvalidArgumentError);
    expect(() => group.read({ attemptsMax: 1 } as never)).toThrow(InvalidArgumentError);
    const failures: unknown[] = [];
    const notes = new Notes();
    notes.onRecords = async ({ checkpointer, records }) => {
      const output = { streamName: "other", partitionKey: "k", data: "x" };
      const at = { sequenceNumber: "123", subSequenceNumber: 0 };
      for (const what of [
        { outputs: [output] },
        { state: { long: "x".repeat(100_001) } },
        { state: { "a key": 1 } },
        { at },
        { childState: { "shardId-000000000007": { a: 1 } } },
      ]) {
        failures.push(await failureOf(checkpointer.checkpoint(what)));
      }
      expect(records).toHaveLength(1);
    };
    startNoted(group, { checkpoints: "manual" }, notes);
    await until(() => notes.records.length === 1, 30_000);
    expect(failures).toMatchObject([
      { name: "NotSupportedError", argument: "what.outputs" },
      { name: "InvalidArgumentError", argument: "what.state", limit: 100_000 },
      { name: "InvalidArgumentError", argument: "what.state" },
      { name: "InvalidArgumentError", argument: "sequenceNumber" },
      { name: "ResourceNotFoundError", argument: "what.childState" },
    ]);
    expect((await rowsOf(leases))[0]?.checkpoint).toBe("TRIM_HORIZON");
  });

  it("of a table whose calls fail from the start is told to whoever opens the group", async () => {
    const stream = await streamOf();
    const far = new LeasesBehind(new MemoryLeases());
    far.trouble = (call) => (call === "list" ? "refused" : "none");
    expect(String(await failureOf(groupOf(stream, far)))).toContain("list was refused");
    far.trouble = (call) => (call === "list" ? "silent" : "none");
    const silent = await failureOf(groupOf(stream, far));
    expect(silent).toMatchObject({ name: "DeadlineError", argument: "leases" });
  });
});
