/** Consumer groups of streams elsewhere: what is checkpointed, refused and told, and which rows of a table are whose. */
import { InvalidArgumentError, ResourceInUseError, ResourceNotFoundError } from "millrace";
import type { LeaseRow, RemoteStream } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { eventsOf, keep, Notes, texts, until } from "../../groups/support.ts";
import { failureOf } from "../../support.ts";
import { LeasesBehind, MemoryLeases } from "../memory-leases.ts";
import { openRunning, passed, runningClock } from "../running-clock.ts";
import { startServe } from "../support.ts";
import { groupOf, openEngine, put, rowsOf, SPANS, startNoted } from "./support.ts";

async function streamOf(shards = 1): Promise<RemoteStream> {
  const remote = await openRunning((await startServe()).url);
  return await remote.streams.create("clicks", { shards });
}

describe("a checkpoint", () => {
  it.each([true, false])(
    "in the midst of a delivery that fails then leaves the rest to be delivered: %s",
    async (isRetried) => {
      const remote = await openRunning((await startServe()).url);
      const stream = await remote.streams.create("clicks");
      await remote.streams.create("parked");
      await put(stream, 0, 4);
      const notes = new Notes();
      let failures = 0;
      notes.onRecords = async ({ records, checkpointer }) => {
        if (failures > 0) return;
        const at = records[2];
        if (at === undefined) throw new Error("all come at once");
        await checkpointer.checkpoint({ at });
        failures += 1;
        throw new Error("once");
      };
      const group = await groupOf(stream, new MemoryLeases());
      const given = isRetried ? {} : { attemptsMax: 1, deadLetter: { streamName: "parked" } };
      const { worker } = startNoted(group, { retryMs: 1, ...given }, notes);
      const events = eventsOf(worker);
      if (isRetried) await until(() => notes.texts.includes("3"));
      else await until(() => events.some(({ kind }) => kind === "dead-letter"));
      await put(stream, 4, 5);
      await until(() => notes.texts.includes("4"));
      expect(notes.texts).toEqual(isRetried ? ["3", "4"] : ["4"]);
      expect(worker.closed).toBe(false);
    },
  );

  it("does not go backwards, nor to the end of an open shard", async () => {
    const stream = await streamOf();
    await put(stream, 0, 3);
    const leases = new MemoryLeases();
    const notes = new Notes();
    const outcomes: PromiseSettledResult<void>[] = [];
    notes.onRecords = async ({ records: [first, , last], checkpointer }) => {
      if (first === undefined || last === undefined) throw new Error("all come at once");
      const three = [{ at: last }, { at: first }, { shardEnd: true }];
      const calls = three.map((what) => checkpointer.checkpoint(what));
      outcomes.push(...(await Promise.allSettled(calls)));
    };
    const group = await groupOf(stream, leases);
    startNoted(group, { checkpoints: "manual" }, notes);
    await until(() => notes.records.length === 3);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    for (const outcome of outcomes.slice(1)) {
      expect("reason" in outcome && outcome.reason).toBeInstanceOf(InvalidArgumentError);
    }
    expect((await rowsOf(leases))[0]?.checkpoint).toBe(notes.records[2]?.sequenceNumber);
  });

  it("that a table refuses with what nobody knows is told, and fails after a few attempts", async () => {
    const stream = await streamOf();
    await put(stream, 0, 1);
    const far = new LeasesBehind(new MemoryLeases());
    const notes = new Notes();
    const failures: unknown[] = [];
    notes.onRecords = async ({ checkpointer }) => {
      far.trouble = (call) => (call === "replace" ? "refused" : "none");
      failures.push(await failureOf(checkpointer.checkpoint()));
      far.trouble = () => "none";
    };
    const group = await groupOf(stream, far, { failoverMs: 20_000 });
    const { worker } = startNoted(group, { checkpoints: "manual" }, notes);
    const events = eventsOf(worker);
    await until(() => notes.records.length === 1);
    expect(String(failures[0])).toContain("replace was refused");
    expect(events.filter(({ kind }) => kind === "processing-failed")).toHaveLength(4);
  });
});

