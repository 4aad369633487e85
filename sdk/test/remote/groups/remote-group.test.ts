/** Consumer groups of streams elsewhere: whole lives of groups, over every service and every place for leases. */
import { encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { eventsOf, keep, Notes, sorted, texts, until } from "../../groups/support.ts";
import { LeasesBehind, MemoryLeases } from "../memory-leases.ts";
import {
  groupOf,
  inOrder,
  leasePlaces,
  openEngine,
  put,
  remotePlaces,
  SPANS,
  startNoted,
} from "./support.ts";

describe.each(remotePlaces)("over $name", (place) => {
  describe.each(leasePlaces)("with leases in $name", (leasePlace) => {
    it("gives all records once and in order, and goes on after a graceful stop", async () => {
      const remote = await place.open();
      const stream = await remote.streams.create("clicks", { shards: 3 });
      await put(stream, 0, 200);
      const group = await groupOf(stream, await leasePlace.make());
      const first = startNoted(group, { workerId: "one" });
      await until(() => first.notes.records.length === 200);
      expect(inOrder(first.notes.records)).toBe(true);
      expect(first.worker.leases).toHaveLength(3);
      await first.worker.stop();
      const described = await group.describe();
      expect(described.leases.map(({ status, owner }) => [status, owner])).toEqual(
        Array(3).fill(["available", null]),
      );
      await put(stream, 200, 300);
      const second = startNoted(group, { workerId: "two" });
      await until(() => second.notes.records.length >= 100);
      expect(sorted(second.notes.texts)).toEqual(texts(200, 300));
      expect(sorted(first.notes.texts)).toEqual(texts(0, 200));
      expect(first.notes.calls.filter((call) => call.endsWith("shutdownRequested"))).toHaveLength(
        3,
      );
    });

    it("reads parents before children, through a split and a merge", async () => {
      const remote = await place.open();
      const stream = await remote.streams.create("clicks", { shards: 2 });
      await put(stream, 0, 100);
      const group = await groupOf(stream, await leasePlace.make());
      await stream.split("shardId-000000000000");
      await put(stream, 100, 200);
      const { notes, worker } = startNoted(group);
      const events = eventsOf(worker);
      await until(() => notes.records.length === 200);
      await stream.merge("shardId-000000000003", "shardId-000000000001");
      await put(stream, 200, 300);
      await until(() => notes.records.length === 300);
      expect(sorted(notes.texts)).toEqual(texts(0, 300));
      expect(inOrder(notes.records)).toBe(true);
      const ended = events.flatMap((one) => (one.kind === "shard-ended" ? [one.shardId] : []));
      expect(ended.map((shardId) => Number(shardId.slice(-1))).sort()).toEqual([0, 1, 3]);
      expect(events.filter(({ kind }) => kind !== "shard-ended" && kind !== "lease-taken")).toEqual(
        [],
      );
      const { leases } = await group.describe();
      expect(leases.map(({ status }) => status)).toEqual([
        ...["ended", "ended", "owned", "ended", "owned"],
      ]);
    });
  });

  it("begins at LATEST when the group is made, also for a worker that starts later", async () => {
    const remote = await place.open();
    const stream = await remote.streams.create("clicks", { shards: 2 });
    await put(stream, 0, 50);
    const group = await groupOf(stream, new MemoryLeases(), { from: "LATEST" });
    await put(stream, 50, 100);
    const { notes } = startNoted(group);
    await put(stream, 100, 120);
    await until(() => notes.records.length >= 70);
    expect(sorted(notes.texts)).toEqual(texts(50, 120));
  });

  it("begins at a time", async () => {
    const remote = await place.open();
    const stream = await remote.streams.create("clicks");
    await put(stream, 0, 20);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const from = new Date();
    await put(stream, 20, 40);
    const group = await groupOf(stream, new MemoryLeases(), { from });
    const { notes } = startNoted(group);
    await until(() => notes.records.length >= 20);
    expect(sorted(notes.texts)).toEqual(texts(20, 40));
  });

  it("takes a dead worker's leases over once they stood still, and gives again what was not checkpointed", async () => {
    const remote = await place.open();
    const stream = await remote.streams.create("clicks", { shards: 2 });
    await put(stream, 0, 50);
    const leases = new MemoryLeases();
    const far = new LeasesBehind(leases);
    const dying = startNoted(await groupOf(stream, far), { workerId: "dying" });
    await until(async () => {
      const rows = await leases.list();
      return rows.every(({ checkpoint }) => /^\d+$/.test(checkpoint));
    });
    const events = eventsOf(dying.worker);
    far.cut();
    await put(stream, 50, 100);
    const heir = startNoted(await groupOf(stream, leases), { workerId: "heir" });
    // What the dying worker read after the cut it could not checkpoint.
    const given = () => new Set(heir.notes.texts);
    await until(() => texts(50, 100).every((text) => given().has(text)));
    expect(new Set([...dying.notes.texts, ...given()]).size).toBe(100);
    expect(inOrder(heir.notes.records)).toBe(true);
    await until(() => events.filter(({ kind }) => kind === "lease-lost").length === 2);
    expect(dying.notes.calls.filter((call) => call.endsWith("leaseLost"))).toHaveLength(2);
    for (const row of await leases.list()) expect(row.owner).toBe("heir");
  });

  it("checkpoints inside of an aggregate, and goes on behind that member", async () => {
    const remote = await place.open();
    const stream = await remote.streams.create("clicks");
    const encoder = new TextEncoder();
    const members = texts(0, 10).map((text) => ({ partitionKey: "k", data: encoder.encode(text) }));
    await stream.putRecord({ partitionKey: "k", data: encodeAggregate(members) });
    await stream.putRecord({ partitionKey: "k", data: "10" });
    const leases = new MemoryLeases();
    const group = await groupOf(stream, leases);
    const notes = new Notes();
    notes.onRecords = async ({ records, checkpointer }) => {
      const at = records.find(({ subSequenceNumber }) => subSequenceNumber === 4);
      if (at !== undefined) await checkpointer.checkpoint({ at });
    };
    const worker = keep(group.start(notes.factory, { checkpoints: "manual" }));
    await until(() => leases.changes.some((change) => /\d{20}/.test(change)));
    await until(() => notes.records.length >= 10);
    await worker.stop();
    const [row] = await leases.list();
    expect(row?.subSequenceNumber).toBe(4);
    const next = startNoted(group);
    await until(() => next.notes.records.length >= 6);
    expect(next.notes.texts).toEqual(texts(5, 11));
  });

  it("keeps two groups apart", async () => {
    const remote = await place.open();
    const stream = await remote.streams.create("clicks", { shards: 2 });
    await put(stream, 0, 40);
    const engine = await openEngine();
    const [one, other] = await Promise.all(
      ["one", "other"].map((name) =>
        stream.group(name, { from: "TRIM_HORIZON", leases: engine, ...SPANS }),
      ),
    );
    if (one === undefined || other === undefined) throw new Error("there are two");
    const first = startNoted(one);
    await until(() => first.notes.records.length === 40);
    await first.worker.stop();
    const second = startNoted(other);
    await until(() => second.notes.records.length === 40);
    await one.delete();
    expect((await other.describe()).leases).toHaveLength(2);
    expect(sorted(second.notes.texts)).toEqual(texts(0, 40));
  });
});
