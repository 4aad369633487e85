/** Triggers as jobs, in real threads: what their handlers get, what they give up, and what is wrong with their options. */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { JobDefinition, KinesisEvent } from "millrace";
import { rolldown } from "rolldown";
import { afterAll, assert, beforeAll, beforeEach, it } from "vitest";
import { encodeAggregate } from "../../src/aggregation/index.ts";
import { put, sorted, texts, until } from "../groups/support.ts";
import { bundleWorker, openHost, removeWorker, untilJob } from "../jobs/support.ts";
import { readAll } from "../support.ts";
import { keepTrigger, QUICK, textsOf } from "./support.ts";

const PARENT = fileURLToPath(new URL("../../../build/jobs/", import.meta.url));
let folder = "";

beforeAll(async () => {
  await bundleWorker();
  await mkdir(PARENT, { recursive: true });
  folder = await mkdtemp(join(PARENT, "triggers-"));
  const bundle = await rolldown({
    input: fileURLToPath(new URL("trigger-modules.ts", import.meta.url)),
    external: [/^node:/],
    platform: "node",
    resolve: { conditionNames: ["@millrace/source", "node", "import"] },
    onLog: () => undefined,
  });
  await bundle.write({ file: join(folder, "module.mjs"), format: "esm", codeSplitting: false });
  await bundle.close();
}, 60_000);
afterAll(async () => {
  await removeWorker();
  await rm(folder, { force: true, recursive: true });
});
beforeEach(async () => {
  await rm(join(folder, "done"), { force: true });
});

/** The job of one of the tests' triggers, over stream `clicks`. */
function triggerOf(name: string): JobDefinition {
  const group = {
    streamName: "clicks",
    options: { from: "TRIM_HORIZON", failoverMs: 60_000 },
  } as const;
  const restart = { firstMs: 10, attemptsMax: 1, stallMs: 15_000 };
  return { module: pathToFileURL(join(folder, "module.mjs")), export: name, group, restart };
}

/** The batches that handlers in threads are done with. */
async function done(): Promise<{ texts: string[]; functionName: string }[]> {
  const lines = await readFile(join(folder, "done"), "utf8").catch(() => "");
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

async function untilDone(records: number): Promise<string[]> {
  let found: string[] = [];
  await until(async () => {
    found = (await done()).flatMap((batch) => batch.texts);
    return found.length >= records;
  });
  return found;
}

it("a trigger that is a job hands batches over, and checkpoints them", async () => {
  const engine = await openHost();
  const stream = await engine.streams.create("clicks", { shards: 2 });
  await put(stream, 100, 200);
  await engine.jobs.define("audit", triggerOf("tens"));
  assert.deepEqual(sorted(await untilDone(100)), texts(100, 200));
  for (const { texts: batch, functionName } of await done()) {
    assert.isAtMost(batch.length, 10);
    assert.equal(functionName, "audit");
  }
  await untilJob(engine, "audit", ({ lagRecords }) => lagRecords === 0);
});

it("a trigger that is a job gets an aggregate as it is stored, whatever its definition says", async () => {
  const engine = await openHost();
  const stream = await engine.streams.create("clicks");
  const members = ["a", "b", "c"].map((text) => ({
    ...{ partitionKey: "key", data: new TextEncoder().encode(text), tags: [] },
  }));
  await stream.putRecord({ partitionKey: "key", data: encodeAggregate(members) });
  await put(stream, 100, 101);
  const worker = { deaggregate: true, checkpoints: "batch" } as const;
  await engine.jobs.define("audit", { ...triggerOf("tens"), worker });
  const [aggregate, last] = await untilDone(2);
  assert.isAbove(aggregate?.length ?? 0, 20);
  assert.equal(last, "100");
  assert.lengthOf(
    (await done()).flatMap((batch) => batch.texts),
    2,
  );
});

it("a trigger moves from a page to a job and back, and none of its records comes twice", async () => {
  const engine = await openHost();
  const stream = await engine.streams.create("clicks", { shards: 2 });
  const inPage: string[] = [];
  const handler = (event: KinesisEvent): void => {
    inPage.push(...textsOf(event));
  };
  const options = { ...QUICK, name: "audit" };
  const first = keepTrigger(await stream.trigger(handler, options));
  await put(stream, 100, 150);
  await until(() => inPage.length === 50);
  await first.stop();
  await engine.jobs.define("audit", triggerOf("tens"));
  await put(stream, 150, 200);
  assert.deepEqual(sorted(await untilDone(50)), texts(150, 200));
  await untilJob(engine, "audit", ({ lagRecords }) => lagRecords === 0);
  await engine.jobs.delete("audit");
  // Its worker may take some more records until it is told.
  await until(async () => (await first.group.describe()).workers.length === 0);
  keepTrigger(await stream.trigger(handler, options));
  await put(stream, 200, 250);
  await until(() => inPage.length === 100);
  assert.deepEqual(sorted(inPage), [...texts(100, 150), ...texts(200, 250)]);
  assert.lengthOf(
    (await done()).flatMap((batch) => batch.texts),
    50,
  );
});

it("what a handler refuses is given up as in a page, and the job says so", async () => {
  const engine = await openHost();
  const stream = await engine.streams.create("clicks");
  const failures = await engine.streams.create("failures");
  await put(stream, 0, 20);
  await engine.jobs.define("audit", triggerOf("picky"));
  const wanted = texts(0, 20).filter((text) => text !== "7");
  assert.deepEqual(sorted(await untilDone(19)), wanted);
  assert.equal((await done())[0]?.functionName, "picky-one");
  const job = await untilJob(engine, "audit", ({ lagRecords }) => lagRecords === 0);
  const [letter, ...others] = (await readAll(failures)).map((record) => JSON.parse(record.text()));
  assert.lengthOf(others, 0);
  assert.equal(letter.requestContext.condition, "RetryAttemptsExhausted");
  assert.equal(letter.KinesisBatchInfo.batchSize, 1);
  assert.match(letter.requestContext.functionArn, /:function:picky-one$/);
  const told = await untilJob(engine, "audit", ({ log }) => log.length > 0);
  assert.deepEqual(told.log, [
    "1 records of shardId-000000000000 were discarded: RetryAttemptsExhausted",
  ]);
  assert.match(told.lastError?.message ?? "", /7 is not wanted/);
  assert.equal(job.restarts, 0);
});

for (const [name, what] of [
  ["filtered", /options\.filter/],
  ["named", /unknown member "name"/],
  ["nowhere", /none/],
  ["noHandler", /handler must be a function/],
] as const) {
  it(`a trigger whose options cannot be (${name}) fails, and says why`, async () => {
    const engine = await openHost();
    const stream = await engine.streams.create("clicks");
    await put(stream, 0, 5);
    await engine.jobs.define("audit", triggerOf(name));
    const failed = await untilJob(engine, "audit", ({ state }) => state === "failed");
    assert.match(failed.lastError?.message ?? "", what);
    assert.deepEqual(await done(), []);
  });
}
