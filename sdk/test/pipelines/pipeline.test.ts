/** What pipelines promise: stages, state by key, the graph, and refusals; over the real engine. */
import {
  InvalidArgumentError,
  type Millrace,
  type Pipeline,
  type PipelineEvent,
  ResourceInUseError,
  ResourceNotFoundError,
  type Stream,
} from "millrace";
import { afterEach, describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { Pipeline as OwnPipeline } from "../../src/pipelines/pipeline.ts";
import { TroubledClient } from "../groups/clients.ts";
import { until } from "../groups/support.ts";
import { byKey, failureOf, openEngine, readAll } from "../support.ts";
import { buildDag, isDone, problemsOf, putOrders, SOURCE } from "./dag.ts";

const SHARD_0 = "shardId-000000000000";
const pipelines: Pipeline[] = [];

/** Stops the pipeline before its engine is closed. */
function keep(pipeline: Pipeline): Pipeline {
  pipelines.push(pipeline);
  return pipeline;
}

afterEach(async () => {
  for (const pipeline of pipelines.splice(0)) await pipeline.stop({ graceful: false });
});

/** Numbers with keys of their own. */
async function putNumbers(stream: Stream, from: number, to: number, keys = 11): Promise<void> {
  const records = Array.from({ length: to - from }, (_, i) => ({
    partitionKey: `key-${(from + i) % keys}`,
    data: `${from + i}`,
  }));
  const { failedRecordCount } = await stream.putRecords(records);
  expect(failedRecordCount).toBe(0);
}

async function opened(shards = 1): Promise<{ engine: Millrace; stream: Stream }> {
  const engine = await openEngine();
  return { engine, stream: await engine.streams.create("numbers", { shards }) };
}

describe("a pipeline", () => {
  it("filters, maps, makes several and gives new keys, and functions may answer later", async () => {
    const { engine, stream } = await opened(2);
    await putNumbers(stream, 1, 101);
    const pipeline = keep(await engine.pipeline("p"));
    pipeline
      .from<number>("numbers")
      .filter((value) => value % 2 === 0)
      .map(async (value, { partitionKey }) => ({ value, partitionKey }))
      .flatMap((one) => [one, { ...one, value: -one.value }])
      .keyBy(({ value }) => (value < 0 ? "below" : "above"))
      .to("made");
    await pipeline.start();
    await until(() => isDone(pipeline));
    const made = await readAll(await engine.streams.get("made"));
    const groups = byKey(made.map((one) => [one.partitionKey, one.text()]));
    const above = (groups.get("above") ?? []).map((text) => JSON.parse(text));
    expect(above).toHaveLength(50);
    expect(groups.get("below")).toHaveLength(50);
    for (const { value, partitionKey } of above) expect(partitionKey).toBe(`key-${value % 11}`);
    expect(above.map(({ value }) => value).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => 2 * i + 2),
    );
  });

  it("reads and writes JSON, text and bytes", async () => {
    const { engine, stream } = await opened();
    await putNumbers(stream, 0, 3);
    const pipeline = keep(await engine.pipeline("p"));
    pipeline
      .from<string>("numbers", { format: "text" })
      .map((text) => `<${text}>`)
      .to("texts", { format: "text" })
      .map((text) => Uint8Array.from(text, (one) => one.charCodeAt(0)))
      .to("bytes", { format: "bytes" })
      .map((bytes) => [...bytes])
      .to("lists");
    await pipeline.start();
    await until(() => isDone(pipeline));
    const texts = async (name: string) =>
      (await readAll(await engine.streams.get(name))).map((one) => one.text());
    expect(await texts("texts")).toEqual(["<0>", "<1>", "<2>"]);
    expect(await texts("bytes")).toEqual(["<0>", "<1>", "<2>"]);
    expect(await texts("lists")).toEqual(["[60,48,62]", "[60,49,62]", "[60,50,62]"]);
  });

  it("is a graph whose streams, stages and lag can be seen", async () => {
    const engine = await openEngine();
    const source = await engine.streams.create(SOURCE);
    await putOrders(source, 0, 50);
    const pipeline = keep(await buildDag(engine, 2));
    const before = await pipeline.describe();
    expect(before).toMatchObject({ name: "shop", running: false });
    expect(before.edges.every(({ group }) => group === undefined)).toBe(true);
    await pipeline.start();
    await until(() => isDone(pipeline));
    const after = await pipeline.describe();
    expect(after.running).toBe(true);
    expect(after.nodes).toEqual([
      { streamName: "orders", role: "source" },
      { streamName: "by-user", role: "between" },
      { streamName: "totals", role: "between" },
      { streamName: "alerts", role: "sink" },
      { streamName: "large", role: "sink" },
    ]);
    expect(
      after.edges.map(({ stage, operators, groupName }) => [stage, groupName, operators]),
    ).toEqual([
      ["orders-to-by-user", "shop.orders-to-by-user", ["filter", "keyBy"]],
      ["by-user-to-totals", "shop.by-user-to-totals", ["aggregate"]],
      ["totals-to-alerts", "shop.totals-to-alerts", ["flatMap"]],
      ["orders-to-large", "shop.orders-to-large", ["filter", "map"]],
    ]);
    await pipeline.stop();
    expect(pipeline.running).toBe(false);
    await putOrders(source, 50, 60);
    const [first] = (await pipeline.describe()).edges;
    expect(first?.lagRecords).toBeGreaterThanOrEqual(10);
    await pipeline.start();
    await until(() => isDone(pipeline));
    expect(await problemsOf(engine, 60)).toEqual([]);
    await pipeline.delete();
    expect(await engine.groups.list()).toEqual([]);
  });

  it("refuses what is no graph of stages", async () => {
    const { engine } = await opened();
    const empty = keep(await engine.pipeline("empty"));
    expect(await failureOf(empty.start())).toBeInstanceOf(InvalidArgumentError);
    const circle = keep(await engine.pipeline("circle"));
    circle.from("numbers").to("a").to("b").to("numbers");
    expect(await failureOf(circle.start())).toMatchObject({
      value: "numbers -> a -> b -> numbers",
    });
    expect((await engine.streams.list()).map(({ name }) => name)).toEqual(["numbers"]);
    const lost = keep(await engine.pipeline("lost"));
    lost.from("nowhere").to("a");
    expect(await failureOf(lost.start())).toBeInstanceOf(ResourceNotFoundError);
    expect(await failureOf(engine.pipeline("no spaces"))).toBeInstanceOf(InvalidArgumentError);
    const bad = await engine.pipeline("bad");
    const flow = bad.from("numbers");
    expect(() => flow.map("x" as never)).toThrow(InvalidArgumentError);
    expect(() => flow.aggregate({ initial: () => 0 } as never)).toThrow(InvalidArgumentError);
    expect(() => flow.to("a b")).toThrow(InvalidArgumentError);
    expect(() => flow.to("a", { format: "xml" as never })).toThrow(InvalidArgumentError);
    expect(() => flow.to("a", { shards: 0 })).toThrow(InvalidArgumentError);
    expect(() => bad.from("numbers", { fromm: 1 } as never)).toThrow(InvalidArgumentError);
    flow.to("a");
    expect(() => flow.to("a")).toThrow(InvalidArgumentError);
    flow.to("a", { stage: "again" });
    await bad.start();
    keep(bad);
    expect(await failureOf(bad.start())).toBeInstanceOf(ResourceInUseError);
  });

  it("tells of a function that throws, keeps its stage alone waiting, and goes on", async () => {
    const { engine, stream } = await opened();
    await putNumbers(stream, 0, 20);
    const pipeline = keep(await engine.pipeline("p"));
    let failures = 3;
    pipeline
      .from<number>("numbers")
      .aggregate<number, number>({ initial: () => 0, add: (sum, value) => sum + value })
      .map((sum) => {
        if (failures > 0 && sum > 20) {
          failures -= 1;
          throw new Error("too large, just now");
        }
        return sum;
      })
      .to("sums");
    pipeline.from<number>("numbers").to("copies");
    const events: PipelineEvent[] = [];
    pipeline.onEvent((event) => events.push(event));
    await pipeline.start({ retryMs: 1 });
    await until(() => isDone(pipeline));
    const failed = events.filter(({ kind }) => kind === "processing-failed");
    expect(failed.map(({ stage }) => stage)).toEqual(Array(3).fill("numbers-to-sums"));
    const sums = await readAll(await engine.streams.get("sums"));
    const groups = byKey(sums.map((one) => [one.partitionKey, one.text()]));
    // What was added before it threw was added once.
    for (let key = 0; key < 9; key++) {
      expect(groups.get(`key-${key}`)).toEqual([`${key}`, `${2 * key + 11}`]);
    }
    expect(await readAll(await engine.streams.get("copies"))).toHaveLength(20);
  });

  it("puts what cannot be read into the dead-letter stream, when there is one", async () => {
    const { engine, stream } = await opened();
    await engine.streams.create("letters");
    await stream.putRecord({ partitionKey: "k", data: "no JSON" });
    const pipeline = keep(await engine.pipeline("p"));
    pipeline.from<number>("numbers").to("copies");
    await pipeline.start({ attemptsMax: 2, retryMs: 1, deadLetter: { streamName: "letters" } });
    await until(() => isDone(pipeline));
    await putNumbers(stream, 0, 5);
    await until(async () => (await readAll(await engine.streams.get("copies"))).length === 5);
    expect(await readAll(await engine.streams.get("letters"))).toHaveLength(1);
  });

  it("puts any number of outputs of one delivery, in epochs of the size that fits", async () => {
    const { engine, stream } = await opened();
    await putNumbers(stream, 0, 40);
    const pipeline = keep(await engine.pipeline("p"));
    const filler = Array.from({ length: 4000 }, () => Math.random().toString(36).slice(2)).join("");
    pipeline
      .from<number>("numbers")
      .flatMap((value) => Array.from({ length: 10 }, (_, i) => `${value}/${i}/${filler}`))
      .to("many", { format: "text" });
    await pipeline.start();
    await until(() => isDone(pipeline));
    const many = await readAll(await engine.streams.get("many"));
    expect(new Set(many.map((one) => one.text().slice(0, 6))).size).toBe(400);
    expect(many).toHaveLength(400);
    const [edge] = (await pipeline.describe()).edges;
    expect(edge?.group?.leases[0]?.epoch).toBeGreaterThan(5);
  });

  it("gives outputs that are too large together an epoch each, and their state with them", async () => {
    const { engine, stream } = await opened();
    await engine.streams.create("large", { recordKibMax: 10_240 });
    const sizes = [2_000_000, 7_000_000, 3_500_000, 9_000_000, 1];
    // Characters of two bytes each, of one delivery.
    const records = sizes.map((bytes) => ({ partitionKey: "k", data: `${bytes >> 1}` }));
    await stream.putRecords(records);
    // The second epoch is refused once: what goes with it must not have been stored by the first one.
    const client = new TroubledClient(clientOf(engine));
    const pipeline = keep(new OwnPipeline(client, "p"));
    pipeline
      .from<number>("numbers")
      .aggregate<number[], string>({
        initial: () => [],
        add: (list, characters) => [...list, characters],
        result: (list) => `${list.length}${"é".repeat(list.at(-1) ?? 0)}`,
      })
      .to("large", { format: "text" });
    await pipeline.start({ retryMs: 1 });
    await until(() => isDone(pipeline));
    const texts = (await readAll(await engine.streams.get("large"))).map((one) => one.text());
    expect(texts.map((text) => [text[0], text.length - 1])).toEqual(
      sizes.map((bytes, i) => [`${i + 1}`, bytes >> 1]),
    );
  });
});

