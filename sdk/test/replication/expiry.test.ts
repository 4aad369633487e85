/** What is not sent before retention would drop it: a warning in time, and a hold where that is wished. */
import type { Millrace, Replication, ReplicationEvent, Stream } from "millrace";
import { describe, expect, it } from "vitest";
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
async function waiting(options: { readonly hold?: boolean; readonly name?: string }) {
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
  return { here, local, inside, replication, events };
}

/** Lets time pass; the replication looks every few seconds. */
async function pass(here: Millrace, hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour++) await here.time.advance(HOUR_MS);
}

function expiring(events: readonly ReplicationEvent[]) {
  return events.filter((event) => event.kind === "expiring");
}

async function retentionOf(stream: Stream): Promise<number> {
  return (await stream.describe()).retentionHours;
}

async function lag(replication: Replication): Promise<number | undefined> {
  return (await replication.status()).lagRecords;
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
    const { here, local, inside, replication } = await waiting({ hold: true, name });
    for (let day = 0; day < 5; day++) {
      await pass(here, 23);
      await here.time.advance(HOUR_MS / 2);
      const before = await retentionOf(local);
      await until(async () => (await retentionOf(local)) > (day === 0 ? 24 : before - 1));
      await lag(replication);
    }
    expect(await retentionOf(local)).toBeGreaterThan(24);
    replication.resume();
    await drained(replication);
    await until(async () => (await retentionOf(local)) === 24);
    checkOrder(await consume(inside, 60), 0, 60);
  });
});
