/** What a replication says of its progress: when it has caught up, what is checkpointed, what was lost before it. */
import { MillraceError, systemClock } from "@millrace/engine";
import { encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { hashKeyOf } from "../../src/aggregation/hash-key.ts";
import type { PutTarget, TargetOutcome } from "../../src/producer/put-target.ts";
import { sourceOf } from "../../src/replication/mark.ts";
import { Shipper } from "../../src/replication/shipper.ts";
import { put, until } from "../groups/support.ts";
import { endLater } from "../remote/support.ts";
import { drained, eventsOf, farStream, openEngine, stopLater } from "./support.ts";

const HOUR_MS = 3_600_000;
/** Between two looks of a replication at what is left, in ms. */
const LOOK_MS = 2000;
const RING = { startingHashKey: "0", endingHashKey: (2n ** 128n - 1n).toString() };

function distinct(count: number) {
  return Array.from({ length: count }, (_, i) => ({ partitionKey: `k${i}`, data: `${i}` }));
}

/** A far side of one shard that takes the first call, and answers no other one until the test's end. */
function takingOneCall() {
  let calls = 0;
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const target: PutTarget = {
    ...{ name: "a far side", orderedBytesMax: 0 },
    listShards: async () => ({
      shards: [{ shardId: "shardId-000000000000", ...RING, open: true }],
      ...{ spread: false, recordBytesMax: 1_048_576 },
    }),
    putRecords: async (records) => {
      calls += 1;
      if (calls > 1) await ended;
      return records.map((): TargetOutcome => {
        return { shardId: "shardId-000000000000", sequenceNumber: "1" };
      });
    },
  };
  return { remote: { name: "far", target: () => target }, end };
}

describe("caught-up", () => {
  it("is told when the last record is stored, and not at the look after that, each time", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const { far } = await farStream(there, "clicks", 2);
    const replication = stopLater(await local.replicateTo(far));
    const told: number[] = [];
    const waitsMs: number[] = [];
    replication.on("caught-up", () => told.push(performance.now()));
    for (let round = 0; round < 20; round++) {
      const before = told.length;
      await put(local, round * 50, round * 50 + 50);
      await until(async () => (await replication.status()).copiedRecords === round * 50 + 50);
      const storedMs = performance.now();
      await until(() => told.length > before);
      waitsMs.push(performance.now() - storedMs);
    }
    // A machine that stands still may make one or two of them late.
    const late = waitsMs.filter((waitMs) => waitMs > LOOK_MS - 500);
    expect(late.length).toBeLessThan(3);
  });

  it("is not told, nor no lag, while members of the last aggregate are on their way", async () => {
    const here = await openEngine();
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const members = distinct(600).map(({ partitionKey, data }) => {
      return { partitionKey, data: new TextEncoder().encode(data) };
    });
    await local.putRecord({ partitionKey: "a", data: encodeAggregate(members) });
    const { remote, end } = takingOneCall();
    const replication = stopLater(await local.replicateTo(remote, { aggregate: false }));
    const events = eventsOf(replication);
    await until(async () => (await replication.status()).copiedRecords === 500);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await replication.status()).lagRecords).toBe(1);
    expect(events.some(({ kind }) => kind === "caught-up")).toBe(false);
    end();
    await until(() => events.some(({ kind }) => kind === "caught-up"));
    expect((await replication.status()).lagRecords).toBe(0);
  });
});

describe("what was answered", () => {
  it("is checkpointed while nothing more is answered", async () => {
    const here = await openEngine();
    const local = await here.streams.ensure("clicks", { shards: 1 });
    await local.putRecords(distinct(600));
    const { remote, end } = takingOneCall();
    endLater(end);
    const replication = await local.replicateTo(remote, { aggregate: false });
    await until(async () => (await replication.status()).lagRecords === 100);
    end();
    await replication.stop();
  });
});