describe("an aggregation", () => {
  it("keeps the state of each key over restarts, splits and merges", async () => {
    const { engine, stream } = await opened();
    const sum = async () => {
      const pipeline = keep(await engine.pipeline("p"));
      pipeline
        .from<number>("numbers")
        .aggregate<number, number>({ initial: () => 0, add: (before, value) => before + value })
        .to("sums");
      await pipeline.start();
      return pipeline;
    };
    const first = await sum();
    await putNumbers(stream, 0, 300, 37);
    await until(() => isDone(first));
    await first.stop();
    const [left, right] = await stream.split(SHARD_0);
    await putNumbers(stream, 300, 600, 37);
    const second = await sum();
    await until(() => isDone(second));
    await stream.merge(left?.shardId ?? "", right?.shardId ?? "");
    await putNumbers(stream, 600, 900, 37);
    await until(async () => (await readAll(await engine.streams.get("sums"))).length === 900);
    const sums = await readAll(await engine.streams.get("sums"));
    const groups = byKey(sums.map((one) => [one.partitionKey, one.text()]));
    for (let key = 0; key < 37; key++) {
      let total = 0;
      const expected: string[] = [];
      for (let value = key; value < 900; value += 37) {
        total += value;
        expected.push(`${total}`);
      }
      expect(groups.get(`key-${key}`)).toEqual(expected);
    }
  });

  it("forgets a key whose state becomes null, and puts out what is asked for", async () => {
    const { engine, stream } = await opened();
    await putNumbers(stream, 0, 40, 4);
    const pipeline = keep(await engine.pipeline("p"));
    pipeline
      .from<number>("numbers")
      .aggregate<number[], number[]>({
        initial: () => [],
        add: (list, value) => (list.length === 3 ? null : [...list, value]),
        result: (list) => (list.length === 3 ? list : undefined),
      })
      .to("triples");
    await pipeline.start();
    await until(() => isDone(pipeline));
    const triples = await readAll(await engine.streams.get("triples"));
    const groups = byKey(triples.map((one) => [one.partitionKey, one.text()]));
    expect(groups.get("key-1")).toEqual(["[1,5,9]", "[17,21,25]"]);
  });

  it("moves the state of more keys than one epoch takes when its shard is split", async () => {
    const { engine, stream } = await opened();
    const keys = 4500;
    await putNumbers(stream, 0, keys, keys);
    await stream.split(SHARD_0);
    await putNumbers(stream, keys, 2 * keys, keys);
    const pipeline = keep(await engine.pipeline("p"));
    pipeline
      .from<number>("numbers")
      .aggregate<number, number>({ initial: () => 0, add: (sum, value) => sum + value })
      .to("sums");
    await pipeline.start();
    const sums = async () => await readAll(await engine.streams.get("sums"));
    await until(async () => (await sums()).length === 2 * keys, 60_000);
    const groups = byKey((await sums()).map((one) => [one.partitionKey, one.text()]));
    for (let key = 0; key < keys; key++) {
      expect(groups.get(`key-${key}`)).toEqual([`${key}`, `${2 * key + keys}`]);
    }
  }, 90_000);
});
