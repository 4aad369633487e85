/** Checkpoints of one lease that are made at the same time, and those that are refused. */
import { StoreFullError } from "@millrace/engine";
import type { Checkpointer, ShardProcessor } from "millrace";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { openGroup } from "../../src/groups/consumer-group.ts";
import { failureOf, openEngine } from "../support.ts";
import { PassingClient } from "./clients.ts";
import { eventsOf, keep, Notes, put, until } from "./support.ts";

/** A client whose first two epochs are refused. */
class RefusingClient extends PassingClient {
  commits = 0;

  override async commitEpoch(...argument: Parameters<PassingClient["commitEpoch"]>) {
    this.commits += 1;
    if (this.commits <= 2) throw new StoreFullError(`there is no room for ${this.commits}`);
    return await super.commitEpoch(...argument);
  }
}

describe("a checkpoint without a record", () => {
  it("leaves the checkpoint where those before it, which are under way, have put it", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    await put(stream, 0, 3);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    let failure: unknown;
    let done = false;
    let keeper: Checkpointer | undefined;
    const processor: ShardProcessor = {
      initialize: ({ checkpointer }) => {
        keeper = checkpointer;
      },
      processRecords: async ({ checkpointer, records: [first] }) => {
        if (first === undefined || done) return;
        const steps = [
          checkpointer.checkpoint({ at: first }),
          keeper?.checkpoint({ state: { kept: 1 } }),
        ];
        await Promise.all(steps).catch((error: unknown) => {
          failure = error;
        });
        done = true;
      },
    };
    keep(group.start(() => processor, { checkpoints: "manual" }));
    await until(() => done);
    expect(failure).toBeUndefined();
    const { leases } = await group.describe();
    expect(leases[0]?.lagRecords).toBe(2);
  });
});

describe("a checkpoint that a worker makes by itself", () => {
  it("is told of when it is refused, and made again", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    await put(stream, 0, 50);
    const client = new RefusingClient(clientOf(engine));
    const group = await openGroup(client, stream.description, "g", { from: "TRIM_HORIZON" });
    const worker = keep(group.start(new Notes().factory));
    const events = eventsOf(worker);
    await until(async () => (await group.describe()).leases[0]?.lagRecords === 0);
    const refused = (attempt: number) => ({
      ...{ kind: "processing-failed", shardId: "shardId-000000000000", attempt, retryMs: 1000 },
      error: new StoreFullError(`there is no room for ${attempt}`),
    });
    const failed = events.filter(({ kind }) => kind === "processing-failed");
    expect(failed).toEqual([refused(1), refused(2)]);
  });
});

describe("a checkpoint of a shard's end", () => {
  it("is refused while the shard is open, and with a record", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    await put(stream, 0, 1);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const failures: unknown[] = [];
    const processor: ShardProcessor = {
      processRecords: async ({ checkpointer, records: [at] }) => {
        if (at === undefined) return;
        failures.push(await failureOf(checkpointer.checkpoint({ shardEnd: true, at })));
        failures.push(await failureOf(checkpointer.checkpoint({ shardEnd: true })));
      },
    };
    keep(group.start(() => processor, { checkpoints: "manual" }));
    await until(() => failures.length === 2);
    expect(failures).toMatchObject([
      { name: "InvalidArgumentError", argument: "what.at" },
      { name: "InvalidArgumentError", argument: "checkpoints[0].checkpoint" },
    ]);
  });

  it("that fails begins again with what it has committed", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const begun: unknown[] = [];
    const initialize: ShardProcessor["initialize"] = async ({ state, checkpointer }) => {
      begun.push(state);
      if (begun.length > 1) return;
      const sum = { total: 1 };
      await checkpointer.checkpoint({ state: { sum, gone: 7 } });
      sum.total = 2;
      await checkpointer.checkpoint({ state: { gone: null } });
      throw new Error("once");
    };
    keep(group.start(() => ({ initialize, processRecords: () => undefined })));
    await until(() => begun.length === 2);
    expect(begun).toEqual([{}, { sum: { total: 1 } }]);
  });

  it("finishes a closed shard without its records, and its children begin with what it left", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    await put(stream, 0, 5);
    await stream.split("shardId-000000000000");
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const begun: unknown[] = [];
    const delivered: string[] = [];
    const childState = { "shardId-000000000001": { left: 7 } };
    const processor = (shardId: string): ShardProcessor => ({
      initialize: async ({ state, checkpointer }) => {
        begun.push({ shardId, state });
        if (shardId === "shardId-000000000000") {
          await checkpointer.checkpoint({ shardEnd: true, childState });
        }
      },
      processRecords: ({ records }) => {
        delivered.push(...records.map((record) => record.shardId));
      },
    });
    keep(group.start(({ shardId }) => processor(shardId), { checkpoints: "manual" }));
    await until(() => begun.length === 3);
    await put(stream, 5, 30);
    await until(() => delivered.length === 25);
    expect(delivered).not.toContain("shardId-000000000000");
    expect(begun).toContainEqual({ shardId: "shardId-000000000001", state: { left: 7 } });
    expect(begun).toContainEqual({ shardId: "shardId-000000000002", state: {} });
  });
});