describe("a shipment that was withdrawn", () => {
  it("ends when its entry turns out to be in another shard, also while nothing is sent", async () => {
    const { remote } = takingOneCall();
    let answer: (outcomes: readonly TargetOutcome[]) => void = () => undefined;
    const putRecords: PutTarget["putRecords"] = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const told: string[] = [];
    const nothing = (): void => undefined;
    const shipper = new Shipper({
      ...{ clock: systemClock, target: { ...remote.target(), putRecords }, aggregate: true },
      network: { online: () => true, onChange: () => nothing, onLeave: () => nothing },
      bytesPerSecondMax: undefined,
      listener: {
        ...{ shipping: nothing, changed: nothing, copied: nothing },
        ...{ retrying: (kind) => void told.push(kind), ended: nothing },
      },
    });
    const hashKey = hashKeyOf("a");
    const log = { incarnation: "ab".repeat(16), streamUid: 1 };
    const source = sourceOf(log, 0, "12".repeat(8), { start: hashKey, end: hashKey });
    const record = {
      ...{ partitionKey: "a", explicitHashKey: undefined, hashKey, data: new Uint8Array(1) },
      mark: { source, index: 1, subSequenceNumber: 0 },
    };
    const shipment = shipper.ship([record]);
    await until(() => answer.length > 0);
    void shipper.pause();
    shipper.withdraw(shipment);
    expect(shipment.ended).toBe(false);
    answer([{ shardId: "shardId-000000000007", sequenceNumber: "1" }]);
    await until(() => shipment.ended);
    expect(shipment.prefix).toBe(0);
    // Of what is answered after its end, a shipper tells nothing.
    answer = () => undefined;
    shipper.resume();
    const last = shipper.ship([record]);
    await until(() => answer.length > 0);
    shipper.close();
    answer([{ errorCode: "InternalFailure", errorMessage: "" }]);
    shipper.withdraw(last);
    await until(() => last.ended);
    expect(told).toEqual([]);
  });
});

describe("a gap", () => {
  /** A stream on virtual time of which ten records were shipped, after which its replication was stopped. */
  async function stopped() {
    const [here, there] = [await openEngine({ time: "virtual" }), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far } = await farStream(there, "clicks", 1);
    const replication = await local.replicateTo(far);
    await put(local, 0, 10);
    await drained(replication);
    await replication.stop();
    const again = async () => {
      const next = stopLater(await local.replicateTo(far));
      const events = eventsOf(next);
      await until(async () => (await next.status()).copiedRecords === 5);
      return events.filter(({ kind }) => kind === "gap");
    };
    return { here, local, again };
  }

  it("is told where what was not sent has expired", async () => {
    const { here, local, again } = await stopped();
    await put(local, 10, 20);
    for (let hour = 0; hour < 30; hour++) await here.time.advance(HOUR_MS);
    await put(local, 20, 25);
    const shardId = "shardId-000000000000";
    const number = expect.stringMatching(/^\d{56}$/);
    expect(await again()).toEqual([{ kind: "gap", shardId, after: number, before: number }]);
  });

  it("is not told where only what was sent has expired", async () => {
    const { here, local, again } = await stopped();
    for (let hour = 0; hour < 30; hour++) await here.time.advance(HOUR_MS);
    await put(local, 10, 15);
    expect(await again()).toEqual([]);
  });

  it("is told where records have expired before any was sent", async () => {
    const here = await openEngine({ time: "virtual" });
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { remote, end } = takingOneCall();
    end();
    let down = true;
    const target = (): PutTarget => {
      const { listShards, ...rest } = remote.target();
      const failed = new MillraceError("Down", "no answer", { retryable: true });
      return { ...rest, listShards: () => (down ? Promise.reject(failed) : listShards()) };
    };
    const far = { name: "far", target };
    await put(local, 0, 10);
    const first = await local.replicateTo(far);
    await until(async () => (await first.status()).retries > 0);
    await first.stop();
    for (let hour = 0; hour < 30; hour++) await here.time.advance(HOUR_MS);
    await put(local, 10, 15);
    down = false;
    const next = stopLater(await local.replicateTo(far));
    const events = eventsOf(next);
    await until(async () => (await next.status()).copiedRecords === 5);
    const before = expect.stringMatching(/^\d{56}$/);
    const shardId = "shardId-000000000000";
    await until(() => events.some(({ kind }) => kind === "gap"));
    expect(events.filter(({ kind }) => kind === "gap")).toEqual([
      { kind: "gap", shardId, after: undefined, before },
    ]);
  });

  it("is told of an aggregate that consumers leave out", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const { far } = await farStream(there, "clicks", 1);
    const data = encodeAggregate(
      ["0", RING.endingHashKey].map((explicitHashKey) => {
        return { partitionKey: "a", explicitHashKey, data: new Uint8Array(1) };
      }),
    );
    const { sequenceNumber } = await local.putRecord({ partitionKey: "a", data });
    const replication = await local.replicateTo(far);
    const events = eventsOf(replication);
    stopLater(replication);
    await until(() =>
      events.some((event) => event.kind === "gap" && event.after === sequenceNumber),
    );
  });
});
