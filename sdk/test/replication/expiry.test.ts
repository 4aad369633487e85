/** What is not sent before retention would drop it: a warning in time, and a hold where that is wished. */
import type { OperationName, OutputOf } from "@millrace/engine/model";
import type { Millrace, ReplicateOptions, Replication, ReplicationEvent, Stream } from "millrace";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { put, until } from "../groups/support.ts";
import {
  checkOrder,
  consume,
  drained,
  eventsOf,
  farStream,
  openEngine,
  stopLater,
} from "./support.ts";

const HOUR_MS = 3_600_000;

/** An engine on virtual time whose replication is paused, with records that wait. */
async function waiting(options: Pick<ReplicateOptions, "hold" | "name" | "warnBeforeMs">) {
  const [here, there] = [await openEngine({ time: "virtual" }), await openEngine()];
  const local = await here.streams.ensure("clicks", { shards: 2 });
  const { far, inside } = await farStream(there, "clicks", 1);
  const replication = stopLater(await local.replicateTo(far, options));
  const events = eventsOf(replication);
  await put(local, 0, 20);
  await drained(replication);
  await replication.pause();
  await put(local, 20, 60);
  await until(async () => (await replication.status()).lagRecords === 40);
  return { here, local, far, inside, replication, events };
}

/** Lets time pass; the replication looks every few seconds. */
async function pass(here: Millrace, hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour++) await here.time.advance(HOUR_MS);
}

function expiring(events: readonly ReplicationEvent[]) {
  return events.filter((event) => event.kind === "expiring");
}

function gapsIn(events: readonly ReplicationEvent[]) {
  return events.filter((event) => event.kind === "gap");
}

async function retentionOf(stream: Stream): Promise<number> {
  return (await stream.describe()).retentionHours;
}

/** One of AWS's operations on the stream. */
async function invoke<Name extends OperationName>(
  engine: Millrace,
  operation: Name,
  input: object = {},
): Promise<OutputOf<Name>> {
  const caller = { principal: "arn:aws:iam::000000000000:root" };
  const call = { operation, input: { StreamName: "clicks", ...input }, caller };
  return (await clientOf(engine).call("invoke", call)) as OutputOf<Name>;
}

/** Keys of the stream's tags. */
async function tagsOf(engine: Millrace): Promise<string[]> {
  return (await invoke(engine, "ListTagsForStream")).Tags.map(({ Key }) => Key);
}

async function lag(replication: Replication): Promise<number | undefined> {
  return (await replication.status()).lagRecords;
}

/** A replication that ended before there was anything to ship. */
async function begin(local: Stream, far: Parameters<Stream["replicateTo"]>[0]): Promise<void> {
  const replication = await local.replicateTo(far);
  await until(async () => (await replication.status()).state === "running");
  await replication.stop();
}

