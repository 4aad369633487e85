/** Jobs in real workers beside an engine over real IndexedDB: they run, they end in every way, the engine's worker ends. */
import { assert } from "chai";
import type { JobDefinition, JobDescription, Millrace } from "millrace";
import { closeAll, fileHere, openEngine, readTexts } from "../sdk/support.ts";

/** How long anything may take, on a busy machine. */
const UNTIL_MS_MAX = 15_000;

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = performance.now() + UNTIL_MS_MAX;
  while (performance.now() < endMs) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`${what}: not within ${UNTIL_MS_MAX} ms`);
}

async function untilJob(
  engine: Millrace,
  name: string,
  holds: (job: JobDescription) => boolean,
): Promise<JobDescription> {
  let last = await engine.jobs.describe(name);
  await until(`${name} is as wanted`, async () => {
    last = await engine.jobs.describe(name);
    return holds(last);
  });
  return last;
}

function job(name: string, more: Partial<JobDefinition> = {}): JobDefinition {
  const options = { from: "TRIM_HORIZON", failoverMs: 600_000 } as const;
  return {
    ...{ module: fileHere("../jobs/job-modules.js"), export: name },
    ...{ settings: { to: "out", endAt: "57" }, restart: { firstMs: 50 } },
    group: { streamName: "in", options },
    ...more,
  };
}

function numbered(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => ({
    partitionKey: crypto.randomUUID(),
    data: `${from + i}`,
  }));
}

async function openHost() {
  const engine = await openEngine({ jobs: true });
  const input = await engine.streams.ensure("in", { shards: 2 });
  return { engine, input, output: await engine.streams.ensure("out") };
}

/** Every record is copied, and once. */
async function untilCopied(engine: Millrace, records: number): Promise<void> {
  const output = await engine.streams.get("out");
  const numbers = async () => (await readTexts(output)).map(Number);
  await until("all is copied", async () => (await numbers()).length >= records);
  assert.deepEqual(
    (await numbers()).sort((a, b) => a - b),
    Array.from({ length: records }, (_, i) => i),
  );
}

afterEach(closeAll);

it("a job runs in a worker of its own, stops and goes on", async () => {
  const { engine, input } = await openHost();
  await engine.jobs.define("copies", job("copy"));
  await input.putRecords(numbered(0, 100));
  await untilCopied(engine, 100);
  const running = await untilJob(engine, "copies", ({ records }) => records === 100);
  assert.equal(running.state, "running");
  assert.equal(running.hostId, (await engine.member()).memberId);
  assert.deepEqual(running.log, ["begun"]);
  await engine.jobs.stop("copies");
  await input.putRecords(numbered(100, 150));
  await engine.jobs.start("copies");
  await untilCopied(engine, 150);
}).timeout(60_000);

it("a worker that ends itself is followed by another one, which goes on after the last checkpoint", async () => {
  const { engine, input } = await openHost();
  await engine.jobs.define("copies", job("copyAndEnd"));
  await input.putRecords(numbered(0, 100));
  const { lastError } = await untilJob(engine, "copies", ({ restarts }) => restarts > 0);
  assert.match(lastError?.message ?? "", /it ended by itself/);
  await input.putRecords(numbered(100, 200));
  await untilCopied(engine, 200);
}).timeout(60_000);

it("what is thrown or rejected outside of a delivery ends the worker, and so does an endless loop", async () => {
  const { engine, input } = await openHost();
  const restart = { firstMs: 60_000, stallMs: 3000 };
  await engine.jobs.define("throws", job("throwsLater", { restart }));
  await engine.jobs.define("rejects", job("rejectsLater", { restart }));
  await engine.jobs.define("spins", job("spin", { restart }));
  await engine.jobs.define("copies", job("copy"));
  await input.putRecords(numbered(0, 100));
  await untilCopied(engine, 100);
  for (const [name, why] of [
    ["throws", /thrown outside of any call/],
    ["rejects", /rejected outside of any call/],
    ["spins", /it stalled/],
  ] as const) {
    const { lastError } = await untilJob(engine, name, ({ state }) => state === "restarting");
    assert.match(lastError?.message ?? "", why);
  }
  const spins = await engine.groups.get("spins");
  await until("its leases are free", async () =>
    (await spins.describe()).leases.every(({ owner }) => owner === null),
  );
  const { state, restarts } = await engine.jobs.describe("copies");
  assert.deepEqual({ state, restarts }, { state: "running", restarts: 0 });
}).timeout(60_000);

it("a job goes on in its worker when the engine's worker is replaced", async () => {
  let worker: Worker | undefined;
  const made = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      worker ??= this;
    }
  };
  const [real] = [globalThis.Worker];
  globalThis.Worker = made;
  try {
    const { engine, input } = await openHost();
    await engine.jobs.define("copies", job("copy"));
    await input.putRecords(numbered(0, 100));
    await untilCopied(engine, 100);
    const before = await engine.jobs.describe("copies");
    worker?.terminate();
    await input.putRecords(numbered(100, 200));
    await untilCopied(engine, 200);
    const after = await untilJob(engine, "copies", ({ state }) => state === "running");
    assert.equal(after.workers[0]?.workerId, before.workers[0]?.workerId);
    assert.equal(after.restarts, 0);
  } finally {
    globalThis.Worker = real;
  }
}).timeout(60_000);

it("a job with a script that is not there is told what is wrong", async () => {
  const engine = await openEngine({ jobs: true, jobsWorker: "/nowhere/jobs-worker.js" });
  await engine.streams.ensure("in");
  const restart = { firstMs: 60_000 };
  await engine.jobs.define("copies", job("copy", { restart }));
  const { lastError } = await untilJob(engine, "copies", ({ state }) => state === "restarting");
  assert.match(lastError?.message ?? "", /its script could not be loaded/);
}).timeout(60_000);
