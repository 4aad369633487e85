/**
 * Readers whose leader changes under them, as they meet it behind a client that hides it: whatever was
 * under way is asked of the next one, and each record comes once and in order.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ShardSubscription } from "../src/aws/shard-subscription.ts";
import { ConsumerReader } from "../src/consumer-reader.ts";
import { Leaders } from "./leaders.ts";

const CHANGES = 20;
const principal = "arn:aws:iam::000000000000:root";

let directory = "";
let leaders: Leaders;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-leaders-"));
  leaders = await Leaders.open(directory);
  const stream = await leaders.stream("clicks");
  await stream.registerConsumer("app");
});

afterEach(async () => {
  await leaders.close();
  await rm(directory, { recursive: true, force: true });
});

/** Puts records of the numbers 0 to 99, five under each of 20 leaders. */
async function putUnderManyLeaders(): Promise<string[]> {
  const data = Array.from({ length: CHANGES * 5 }, (_, i) => String(i));
  for (let leader = 0; leader < CHANGES; leader++) {
    const stream = await leaders.stream("clicks");
    const some = data.slice(leader * 5, leader * 5 + 5);
    await stream.putRecords(some.map((text) => ({ partitionKey: "k", data: text })));
    await leaders.change();
  }
  return data;
}

describe("a reader whose leader changes", () => {
  it("as a registered consumer loses nothing and sees nothing twice", async () => {
    const { name, arn } = await leaders.stream("clicks");
    const reader = new ConsumerReader(leaders, { name, arn }, "app", {
      ...{ position: { type: "TRIM_HORIZON" }, live: true, shardId: undefined, signal: undefined },
    });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const batch of reader) {
        for (const record of batch) seen.push(record.text());
        if (seen.length >= CHANGES * 5) return;
      }
    })();
    const data = await putUnderManyLeaders();
    await reading;
    expect(seen).toEqual(data);
  });

  it("by SubscribeToShard loses nothing and sees nothing twice", async () => {
    const { arn } = await leaders.stream("clicks");
    const described = await leaders.call("invoke", {
      operation: "DescribeStreamConsumer",
      input: { StreamARN: arn, ConsumerName: "app" },
      caller: { principal },
    });
    const { ConsumerDescription } = described as {
      ConsumerDescription: { ConsumerARN: string };
    };
    const events = await ShardSubscription.open(leaders, {
      operation: "SubscribeToShard",
      input: {
        ...{ ConsumerARN: ConsumerDescription.ConsumerARN, ShardId: "shardId-000000000000" },
        StartingPosition: { Type: "TRIM_HORIZON" },
      },
      caller: { principal },
      signal: undefined,
    });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { SubscribeToShardEvent } of events) {
        for (const { Data } of SubscribeToShardEvent.Records) {
          seen.push(new TextDecoder().decode(Data));
        }
        if (seen.length >= CHANGES * 5) return;
      }
    })();
    const data = await putUnderManyLeaders();
    await reading;
    expect(seen).toEqual(data);
  });
});
