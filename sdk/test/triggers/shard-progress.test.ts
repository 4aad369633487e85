/** What a trigger stores with which record, and what it does not leave behind. */
import { pause } from "@millrace/engine";
import type { LambdaHandler } from "millrace";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import type { Checkpointer, CheckpointWith, UserRecord } from "../../src/groups/group-types.ts";
import { EventMaker } from "../../src/triggers/lambda-event.ts";
import { ShardProgress } from "../../src/triggers/shard-progress.ts";
import { ShardTrigger } from "../../src/triggers/shard-trigger.ts";
import { checkTriggerOptions, type TriggerSettings } from "../../src/triggers/trigger-settings.ts";
import { until } from "../groups/support.ts";
import { failureOf } from "../support.ts";
import { openStreams } from "./support.ts";

const SHARD_0 = "shardId-000000000000";

function recordOf(number: number): UserRecord {
  return {
    ...{ partitionKey: "k", explicitHashKey: undefined, sequenceNumber: `${number}` },
    ...{ subSequenceNumber: 0, shardId: SHARD_0, arrivalMs: 0, data: new Uint8Array(1) },
  } as UserRecord;
}

/** Notes what is stored; each takes its time. */
async function slowly() {
  const { engine, stream } = await openStreams();
  const client = clientOf(engine);
  const stored: CheckpointWith[] = [];
  const checkpointer: Checkpointer = {
    checkpoint: async (what = {}) => {
      await pause(client.clock, 20);
      stored.push(what);
    },
  };
  return { client, stream, stored, checkpointer, leaving: new AbortController().signal };
}

/** A trigger's part in a shard, without what the options say. */
async function began(handler: LambdaHandler, options: Partial<TriggerSettings>) {
  const { client, stream, ...parts } = await slowly();
  const { description } = stream;
  const trigger = new ShardTrigger({
    ...{ client, stream: description, handler, events: new EventMaker(description) },
    settings: { ...checkTriggerOptions({ name: "t" }, description), ...options },
    tell: () => undefined,
    onFiltered: () => undefined,
  });
  const { checkpointer, leaving } = parts;
  trigger.initialize({ shardId: SHARD_0, state: {}, checkpointer, leaving });
  const deliver = (record: UserRecord): Promise<void> =>
    trigger.processRecords({
      ...{ records: [record], checkpointer, millisBehindLatest: 0, signal: leaving },
    });
  return { trigger, deliver, ...parts };
}

describe("a shard's progress", () => {
  it("stores the newest state, also when a window ends while an epoch is under way", async () => {
    const { stored, ...parts } = await slowly();
    const progress = new ShardProgress({ ...parts, onFailure: () => undefined });
    const [first, second] = [progress.add(recordOf(1), 1), progress.add(recordOf(2), 1)];
    progress.finish([first], { state: { window: "first" } });
    await pause(parts.client.clock, 5);
    progress.finish([], { state: { window: "closed" } });
    progress.finish([second], { state: { window: "second" } });
    await progress.settle();
    expect(stored.at(-1)).toMatchObject({
      at: { sequenceNumber: "2" },
      state: { window: "second" },
    });
  });

  it("is not left behind by the shard's end while records are not done with", async () => {
    const { trigger, deliver, stored, checkpointer } = await began(() => undefined, {
      recordAgeMsMax: 1,
    });
    const broken = new Error("the batch cannot be run");
    let reads = 0;
    await deliver({
      ...recordOf(1),
      get arrivalMs(): number {
        reads += 1;
        throw broken;
      },
    });
    expect(await failureOf(trigger.shardEnded({ checkpointer }))).toMatchObject({
      ...{ code: "InternalFailureException", value: 1, cause: broken },
    });
    expect(reads).toBe(1);
    expect(stored).toEqual([]);
  });

  it("empties a window that is terminated early with the records that filled it, not before", async () => {
    const text = "x".repeat(1_200_000);
    const { deliver, stored } = await began(() => ({ state: { text } }), { windowMs: 900_000 });
    await deliver(recordOf(1));
    await until(() => stored.length > 0);
    expect(stored[0]).toMatchObject({
      ...{ at: { sequenceNumber: "1" }, state: { window: [0, true, 1], "window.0": "{}" } },
    });
  });
});
