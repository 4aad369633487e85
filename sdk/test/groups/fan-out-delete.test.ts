/** Groups that are deleted while a worker begins to read as their registered consumer: none is left. */
import { expect, it } from "vitest";
import { microtasks } from "../../../engine/host/test/support/turns.ts";
import { openGroup } from "../../src/groups/consumer-group.ts";
import { listConsumers } from "../../src/stream-control.ts";
import { DirectClient, settle } from "../direct-client.ts";

/** Microtasks after which the worker looks for a consumer at the earliest, and has registered one at the latest. */
const MICROTASKS_MIN = 40;
const MICROTASKS_MAX = 120;

it("whenever it is deleted", async () => {
  const client = await DirectClient.open();
  for (let between = MICROTASKS_MIN; between <= MICROTASKS_MAX; between += 4) {
    const stream = await client.engine.createStream(`clicks-${between}`, 1);
    const group = await openGroup(client, stream, `group-${between}`, {});
    const worker = group.start(() => ({ processRecords: () => undefined }), { reads: "fan-out" });
    await microtasks(between);
    await group.delete();
    await settle();
    expect(await listConsumers(client, stream), `${between} microtasks`).toEqual([]);
    expect(worker.closed).toBe(true);
  }
  await client.close();
});