describe("the expiry of what was not sent", () => {
  it("is told once for each shard, before it comes", async () => {
    const { here, replication, events, local } = await waiting({});
    await pass(here, 22);
    await lag(replication);
    expect(expiring(events)).toEqual([]);
    await here.time.advance(1.5 * HOUR_MS);
    await until(async () => (await lag(replication)) === 40 && expiring(events).length === 2);
    for (const event of expiring(events)) {
      expect(event.kind === "expiring" && event.expiresMs).toBeLessThanOrEqual(HOUR_MS);
    }
    expect(await retentionOf(local)).toBe(24);
    replication.resume();
    await drained(replication);
    expect(expiring(events)).toHaveLength(2);
  });

  it("is put off by a hold, for days, and the retention goes back when all is sent", async () => {
    // The longest name there may be is longer than a tag's key can take.
    const name = "n".repeat(128);
    const { here, local, far, inside, replication } = await waiting({ hold: true, name });
    let hours = 0;
    for (let raises = 0; raises < 5; raises++) {
      const held = await retentionOf(local);
      // Half an hour before the records would go.
      await pass(here, held - 1 - hours);
      hours = held - 1;
      await here.time.advance(HOUR_MS / 2);
      await until(async () => (await retentionOf(local)) > held);
      expect(await lag(replication)).toBe(40);
      await here.time.advance(HOUR_MS / 2);
      hours += 1;
    }
    expect(hours).toBeGreaterThan(100);
    expect(await lag(replication)).toBe(40);
    // What the stream had before outlives whoever holds it.
    await replication.stop();
    const next = stopLater(await local.replicateTo(far, { hold: true, name }));
    await drained(next);
    await until(async () => (await retentionOf(local)) === 24);
    await until(async () => (await tagsOf(here)).length === 0);
    checkOrder(await consume(inside, 60), 0, 60);
  });

  it("is put off by a hold also where nothing is to be warned of", async () => {
    const { here, local, replication } = await waiting({ hold: true, warnBeforeMs: 0 });
    await pass(here, 23);
    await here.time.advance(HOUR_MS / 2);
    await until(async () => (await retentionOf(local)) > 24);
    await pass(here, 2);
    expect(await lag(replication)).toBe(40);
  });

  it("leaves a retention that somebody has set during the hold, until that has to rise as well", async () => {
    const { here, local, far, replication } = await waiting({ hold: true, name: "one" });
    await pass(here, 23);
    await here.time.advance(HOUR_MS / 2);
    await until(async () => (await retentionOf(local)) === 49);
    await invoke(here, "IncreaseStreamRetentionPeriod", { RetentionPeriodHours: 72 });
    replication.resume();
    await drained(replication);
    await until(async () => (await tagsOf(here)).length === 0);
    expect(await retentionOf(local)).toBe(72);
    // Two that hold it give back together what the first one found, whoever ends first.
    await replication.pause();
    const other = stopLater(
      await local.replicateTo(far, {
        hold: true,
        name: "two",
        from: "LATEST",
        warnBeforeMs: 5 * HOUR_MS,
      }),
    );
    await until(async () => (await other.status()).state === "running");
    await other.pause();
    await put(local, 60, 70);
    await pass(here, 68);
    await until(async () => (await retentionOf(local)) > 72);
    await until(async () => (await tagsOf(here)).length === 2);
    await pass(here, 3);
    await until(async () => (await tagsOf(here)).length === 3);
    other.resume();
    await drained(other);
    await until(async () => (await tagsOf(here)).length === 2);
    expect(await retentionOf(local)).toBeGreaterThan(72);
    replication.resume();
    await drained(replication);
    await until(async () => (await tagsOf(here)).length === 0);
    expect(await retentionOf(local)).toBe(72);
  });
});

describe("records that expire before the first one is shipped", () => {
  it("are told also where nothing is left behind them, and by each that begins until something is shipped", async () => {
    const [here, there] = [await openEngine({ time: "virtual" }), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far } = await farStream(there, "clicks", 1);
    await begin(local, far);
    await put(local, 0, 10);
    await pass(here, 30);
    const nothing = { shardId: "shardId-000000000000", after: undefined, before: undefined };
    const second = await local.replicateTo(far);
    await until(async () => (await second.status()).gaps.length > 0);
    await second.stop();
    await put(local, 10, 15);
    const third = stopLater(await local.replicateTo(far));
    await drained(third);
    expect((await second.status()).gaps).toEqual([nothing]);
    const behind = { ...nothing, before: expect.stringMatching(/^\d{56}$/) };
    await until(async () => (await third.status()).gaps.length > 0);
    expect((await third.status()).gaps).toEqual([behind]);
    await third.stop();
    const fourth = stopLater(await local.replicateTo(far));
    const events = eventsOf(fourth);
    await put(local, 15, 20);
    await drained(fourth);
    await until(() => events.some(({ kind }) => kind === "caught-up"));
    expect(gapsIn(events)).toEqual([]);
  });

  it("are no loss where they were gone before there was a replication", async () => {
    const [here, there] = [await openEngine({ time: "virtual" }), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far } = await farStream(there, "clicks", 1);
    await put(local, 0, 10);
    await pass(here, 30);
    await begin(local, far);
    await pass(here, 30);
    const second = stopLater(await local.replicateTo(far));
    const events = eventsOf(second);
    await put(local, 10, 15);
    await drained(second);
    await until(() => events.some(({ kind }) => kind === "caught-up"));
    expect((await second.status()).gaps).toEqual([]);
  });
});

