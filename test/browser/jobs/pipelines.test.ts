/** Pipelines and triggers as jobs in real workers: the page and the workers load the same module. */
import { assert } from "chai";
import type { Millrace } from "millrace";
import { closeAll, failureOf, fileHere, openEngine, readTexts } from "../sdk/support.ts";

/** How long anything may take, on a busy machine. */
const UNTIL_MS_MAX = 30_000;
const MODULE = fileHere("../jobs/pipeline-modules.js");
const RESTART = { firstMs: 50 } as const;

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + UNTIL_MS_MAX;
  while (performance.now() < endMs) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`${what}: not within ${UNTIL_MS_MAX} ms`);
}

function numbered(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => ({
    partitionKey: crypto.randomUUID(),
    data: `${from + i}`,
  }));
}

async function textsOf(engine: Millrace, name: string): Promise<string[]> {
  return await readTexts(await engine.streams.get(name));
}

afterEach(closeAll);

it("a pipeline runs as jobs, is deployed again, and goes on where it was", async () => {
  const engine = await openEngine({ jobs: true });
  const input = await engine.streams.ensure("in", { shards: 2 });
  await input.putRecords(numbered(0, 100));
  const deploy = (query: string) =>
    engine.pipelines.deploy("parity", {
      ...{ module: `${MODULE}${query}`, export: "parity", restart: RESTART },
    });
  const { edges } = await deploy("");
  assert.deepEqual(
    edges.map(({ stage, operators }) => `${stage}: ${operators.join()}`),
    ["by-parity-to-counts: aggregate", "in-to-by-parity: map,keyBy"],
  );
  await until("100 are counted", async () => (await textsOf(engine, "counts")).length === 100);
  const again = await deploy("?again");
  assert.isAbove(again.edges[0]?.job.version ?? 0, edges[0]?.job.version ?? 0);
  await input.putRecords(numbered(100, 200));
  await until("200 are counted", async () => (await textsOf(engine, "counts")).length >= 200);
  const counts = (await textsOf(engine, "counts")).map(Number).sort((a, b) => a - b);
  assert.deepEqual(
    counts,
    Array.from({ length: 200 }, (_, i) => Math.floor(i / 2) + 1),
  );
  await engine.pipelines.remove("parity");
  assert.deepEqual(await engine.jobs.list(), []);
}).timeout(90_000);

it("a module that exports no pipeline, or is not there, is refused", async () => {
  const engine = await openEngine();
  await engine.streams.ensure("in");
  for (const [module, exported] of [
    [MODULE, "evens"],
    [MODULE, "none"],
    [fileHere("../jobs/not-there.js"), "parity"],
    ["https://elsewhere.example/pipeline.js", "parity"],
  ] as const) {
    const failure = await failureOf(engine.pipelines.deploy("p", { module, export: exported }));
    assert.equal((failure as Error).name, "InvalidArgumentError");
  }
  assert.deepEqual(await engine.jobs.list(), []);
});

it("a trigger runs as a job", async () => {
  const engine = await openEngine({ jobs: true });
  const input = await engine.streams.ensure("in");
  await engine.streams.ensure("odd");
  await input.putRecords(numbered(0, 8));
  const group = { streamName: "in", options: { from: "TRIM_HORIZON" } } as const;
  await engine.jobs.define("evens", { module: MODULE, export: "evens", group, restart: RESTART });
  await until("odd ones are given up", async () => (await textsOf(engine, "odd")).length === 4);
  await until("it is done", async () => (await engine.jobs.describe("evens")).lagRecords === 0);
  const said = async () => (await engine.jobs.describe("evens")).lastError?.message ?? "";
  await until("it says why", async () => (await said()).includes("an odd number"));
  assert.equal((await engine.jobs.describe("evens")).restarts, 0);
}).timeout(60_000);
