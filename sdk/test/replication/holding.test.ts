/**
 * Two replications that hold one stream, with every number of steps between them: what one gives back while the other
 * begins to need it is held on, and what both raise goes back when both have sent all.
 */
import { type GroupDescription, StoreFullError } from "@millrace/engine";
import { expect, it } from "vitest";
import { virtualPlatform } from "../../../engine/host/src/platform/virtual-platform.ts";
import { microtasks } from "../../../engine/host/test/support/turns.ts";
import { ExpiryWatch } from "../../src/replication/expiry-watch.ts";
import { DirectClient } from "../direct-client.ts";

const HOUR_MS = 3_600_000;
/** More microtasks than a look takes. */
const STEPS_MAX = 60;
const STEPS = Array.from({ length: STEPS_MAX / 3 + 1 }, (_, i) => 3 * i);

/** A group whose oldest record that was not sent is so old; undefined for one that has sent all. */
function waiting(hours: number | undefined): GroupDescription {
  const lease = { shardId: "shardId-000000000000", lagRecords: 1 };
  const leases = hours === undefined ? [] : [{ ...lease, iteratorAgeMs: hours * HOUR_MS }];
  return { leases } as never;
}

function watchOf(client: DirectClient, streamName: string, name: string, warnBeforeMs: number) {
  return new ExpiryWatch({
    ...{ client, streamName, name, warnBeforeMs, hold: true },
    onExpiring: () => undefined,
  });
}

async function retentionOf({ engine }: DirectClient, name: string): Promise<number> {
  return (await engine.service.call("describeStream", { name })).retentionHours;
}

it("what is given back while another one begins to hold loses that one nothing", async () => {
  const platform = virtualPlatform();
  const client = await DirectClient.open(platform);
  const moments = [];
  for (const steps of STEPS) {
    const stream = await client.engine.createStream(`clicks-${steps}`);
    await client.engine.put(stream, [{ key: "k", data: new Uint8Array(1) }]);
    moments.push({ steps, stream });
  }
  platform.clock.advanceBy(23.5 * HOUR_MS);
  for (const { stream } of moments) {
    await watchOf(client, stream.name, "first", 0).look(waiting(23.5));
    expect(await retentionOf(client, stream.name)).toBe(49);
  }
  platform.clock.advanceBy(6.5 * HOUR_MS);
  const lost: number[] = [];
  for (const { steps, stream } of moments) {
    const ending = watchOf(client, stream.name, "first", 0).look(waiting(undefined));
    await microtasks(steps);
    const second = watchOf(client, stream.name, "second", 0);
    await Promise.all([ending, second.look(waiting(30))]);
    if ((await client.engine.readAll(stream)).length === 0) lost.push(steps);
    await second.look(waiting(undefined));
    expect(await retentionOf(client, stream.name), `${steps} microtasks`).toBe(24);
  }
  await client.close();
  expect(lost).toEqual([]);
});

it.each([
  [1, 1],
  [1, 30],
  [30, 1],
])(
  "what two raise, %i and %i hours before, goes back when both have sent all",
  async (...hours) => {
    const client = await DirectClient.open();
    for (const steps of STEPS) {
      const { name } = await client.engine.createStream(`clicks-${steps}`);
      const [first, second] = hours.map((before, i) =>
        watchOf(client, name, `r${i}`, before * HOUR_MS),
      );
      const raising = first?.look(waiting(23.5));
      await microtasks(steps);
      await Promise.all([raising, second?.look(waiting(23.5))]);
      await first?.look(waiting(23.6));
      await second?.look(waiting(23.6));
      const held = await retentionOf(client, name);
      await first?.look(waiting(undefined));
      const heldOn = await retentionOf(client, name);
      await second?.look(waiting(undefined));
      const seen = [held, heldOn, await retentionOf(client, name)];
      const longest = 48 + Math.max(...hours);
      expect(seen, `${steps} microtasks`).toEqual([longest, longest, 24]);
    }
    await client.close();
  },
);

it("what could not be stored for want of room is told, and made up for by the next look", async () => {
  const platform = virtualPlatform();
  const client = await DirectClient.open(platform);
  const { name } = await client.engine.createStream();
  const watch = watchOf(client, name, "full", 0);
  for (const [oldest, hours] of [
    [23.5, 49],
    [undefined, 24],
  ] as const) {
    // The log makes what room it can and tries again before it says so.
    for (const nth of [1, 2]) {
      platform.stores.faults.add({ kind: "full", nth, operations: ["appendFrame"] });
    }
    const before = await retentionOf(client, name);
    await expect(watch.look(waiting(oldest))).rejects.toThrow(StoreFullError);
    expect(await retentionOf(client, name)).toBe(before);
    await watch.look(waiting(oldest));
    expect(await retentionOf(client, name)).toBe(hours);
  }
  await client.close();
});

it("what would not be at risk for an hour asks for no hold", async () => {
  const client = await DirectClient.open();
  const { name } = await client.engine.createStream();
  const watch = watchOf(client, name, "young", 0);
  await watch.look(waiting(22.9));
  expect(client.calls).toEqual(["describeStream"]);
  await watch.look(waiting(23));
  expect(client.calls.slice(1)).toEqual(["describeStream", "retentionHold"]);
  expect(await retentionOf(client, name)).toBe(49);
  await client.close();
});
