/** Pipelines whose stages are jobs, in real threads: deployed, changed, moved, removed, and what is refused. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  InvalidArgumentError,
  type Millrace,
  ResourceInUseError,
  ResourceNotFoundError,
} from "millrace";
import { afterAll, afterEach, assert, beforeAll, it } from "vitest";
import { put, sorted, texts, until } from "../groups/support.ts";
import {
  bundleWorker,
  JOBS_MODULE,
  makeStreams,
  openHost,
  removeWorker,
  untilJob,
  untilOut,
} from "../jobs/support.ts";
import { failureOf, openEngine, readAll } from "../support.ts";
import { buildDag, isDone, problemsOf, putOrders, SOURCE } from "./dag.ts";
import {
  bundlePipelines,
  deploymentOf,
  removePipelines,
  stageOf,
  untilPipeline,
} from "./jobs-support.ts";

beforeAll(async () => {
  await bundleWorker();
  await bundlePipelines();
}, 60_000);
afterAll(async () => {
  await removeWorker();
  await removePipelines();
});

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function textsOf(engine: Millrace, name: string): Promise<string[]> {
  return sorted((await readAll(await engine.streams.get(name))).map((one) => one.text()));
}

it("a pipeline that is deployed is a graph of jobs, and each record counts once", async () => {
  const engine = await openHost();
  const source = await engine.streams.ensure(SOURCE);
  await putOrders(source, 0, 2000);
  const { name, nodes, edges } = await engine.pipelines.deploy("shop", await deploymentOf("shop"));
  assert.equal(name, "shop");
  assert.deepEqual(
    edges.map(({ stage, operators, from, to }) => [stage, operators.join(), from, to]),
    [
      ["by-user-to-totals", "aggregate", "by-user", "totals"],
      ["orders-to-by-user", "filter,keyBy", "orders", "by-user"],
      ["orders-to-large", "filter,map", "orders", "large"],
      ["totals-to-alerts", "flatMap", "totals", "alerts"],
    ],
  );
  const roles = new Map(nodes.map(({ streamName, role }) => [streamName, role]));
  assert.equal(roles.get("orders"), "source");
  assert.equal(roles.get("totals"), "between");
  assert.equal(roles.get("alerts"), "sink");
  const jobs = (await engine.jobs.list()).map((job) => [job.name, job.groupName]);
  const names = edges.map(({ groupName }) => groupName);
  assert.deepEqual(
    jobs,
    names.map((one) => [one, one]),
  );
  assert.equal(names[0], "shop.by-user-to-totals");
  assert.deepEqual(await engine.pipelines.list(), ["shop"]);
  const running = await untilPipeline(engine, "shop", (one) =>
    one.edges.every(({ job }) => job.state === "running"),
  );
  assert.isTrue(running.edges.every(({ job }) => job.hostId !== undefined));
  await untilPipeline(engine, "shop", (one) => one.edges.every((edge) => edge.lagRecords === 0));
  assert.deepEqual(await problemsOf(engine, 2000), []);
});

it("a pipeline moves from a page to jobs and back, also while both run", async () => {
  const engine = await openHost();
  const source = await engine.streams.ensure(SOURCE);
  const page = await buildDag(engine, 2);
  await page.start({ batchRecordsMax: 100 });
  await putOrders(source, 0, 1500);
  await until(async () => (await page.describe()).edges.some(({ lagRecords }) => lagRecords > 0));
  await engine.pipelines.deploy("shop", await deploymentOf("shop"));
  await untilPipeline(engine, "shop", (one) =>
    one.edges.every(({ job }) => job.state === "running"),
  );
  await putOrders(source, 1500, 2000);
  await page.stop();
  await putOrders(source, 2000, 3000);
  await until(async () => await isDone(page), 60_000);
  await untilPipeline(engine, "shop", ({ edges }) => edges.every(({ job }) => job.records > 0));
  await putOrders(source, 3000, 4000);
  await engine.pipelines.remove("shop");
  assert.deepEqual(await engine.jobs.list(), []);
  await page.start({ batchRecordsMax: 100 });
  await putOrders(source, 4000, 4500);
  await until(async () => await isDone(page), 60_000);
  await page.stop();
  assert.deepEqual(await problemsOf(engine, 4500), []);
});

it("a later engine goes on with the stages, and one that hosts none knows them without their module", async () => {
  const directory = await mkdtemp(join(tmpdir(), "millrace-deployment-"));
  folders.push(directory);
  const options = { storage: "file", directory, name: "deployment" } as const;
  const first = await openHost(options);
  const { input } = await makeStreams(first, 2);
  // A worker that was joining when the engine was closed has left nothing: its leases wait this long.
  await first.pipelines.deploy("two", await deploymentOf("twoStages", { failoverMs: 2000 }));
  await put(input, 0, 500);
  await untilOut(first, 100);
  await first.close();
  const without = await openEngine(options);
  const waiting = await without.pipelines.describe("two");
  assert.deepEqual(
    waiting.edges.map(({ stage, from, to, job }) => [stage, from, to, job.state]),
    [
      ["first", "in", "out", "waiting"],
      ["second", "in", "other", "waiting"],
    ],
  );
  await put(await without.streams.get("in"), 500, 550);
  await without.close();
  const second = await openHost(options);
  assert.deepEqual(sorted(await untilOut(second, 550)), texts(0, 550));
  await until(async () => (await textsOf(second, "other")).length >= 550);
  assert.deepEqual(await textsOf(second, "other"), texts(0, 550));
});

it("a stage that throws waits alone, and goes on when it is deployed mended", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  await put(input, 0, 20);
  await engine.pipelines.deploy("two", await deploymentOf("twoStages", { variant: "poison=7" }));
  const failing = await untilPipeline(
    engine,
    "two",
    (one) => stageOf(one, "first").job.lastError !== undefined,
  );
  assert.match(stageOf(failing, "first").job.lastError?.message ?? "", /met 7/);
  await until(async () => (await textsOf(engine, "other")).length === 20);
  assert.deepEqual(await textsOf(engine, "out"), []);
  await engine.pipelines.deploy("two", await deploymentOf("twoStages", { variant: "mended" }));
  assert.deepEqual(sorted(await untilOut(engine, 20)), texts(0, 20));
  await put(input, 20, 30);
  assert.deepEqual(sorted(await untilOut(engine, 30)), texts(0, 30));
  assert.lengthOf(await textsOf(engine, "out"), 30);
});

it("a stage that ends its thread is begun again and again, and the others go on", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  await put(input, 0, 20);
  await engine.pipelines.deploy("two", await deploymentOf("twoStages", { variant: "crash=7" }));
  const failing = await untilPipeline(
    engine,
    "two",
    (one) => stageOf(one, "first").job.restarts > 1,
  );
  assert.match(stageOf(failing, "first").job.lastError?.message ?? "", /crashed at 7/);
  await until(async () => (await textsOf(engine, "other")).length === 20);
  assert.equal(stageOf(await engine.pipelines.describe("two"), "second").job.restarts, 0);
  await engine.pipelines.deploy("two", await deploymentOf("twoStages", { variant: "mended" }));
  assert.deepEqual(sorted(await untilOut(engine, 20)), texts(0, 20));
});

it("what a stage cannot take goes to the dead-letter stream of its deployment", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  const dead = await engine.streams.create("dead");
  await put(input, 0, 20);
  const deadLetter = { streamName: "dead" };
  const worker = { attemptsMax: 2, retryMs: 1, batchRecordsMax: 1, deadLetter };
  const deployment = await deploymentOf("twoStages", { variant: "poison=7", worker });
  await engine.pipelines.deploy("two", deployment);
  const wanted = texts(0, 20).filter((text) => text !== "7");
  assert.deepEqual(sorted(await untilOut(engine, 19)), wanted);
  assert.lengthOf(await readAll(dead), 1);
});

it("deployed again, what is the same stays, what went is deleted, and what changed begins anew", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  const first = await engine.pipelines.deploy("two", await deploymentOf("twoStages"));
  const same = await engine.pipelines.deploy("two", await deploymentOf("twoStages"));
  const versions = (edges: typeof first.edges) => edges.map(({ job }) => job.version);
  assert.deepEqual(versions(same.edges), versions(first.edges));
  const changed = await engine.pipelines.deploy(
    "two",
    await deploymentOf("twoStages", { variant: "second=third" }),
  );
  assert.deepEqual(
    changed.edges.map(({ stage }) => stage),
    ["first", "third"],
  );
  assert.isAbove(stageOf(changed, "first").job.version, stageOf(same, "first").job.version);
  assert.deepEqual(
    (await engine.jobs.list()).map(({ name }) => name),
    ["two.first", "two.third"],
  );
  // A stage that comes back goes on where it was.
  const groups = async () => (await engine.groups.list()).map(({ name }) => name);
  assert.deepEqual(await groups(), ["two.first", "two.second", "two.third"]);
  await put(input, 0, 10);
  assert.deepEqual(sorted(await untilOut(engine, 10)), texts(0, 10));
  await engine.pipelines.remove("two", { groups: true });
  assert.deepEqual(await engine.jobs.list(), []);
  assert.deepEqual(await groups(), ["two.second"]);
  assert.deepEqual(await engine.pipelines.list(), []);
});

it("stages may be written down later, and run in several workers", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine, 4);
  const { edges } = await engine.pipelines.deploy("l", await deploymentOf("later", { workers: 2 }));
  assert.deepEqual(
    edges.map(({ groupName }) => groupName),
    ["l.in-to-out"],
  );
  await put(input, 0, 100);
  assert.deepEqual(sorted(await untilOut(engine, 100)), texts(0, 100));
  await untilJob(engine, "l.in-to-out", ({ workers }) => workers.length === 2);
});

it("refuses what is no pipeline, and makes nothing then", async () => {
  const engine = await openEngine();
  await makeStreams(engine);
  const deploy = async (name: string, more = {}, pipeline = "p") =>
    await engine.pipelines.deploy(pipeline, await deploymentOf(name, more));
  const refused = [
    ["none", {}, /definition\.export must be the name of an export that definePipeline made/],
    ["number", {}, /definition\.export/],
    ["default", {}, /definition\.export/],
    ["circle", {}, /must not lead back: in -> out -> in/],
    ["twins", {}, /options\.stage must be another one for each stage/],
    ["empty", {}, /of one stage or more/],
    ["twoStages", { module: "file:///nowhere.mjs" }, /a module that can be loaded/],
    ["twoStages", { module: "https://elsewhere.example/a.js" }, /definition\.module/],
    ["twoStages", { worker: { workerId: "w" } }, /unknown member "workerId"/],
    ["twoStages", { workers: 0 }, /definition\.workers/],
    ["twoStages", { settings: 1 }, /unknown member "settings"/],
    ["twoStages", { failoverMs: 1 }, /failoverMs/],
  ] as const;
  for (const [name, more, what] of refused) {
    const failure = await failureOf(deploy(name, more));
    assert.instanceOf(failure, InvalidArgumentError);
    assert.match((failure as Error).message, what);
  }
  assert.match(String(await failureOf(deploy("twoStages", {}, "a.b"))), /a name without a dot/);
  assert.instanceOf(await failureOf(deploy("fails")), RangeError);
  assert.instanceOf(await failureOf(deploy("shop")), ResourceNotFoundError);
  assert.deepEqual(await engine.jobs.list(), []);
  assert.instanceOf(await failureOf(engine.pipelines.describe("p")), ResourceNotFoundError);
  assert.instanceOf(await failureOf(engine.pipelines.remove("p")), ResourceNotFoundError);
});

it("takes no job that is no stage of it", async () => {
  const engine = await openEngine();
  await makeStreams(engine);
  const group = { streamName: "in" };
  await engine.jobs.define("two.first", { module: JOBS_MODULE, export: "copy", group });
  const failure = await failureOf(engine.pipelines.deploy("two", await deploymentOf("twoStages")));
  assert.instanceOf(failure, ResourceInUseError);
  assert.deepEqual(
    (await engine.jobs.list()).map(({ name, export: exported }) => [name, exported]),
    [["two.first", "copy"]],
  );
  assert.deepEqual(await engine.pipelines.list(), []);
});

it("a job whose settings name no stage of its module fails, and says so", async () => {
  const engine = await openHost();
  await makeStreams(engine);
  const { module, export: exported } = await deploymentOf("twoStages");
  const define = async (
    name: string,
    settings: { readonly [member: string]: string | string[] },
  ) => {
    const restart = { firstMs: 10, attemptsMax: 1 };
    const group = { streamName: "in", name: `group-of-${name}` };
    await engine.jobs.define(name, { module, export: exported ?? "", settings, group, restart });
    const failed = await untilJob(engine, name, ({ state }) => state === "failed");
    return failed.lastError?.message ?? "";
  };
  const operators = ["map"];
  const unknown = { pipeline: "two", stage: "fourth", to: "out", operators };
  assert.match(await define("a", unknown), /has no stage "fourth"; it has first, second/);
  const moved = { pipeline: "two", stage: "first", to: "elsewhere", operators };
  assert.match(await define("b", moved), /deployed from in to elsewhere, .* in to out/);
  assert.match(await define("c", { stage: "first" }), /settings must be those of a stage/);
});
