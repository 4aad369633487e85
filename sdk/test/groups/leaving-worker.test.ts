/** Workers that stop while an answer of the leader is on its way: nothing of theirs is left for others to wait for. */
import { DeadlineError, type GroupDescription } from "@millrace/engine";
import { expect, it } from "vitest";
import { openGroup } from "../../src/groups/consumer-group.ts";
import { DirectClient, newGate, settle } from "../direct-client.ts";

const FAILOVER_MS = 60_000;

/** A client, and a group of one lease. */
async function newGroup() {
  const client = await DirectClient.open();
  const stream = await client.engine.createStream("clicks", 1);
  return { client, group: await openGroup(client, stream, "g", { failoverMs: FAILOVER_MS }) };
}

const idle = () => ({ processRecords: () => undefined });

async function ownersOf(client: DirectClient): Promise<unknown[]> {
  const { leases }: GroupDescription = await client.call("groupsDescribe", { name: "g" });
  return leases.map(({ owner }) => owner);
}

it.each([true, false])("stops while it joins (graceful: %s)", async (graceful) => {
  const { client, group } = await newGroup();
  const answer = newGate();
  client.after = (operation) => (operation === "groupJoin" ? answer.opened : undefined);
  // The leader has taken it in, and it has not heard of that.
  const worker = group.start(idle);
  await settle();
  let stopped = false;
  const stopping = worker.stop({ graceful }).then(() => {
    stopped = true;
  });
  await settle();
  // Whoever stopped it may close the engine now.
  if (stopped) await client.close();
  answer.open();
  await stopping;
  await client.close();
  const later = await DirectClient.open(client.engine.platform);
  expect(await ownersOf(later)).toEqual([null]);
  await later.close();
});

it("stops while it waits after a poll that failed", async () => {
  const { client, group } = await newGroup();
  const worker = group.start(idle);
  await settle();
  expect(worker.leases).toHaveLength(1);
  client.after = (operation) => {
    if (operation === "groupPoll") throw new DeadlineError("late");
    return undefined;
  };
  // The poll under way comes to its end, and is the one that fails.
  await client.engine.platform.clock.advance(FAILOVER_MS / 3);
  await worker.stop();
  expect(await ownersOf(client)).toEqual([null]);
  await client.close();
});
