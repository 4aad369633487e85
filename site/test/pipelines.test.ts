/** The site's pipeline: lines it understands, the places of its graph, its rates, and a run on a real engine. */
import { type Millrace, open, type PipelineDescription } from "millrace";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DEMO_STREAMS, demoPipeline } from "../src/pipelines/demo-pipeline.ts";
import { layoutOf } from "../src/pipelines/layout.ts";
import { requestIn } from "../src/pipelines/log-line.ts";
import { pipelineSamples } from "../src/pipelines/samples.ts";
import { StageRates } from "../src/pipelines/stage-rates.ts";

/** A busy machine takes its time to load an engine for the first time. */
const OPENING_MS = 30_000;

const line = (status: number, client = "1.2.3.4"): string =>
  `${client} - - [17/May/2015:10:05:03 +0000] "GET /a?b="c" HTTP/1.1" ${status} ${status === 304 ? "-" : 203} "-" "x"`;

describe("a line of the access log", () => {
  it("is a request, with no bytes where the log has a dash", () => {
    expect(requestIn(line(304))).toEqual({
      ...{ client: "1.2.3.4", method: "GET", path: '/a?b="c"', status: 304, bytes: 0 },
    });
    expect(requestIn(line(200))).toMatchObject({ status: 200, bytes: 203 });
  });

  it.each(["", "nothing", line(200).replace("GET", "get"), line(200).replace(" 200 ", " 2000 ")])(
    "is none: %s",
    (text) => {
      expect(requestIn(text)).toBeUndefined();
    },
  );
});

type Edge = PipelineDescription["edges"][number];

const edge = (stage: string, from: string, to: string, lagRecords = 0): Edge => ({
  ...{ stage, from, to, operators: [], groupName: stage, lagRecords, iteratorAgeMs: 0 },
  group: { definition: {} as never, leases: [], workers: [], expired: [] },
});

const node = (streamName: string): PipelineDescription["nodes"][number] => ({
  ...{ streamName, role: "between" },
});

describe("the places of a graph", () => {
  const edges = [
    edge("one", "a", "b"),
    edge("two", "b", "c"),
    edge("three", "b", "d"),
    edge("four", "c", "e"),
    edge("five", "a", "e"),
  ];
  const layout = layoutOf({ nodes: ["a", "b", "c", "d", "e"].map(node), edges });
  const at = (id: string) => layout.nodes.find((one) => one.id === id);

  it("go on from rank to rank, by the longest way", () => {
    for (const { from, to } of layout.links) expect(to.rank).toBeGreaterThan(from.rank);
    expect(at("stream e")?.rank).toBe(6);
    expect(at("stage five")?.rank).toBe(1);
    expect(layout.ranks).toBe(7);
    expect(layout.links).toHaveLength(2 * edges.length);
  });

  it("are taken once, and within the rows", () => {
    const taken = layout.nodes.map(({ rank, row }) => `${rank} ${row}`);
    expect(new Set(taken).size).toBe(layout.nodes.length);
    for (const { row } of layout.nodes) {
      expect(row).toBeGreaterThanOrEqual(0);
      expect(row).toBeLessThanOrEqual(layout.rows - 1);
    }
    expect(at("stream a")?.row).toBe((layout.rows - 1) / 2);
  });

  it("are none for a pipeline without stages", () => {
    expect(layoutOf({ nodes: [], edges: [] })).toMatchObject({ nodes: [], ranks: 0, rows: 0 });
  });
});

describe("the rate of a stage", () => {
  const reading = (perSecond: number) => [
    {
      description: { name: "a" },
      rates: [{ incomingRecordsPerSecond: perSecond }],
    } as never,
  ];
  const pipeline = (lagRecords: number): PipelineDescription => ({
    ...{ name: "p", running: true, nodes: [] },
    edges: [edge("one", "a", "b", lagRecords)],
  });

  it("is what came in less what the lag grew by", () => {
    const rates = new StageRates();
    expect(rates.perSecond({ stage: "one" })).toBe(0);
    rates.take(pipeline(0), reading(100), 0);
    expect(rates.perSecond({ stage: "one" })).toBe(0);
    rates.take(pipeline(60), reading(100), 1000);
    expect(rates.perSecond({ stage: "one" })).toBe(40);
    rates.take(pipeline(0), reading(0), 2000);
    expect(rates.perSecond({ stage: "one" })).toBe(50);
  });

  it("is never below nothing, and none without a group", () => {
    const rates = new StageRates();
    rates.take(pipeline(0), reading(0), 0);
    rates.take(pipeline(500), reading(0), 1000);
    expect(rates.perSecond({ stage: "one" })).toBe(0);
    const idle = new StageRates();
    const without = { ...pipeline(0), edges: [{ ...edge("one", "a", "b"), group: undefined }] };
    for (const nowMs of [0, 1000]) idle.take(without, reading(100), nowMs);
    expect(idle.perSecond({ stage: "one" })).toBe(0);
  });
});

describe("the site's pipeline", () => {
  let millrace: Millrace;

  beforeEach(async () => {
    millrace = await open({ name: "site-pipelines", storage: "memory" });
  }, OPENING_MS);

  afterEach(async () => {
    await millrace.close();
  });

  it("counts the requests of a log by status", async () => {
    const log = await millrace.streams.create("log", { shards: 2 });
    const pipeline = await demoPipeline(millrace, "log");
    await pipeline.start({ reads: "polling" });
    const statuses = [200, 200, 404, 304, 404, 200];
    const lines = [...statuses.map((status, i) => line(status, `10.0.0.${i}`)), "no request"];
    await log.putRecords(lines.map((data, i) => ({ partitionKey: String(i), data })));
    const counts = await millrace.streams.get(DEMO_STREAMS.counts);
    const latest: Record<string, number> = {};
    await vi.waitFor(
      async () => {
        for await (const record of counts.read({ from: "TRIM_HORIZON", until: "end" })) {
          const { status, requests } = JSON.parse(record.text());
          latest[status] = requests;
        }
        expect(latest).toEqual({ 200: 3, 304: 1, 404: 2 });
      },
      { timeout: 20_000, interval: 50 },
    );
    const description = await pipeline.describe();
    expect(description.nodes).toHaveLength(5);
    expect(layoutOf(description).links).toHaveLength(8);
    await pipeline.stop();
  });

  it("is written down in the code that is shown", () => {
    const [stages] = pipelineSamples("log");
    for (const name of Object.values(DEMO_STREAMS)) expect(stages?.code).toContain(`"${name}"`);
  });
});
