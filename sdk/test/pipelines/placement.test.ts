/** Where an aggregation keeps its keys and as what, and pipelines that are stopped while they start. */
import {
  type Aggregation,
  InvalidArgumentError,
  type Millrace,
  type Pipeline,
  type PipelineEvent,
} from "millrace";
import { afterEach, describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { completeSpec } from "../../src/stream-spec.ts";
import { until } from "../groups/support.ts";
import { failureOf, openEngine, readAll } from "../support.ts";
import { isDone } from "./dag.ts";

const SUM: Aggregation<number, number, number> = {
  initial: () => 0,
  add: (sum, value) => sum + value,
};
const pipelines: Pipeline[] = [];

/** A pipeline that is stopped before its engine is closed. */
async function opened(engine: Millrace, name = "p"): Promise<Pipeline> {
  const pipeline = await engine.pipeline(name);
  pipelines.push(pipeline);
  return pipeline;
}

afterEach(async () => {
  for (const pipeline of pipelines.splice(0)) await pipeline.stop({ graceful: false });
});

async function textsOf(engine: Millrace, name: string): Promise<string[]> {
  return (await readAll(await engine.streams.get(name))).map((one) => one.text());
}

/** Errors of all stages from now on. */
function errorsOf(pipeline: Pipeline): unknown[] {
  const errors: unknown[] = [];
  pipeline.onEvent((event: PipelineEvent) => {
    if (event.kind === "processing-failed") errors.push(event.error);
  });
  return errors;
}

describe("the keys of an aggregation", () => {
  it("are refused outside of their shard, and taken behind keyBy", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("numbers", { shards: 2 });
    for (const { startingHashKey: explicitHashKey } of stream.description.openShards) {
      await stream.putRecord({ partitionKey: "k", explicitHashKey, data: "1" });
    }
    const bare = await opened(engine, "bare");
    bare.from<number>("numbers").aggregate(SUM).to("sums");
    const errors = errorsOf(bare);
    await bare.start({ retryMs: 1 });
    await until(() => errors.length > 0);
    expect(errors[0]).toBeInstanceOf(InvalidArgumentError);
    expect((errors[0] as Error).message).toContain("keyBy");
    await bare.stop({ graceful: false });
    const keyed = await opened(engine, "keyed");
    keyed
      .from<number>("numbers")
      .keyBy(() => "k")
      .aggregate(SUM)
      .to("keyed-sums");
    await keyed.start();
    await until(() => isDone(keyed));
    expect(await textsOf(engine, "keyed-sums")).toEqual(["1", "2"]);
  });

  it("are refused of a stream whose distribution is AUTO", async () => {
    const engine = await openEngine();
    const spec = {
      ...completeSpec("numbers", { mode: "ON_DEMAND" }),
      distribution: "AUTO" as const,
    };
    await clientOf(engine).call("createStream", spec);
    const pipeline = await opened(engine);
    pipeline.from<number>("numbers").aggregate(SUM).to("sums");
    expect(await failureOf(pipeline.start())).toMatchObject({ value: '"AUTO"', limit: "keyBy" });
    expect(pipeline.running).toBe(false);
  });

  it("keep their state when another operator comes before it", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("numbers");
    await stream.putRecord({ partitionKey: "k", data: "1" });
    const before = await opened(engine);
    before.from<number>("numbers").aggregate(SUM).to("sums");
    await before.start();
    await until(() => isDone(before));
    await before.stop();
    await stream.putRecord({ partitionKey: "k", data: "2" });
    const after = await opened(engine);
    after
      .from<number>("numbers")
      .filter(() => true)
      .aggregate(SUM)
      .to("sums");
    await after.start();
    await until(() => isDone(after));
    expect(await textsOf(engine, "sums")).toEqual(["1", "3"]);
  });

  it("are awaited, and refused when JSON cannot hold their state", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("numbers");
    const states: unknown[] = [Number.NaN, { deep: [1 / 0] }, { n: 1n }, () => 1];
    for (let i = 0; i < 2; i++) await stream.putRecord({ partitionKey: "k", data: `${i + 1}` });
    const pipeline = await opened(engine);
    const bad = [...states];
    pipeline
      .from<number>("numbers")
      .aggregate<number, string>({
        initial: () => 0,
        add: async (sum, value) => (bad.length > 0 ? (bad.shift() as number) : sum + value),
        result: async (sum) => `sum ${sum}`,
      })
      .to("sums", { format: "text" });
    const errors = errorsOf(pipeline);
    await pipeline.start({ retryMs: 1 });
    await until(() => isDone(pipeline));
    expect(errors).toEqual(states.map(() => expect.any(InvalidArgumentError)));
    expect(await textsOf(engine, "sums")).toEqual(["sum 1", "sum 3"]);
  });
});

describe("a pipeline as a whole", () => {
  it("starts no worker when it is stopped or deleted meanwhile", async () => {
    const engine = await openEngine();
    await engine.streams.create("numbers");
    const pipeline = await opened(engine);
    pipeline.from<number>("numbers").to("copies");
    const started = pipeline.start();
    await pipeline.stop();
    await started;
    expect(pipeline.running).toBe(false);
    const again = pipeline.start();
    await pipeline.delete();
    await again;
    expect(pipeline.running).toBe(false);
    expect(await engine.groups.list()).toEqual([]);
    await pipeline.start();
    expect(pipeline.running).toBe(true);
  });

  it("takes its registered consumers along when it is deleted", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("numbers");
    await stream.putRecord({ partitionKey: "k", data: "1" });
    const pipeline = await opened(engine);
    pipeline.from<number>("numbers").to("copies");
    await pipeline.start({ reads: "fan-out" });
    await until(() => isDone(pipeline));
    expect(await stream.consumers()).toHaveLength(1);
    await pipeline.delete();
    expect(await stream.consumers()).toEqual([]);
    await pipeline.delete();
  });

  it("has a name without a dot, so that no two share a group", async () => {
    const engine = await openEngine();
    expect(await failureOf(engine.pipeline("a.b"))).toBeInstanceOf(InvalidArgumentError);
  });
});