describe("a shard that expires while no replication runs", () => {
  /** Of a shard's 20 records 10 are shipped when the replication ends; then the shard is split and expires. */
  async function lostShard(shipped = 10) {
    const [here, there] = [await openEngine({ time: "virtual" }), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far, inside } = await farStream(there, "clicks", 1);
    if (shipped > 0) {
      const first = await local.replicateTo(far);
      await put(local, 0, shipped);
      await drained(first);
      await first.stop();
    } else await begin(local, far);
    await put(local, shipped, 20);
    await local.split("shardId-000000000000");
    await pass(here, 27);
    await until(async () => (await local.shards()).every(({ shardIndex }) => shardIndex !== 0));
    await put(local, 20, 40);
    return { here, local, far, inside };
  }

  const LOST = { shardId: "shardId-000000000000", before: undefined };

  it("is told with the last record that was shipped, by the next one, which goes on with its children", async () => {
    const { here, local, far, inside } = await lostShard();
    const second = stopLater(await local.replicateTo(far));
    const events = eventsOf(second);
    await drained(second);
    const lost = { ...LOST, after: expect.stringMatching(/^\d{56}$/) };
    await until(() => gapsIn(events).length > 0);
    expect(gapsIn(events)).toEqual([{ kind: "gap", ...lost }]);
    expect((await second.status()).gaps).toEqual([lost]);
    checkOrder((await consume(inside, 30)).slice(10), 20, 40);
    // Another thread hears of it as well, for a while.
    const other = stopLater(await local.replicateTo(far));
    const heard = eventsOf(other);
    await until(() => gapsIn(heard).length > 0);
    const group = await local.group(second.name);
    expect((await group.describe()).expired).toHaveLength(1);
    await here.time.advance(61_000);
    await put(local, 40, 50);
    await until(async () => (await group.describe()).expired.length === 0);
    await second.stop();
    await other.stop();
    const third = stopLater(await local.replicateTo(far));
    const later = eventsOf(third);
    await put(local, 50, 60);
    await drained(third);
    expect(gapsIn(later)).toEqual([]);
    expect([gapsIn(events).length, gapsIn(heard).length]).toEqual([1, 1]);
  });

  it("or while one is paused, is told once", async () => {
    const [here, there] = [await openEngine({ time: "virtual" }), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far, inside } = await farStream(there, "clicks", 1);
    const replication = stopLater(await local.replicateTo(far));
    const events = eventsOf(replication);
    await put(local, 0, 10);
    await drained(replication);
    await replication.pause();
    await put(local, 10, 20);
    await local.split("shardId-000000000000");
    await put(local, 20, 40);
    await pass(here, 27);
    await put(local, 40, 60);
    await until(async () => (await replication.status()).gaps.length > 0, 30_000);
    replication.resume();
    await drained(replication);
    checkOrder((await consume(inside, 30)).slice(10), 40, 60);
    const wholes = gapsIn(events).filter((gap) => gap.kind === "gap" && gap.before === undefined);
    expect(wholes).toMatchObject([{ ...LOST, after: expect.stringMatching(/^\d{56}$/) }]);
  });

  it("is told without a record where none of it was shipped", async () => {
    const { local, far, inside } = await lostShard(0);
    const second = stopLater(await local.replicateTo(far));
    await until(async () => (await second.status()).gaps.length > 0);
    expect((await second.status()).gaps).toEqual([{ ...LOST, after: undefined }]);
    await drained(second);
    checkOrder(await consume(inside, 20), 20, 40);
  });

  it("is no loss where all of it was shipped", async () => {
    const { local, far, inside } = await lostShard(20);
    const second = stopLater(await local.replicateTo(far));
    await drained(second);
    checkOrder(await consume(inside, 40), 0, 40);
    expect((await second.status()).gaps).toEqual([]);
  });
});
