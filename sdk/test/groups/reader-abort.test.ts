/** Loops over a group and their signals: one that is aborted ends the loop at once, one that is not outlives it. */
import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { openGroup } from "../../src/groups/consumer-group.ts";
import { DirectClient, newGate, settle } from "../direct-client.ts";

it.each(["groupLeave", "commitEpoch"])("end at once, though %s is not answered", async (silent) => {
  const client = await DirectClient.open();
  const stream = await client.engine.createStream("clicks", 1);
  await client.engine.put(stream, [{ key: "k", data: new Uint8Array(1) }]);
  const group = await openGroup(client, stream, "g", { from: "TRIM_HORIZON" });
  const ending = new AbortController();
  const reader = group.read({ signal: ending.signal });
  await reader.next();
  const answer = newGate();
  client.before = (operation) => (operation === silent ? answer.opened : undefined);
  let failure: unknown;
  reader.next().catch((error: unknown) => {
    failure = error;
  });
  await settle();
  const reason = new Error("off");
  ending.abort(reason);
  await settle();
  expect(failure).toBe(reason);
  answer.open();
  await settle();
  await client.close();
});

it("leave nothing at a signal that outlives them", async () => {
  const client = await DirectClient.open();
  const group = await openGroup(client, await client.engine.createStream("clicks", 1), "g", {});
  const { signal } = new AbortController();
  const reader = group.read({ signal });
  await settle();
  expect(getEventListeners(signal, "abort").length).toBeGreaterThan(0);
  const returning = reader.return();
  // What the application says in this task is waited for.
  await client.engine.platform.clock.advance(1);
  await returning;
  expect(getEventListeners(signal, "abort")).toEqual([]);
  await client.close();
});