describe("a worker", () => {
  it("that stops takes nothing back that it gave up", async () => {
    const stream = await streamOf(2);
    const leases = new MemoryLeases();
    const group = await groupOf(stream, leases);
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const worker = keep(
      group.start(({ shardId }) => ({
        processRecords: () => undefined,
        shutdownRequested: () => (shardId.endsWith("1") ? held : undefined),
      })),
    );
    await until(() => worker.leases.length === 2);
    const stopped = worker.stop();
    const owners = async () => (await rowsOf(leases)).map(({ owner }) => owner);
    await until(async () => (await owners())[0] === null);
    const endMs = runningClock.monotonicMs() + 2 * SPANS.failoverMs;
    while (runningClock.monotonicMs() < endMs) {
      expect(await owners()).toEqual([null, worker.workerId]);
    }
    go();
    await stopped;
    expect(await owners()).toEqual([null, null]);
  });

  it("renews its leases although the table gives no list for longer than they are kept", async () => {
    const stream = await streamOf(2);
    const leases = new MemoryLeases();
    const far = new LeasesBehind(leases);
    const { worker } = startNoted(await groupOf(stream, far));
    const events = eventsOf(worker);
    await until(() => worker.leases.length === 2);
    far.trouble = (call) => (call === "list" ? "silent" : "none");
    await passed(3 * SPANS.failoverMs);
    expect(events.filter(({ kind }) => kind === "lease-lost")).toEqual([]);
    expect(worker.leases).toHaveLength(2);
  });

  it("without leases tells that it cannot come to any", async () => {
    const stream = await streamOf();
    const far = new LeasesBehind(new MemoryLeases());
    const group = await groupOf(stream, far);
    far.trouble = () => "refused";
    const { worker } = startNoted(group);
    const events = eventsOf(worker);
    await until(() => events.some(({ kind }) => kind === "leases-failed"));
    expect(worker.closed).toBe(false);
  });
});

describe("a lease", () => {
  it.each<[string, Partial<LeaseRow>]>([
    ["without a time, as a KCL makes it", { checkpoint: "AT_TIMESTAMP", timestampMs: undefined }],
    ["set back by somebody after it was made", { checkpoint: "LATEST", timestampMs: 1_000_000 }],
  ])("%s loses no record", async (_what, change) => {
    const stream = await streamOf();
    await put(stream, 0, 10);
    const leases = new MemoryLeases();
    const from = change.checkpoint === "LATEST" ? "LATEST" : "TRIM_HORIZON";
    const group = await groupOf(stream, leases, { from });
    for (const [key, row] of leases.rows) {
      leases.rows.set(key, { ...row, ...change, counter: row.counter + 1 });
    }
    const { notes } = startNoted(group);
    await until(() => notes.records.length === 10);
    expect(notes.texts).toEqual(texts(0, 10));
  });

  it("of a former stream is not taken for one of its successor", async () => {
    const remote = await openRunning((await startServe()).url);
    const stream = await remote.streams.create("clicks");
    const leases = new MemoryLeases();
    const { worker } = startNoted(await groupOf(stream, leases));
    await stream.split("shardId-000000000000");
    await until(async () => (await rowsOf(leases))[0]?.checkpoint === "SHARD_END");
    await worker.stop();
    await remote.streams.delete("clicks");
    const anew = await remote.streams.create("clicks");
    await put(anew, 0, 5);
    const failure = await failureOf(groupOf(anew, leases));
    expect(failure).toBeInstanceOf(ResourceInUseError);
    expect(String(failure)).toContain("lease table memory");
    await leases.drop();
    const { notes } = startNoted(await groupOf(anew, leases));
    await until(() => notes.records.length === 5);
  });

  it("of a living stream is not removed by a handle of the one before", async () => {
    const remote = await openRunning((await startServe()).url);
    const before = await remote.streams.create("clicks");
    await remote.streams.delete("clicks");
    const stream = await remote.streams.create("clicks");
    await put(stream, 0, 5);
    const engine = await openEngine();
    const group = await groupOf(stream, engine);
    const { worker, notes } = startNoted(group);
    await until(() => notes.records.length === 5);
    await worker.stop();
    expect(await failureOf(groupOf(before, engine))).toBeInstanceOf(ResourceNotFoundError);
    const [lease] = (await group.describe()).leases;
    expect(lease?.checkpoint).toHaveProperty("sequenceNumber");
  });
});
