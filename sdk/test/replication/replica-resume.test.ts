/** Replicas that are resumed before they have come to rest: they go on. */
import { pause } from "@millrace/engine";
import { expect, it } from "vitest";
import { virtualPlatform } from "../../../engine/host/src/platform/virtual-platform.ts";
import { microtasks } from "../../../engine/host/test/support/turns.ts";
import { ReplicaGate } from "../../src/replication/replica-gate.ts";
import { ReplicaSeat } from "../../src/replication/replica-seat.ts";
import { settle } from "../direct-client.ts";

const SHARD = { shardId: "shardId-000000000000", startingHashKey: "0" };

/** Copies until it is told to end. */
async function copying(signal: AbortSignal): Promise<void> {
  await new Promise<void>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

it.each([0, 1, 2, 3])("%i microtasks after the pause", async (between) => {
  const { clock } = virtualPlatform();
  const gate = new ReplicaGate();
  const leaving = new AbortController();
  let runs = 0;
  let work: Promise<void> | undefined;
  const run = (signal: AbortSignal): Promise<void> => {
    runs += 1;
    return copying(signal);
  };
  const calls = {
    closed: false,
    clock,
    pause: (ms: number, signal?: AbortSignal) => pause(clock, ms, signal),
  };
  const seat = new ReplicaSeat({
    ...{ groupName: "g", groupCreatedMs: 0, gate, calls: calls as never },
    progress: { enter: () => undefined, retrying: () => undefined } as never,
    localShards: async () => [SHARD] as never,
    copy: () => ({ state: {}, run }) as never,
    onWork: (begun) => {
      work = begun;
    },
    onClosed: () => undefined,
  });
  const checkpointer = { checkpoint: async () => undefined };
  const initialized = seat.initialize({
    ...{ shardId: SHARD.shardId, state: {}, checkpointer, leaving: leaving.signal },
  } as never);
  await settle();
  expect(runs).toBe(1);
  gate.close();
  const paused = work;
  await microtasks(between);
  gate.open();
  await settle();
  await paused;
  expect(gate.reason).toBeUndefined();
  expect(runs).toBe(2);
  leaving.abort();
  await initialized;
});
