/**
 * Readers whose leader changes under them, as they meet it behind a client that hides it: whatever was
 * under way is asked of the next one, and each record comes once and in order.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EngineClient, EngineClosedError } from "@millrace/engine";
import { type Millrace, open, type Stream } from "millrace";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ShardSubscription } from "../src/aws/shard-subscription.ts";
import { clientOf } from "../src/client-of.ts";
import { ConsumerReader } from "../src/consumer-reader.ts";

const CHANGES = 20;
const principal = "arn:aws:iam::000000000000:root";

/** One engine after the other over the same files; calls that one of them left go to the next one. */
class Leaders implements EngineClient {
  readonly name = "leaders";
  readonly #directory: string;
  #leader: Promise<Millrace>;
  #last: EngineClient | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#leader = this.#open();
  }

  static async open(directory: string): Promise<Leaders> {
    const leaders = new Leaders(directory);
    await leaders.#leader;
    return leaders;
  }

  async #open(): Promise<Millrace> {
    const { name } = this;
    const engine = await open({ name, storage: "file", directory: this.#directory });
    this.#last = clientOf(engine);
    return engine;
  }

  /** The present one's, for what does not go over to the next. */
  get #client(): EngineClient {
    if (this.#last === undefined) throw new Error("nobody led yet");
    return this.#last;
  }

  get clock() {
    return this.#client.clock;
  }

  get pool() {
    return this.#client.pool;
  }

  get closed() {
    return false;
  }

  async stream(): Promise<Stream> {
    return await (await this.#leader).streams.ensure("clicks");
  }

  async change(): Promise<void> {
    const before = await this.#leader;
    this.#leader = before.close().then(() => this.#open());
    await this.#leader;
  }

  async call(...[operation, argument]: Parameters<EngineClient["call"]>): Promise<never> {
    return (await this.#ask((client) => client.call(operation, argument))) as never;
  }

  put(...[batch, settings]: Parameters<EngineClient["put"]>) {
    return this.#client.put(batch, settings);
  }

  commitEpoch(...[commit, outputs]: Parameters<EngineClient["commitEpoch"]>) {
    return this.#client.commitEpoch(commit, outputs);
  }

  read(...[request, signal]: Parameters<EngineClient["read"]>) {
    return this.#ask((client) => client.read(request, signal));
  }

  onLeave(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    await (await this.#leader).close();
  }

  async #ask<Answer>(ask: (client: EngineClient) => Promise<Answer>): Promise<Answer> {
    for (;;) {
      const leader = this.#leader;
      try {
        return await ask(clientOf(await leader));
      } catch (error) {
        if (!(error instanceof EngineClosedError) || leader === this.#leader) throw error;
      }
    }
  }
}

let directory = "";
let leaders: Leaders;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-leaders-"));
  leaders = await Leaders.open(directory);
  const stream = await leaders.stream();
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
    const stream = await leaders.stream();
    const some = data.slice(leader * 5, leader * 5 + 5);
    await stream.putRecords(some.map((text) => ({ partitionKey: "k", data: text })));
    await leaders.change();
  }
  return data;
}

describe("a reader whose leader changes", () => {
  it("as a registered consumer loses nothing and sees nothing twice", async () => {
    const { name, arn } = await leaders.stream();
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
    const { arn } = await leaders.stream();
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
