/** Jobs end to end in Node: defined, run in threads of their own, stopped, changed, resumed by a later engine. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EngineEvent, InvalidArgumentError, ResourceNotFoundError } from "millrace";
import { afterAll, afterEach, assert, beforeAll, it } from "vitest";
import { put, sorted, texts, until } from "../groups/support.ts";
import { failureOf, openEngine, readAll } from "../support.ts";
import {
  bundleWorker,
  job,
  makeStreams,
  openHost,
  removeWorker,
  untilJob,
  untilOut,
} from "./support.ts";

const folders: string[] = [];

beforeAll(bundleWorker, 60_000);
afterAll(removeWorker);
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

it("a job that is defined runs, is described, and stops", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine, 2);
  await put(input, 0, 100);
  const defined = await engine.jobs.define("copies", job("copy"));
  assert.equal(defined.name, "copies");
  assert.deepEqual(sorted(await untilOut(engine, 100)), texts(0, 100));
  const running = await untilJob(
    engine,
    "copies",
    ({ state, records, lagRecords }) => state === "running" && records === 100 && lagRecords === 0,
  );
  assert.equal(running.restarts, 0);
  assert.equal(running.groupName, "copies");
  assert.deepEqual(running.log, ["worker 0 copies to out"]);
  assert.deepEqual(
    (await engine.jobs.list()).map(({ name }) => name),
    ["copies"],
  );
  assert.equal((await engine.jobs.stop("copies")).state, "stopped");
  const group = await engine.groups.get("copies");
  assert.isUndefined((await engine.jobs.describe("copies")).hostId);
  await until(async () => (await group.describe()).workers.length === 0);
  await put(input, 100, 120);
  assert.isAbove((await engine.jobs.describe("copies")).lagRecords, 0);
  await engine.jobs.start("copies");
  assert.deepEqual(sorted(await untilOut(engine, 120)), texts(0, 120));
  await engine.jobs.delete("copies");
  assert.instanceOf(await failureOf(engine.jobs.describe("copies")), ResourceNotFoundError);
  assert.equal((await group.describe()).definition.streamName, "in");
});

it("a later engine over the same files goes on with the job, and each record is copied once", async () => {
  const directory = await mkdtemp(join(tmpdir(), "millrace-jobs-"));
  folders.push(directory);
  const options = { storage: "file", directory, name: "jobs" } as const;
  const first = await openHost(options);
  const { input } = await makeStreams(first, 2);
  await first.jobs.define("copies", job("copy"));
  await put(input, 0, 500);
  await untilOut(first, 100);
  await first.close();
  const without = await openEngine(options);
  const waiting = await without.jobs.describe("copies");
  assert.equal(waiting.state, "waiting");
  assert.isUndefined(waiting.hostId);
  await without.close();
  const second = await openHost(options);
  await put(await second.streams.get("in"), 500, 600);
  assert.deepEqual(sorted(await untilOut(second, 600)), texts(0, 600));
});

it("the same definition changes nothing, and another one has the job begin anew", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  await engine.streams.ensure("other", { shards: 1 });
  const { version } = await engine.jobs.define("copies", job("copy"));
  assert.equal((await engine.jobs.define("copies", job("copy"))).version, version);
  await put(input, 0, 10);
  await untilOut(engine, 10);
  const changed = await engine.jobs.define("copies", job("copy", { settings: { to: "other" } }));
  assert.isAbove(changed.version, version);
  await untilJob(engine, "copies", ({ log }) => log.includes("worker 0 copies to other"));
  await put(input, 10, 20);
  await untilJob(engine, "copies", ({ records }) => records === 10);
  const other = await engine.streams.get("other");
  assert.deepEqual(
    (await readAll(other)).map((record) => record.text()),
    texts(10, 20),
  );
});

it("two workers share the shards, and go on with one another's when one fails", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine, 4);
  await engine.jobs.define("copies", job("copy", { workers: 2 }));
  const group = await engine.groups.get("copies");
  await untilJob(engine, "copies", ({ state }) => state === "running");
  const both = await untilJob(engine, "copies", ({ workers }) => workers.length === 2);
  const owned = async () => (await group.describe()).workers.map(({ leases }) => leases);
  await until(async () => (await owned()).join() === "2,2");
  await put(input, 0, 200);
  assert.deepEqual(sorted(await untilOut(engine, 200)), texts(0, 200));
  assert.equal(new Set(both.workers.map(({ workerId }) => workerId)).size, 2);
});

it("a job puts through the SDK, and has its last word when it stops", async () => {
  const engine = await openHost();
  const { output } = await makeStreams(engine);
  await engine.jobs.define("lines", job("putsLines"));
  assert.deepEqual(await untilOut(engine, 1), ["begun"]);
  await engine.jobs.stop("lines");
  assert.deepEqual(await untilOut(engine, 2), ["begun", "stopped, true"]);
  assert.lengthOf(await readAll(output), 2);
});

it("changes of a job are told as events", async () => {
  const engine = await openHost();
  await makeStreams(engine);
  const events: EngineEvent[] = [];
  engine.on("job-changed", (event) => events.push(event));
  await engine.jobs.define("copies", job("copy"));
  await untilJob(engine, "copies", ({ state }) => state === "running");
  await engine.jobs.stop("copies");
  await engine.jobs.delete("copies");
  const states = () => events.map((event) => event.kind === "job-changed" && event.state);
  await until(() => states().length > 0 && states().at(-1) === undefined);
  // Changes that come together are told as one: a worker that is quick is never seen to start.
  const told = states().filter((state) => state !== "starting");
  assert.deepEqual(told, ["waiting", "running", "stopped", undefined]);
});

it("a definition that cannot be is refused", async () => {
  const engine = await openEngine();
  await makeStreams(engine);
  const refused = [
    engine.jobs.define("no spaces", job("copy")),
    engine.jobs.define("a", job("copy", { module: "not a url" })),
    engine.jobs.define("a", job("copy", { module: "blob:nodedata:1" })),
    engine.jobs.define("a", job("copy", { module: "data:text/javascript,export default 1" })),
    engine.jobs.define("a", job("copy", { module: "https://elsewhere.example/job.js" })),
    engine.jobs.define("a", job("copy", { settings: "x".repeat(65_400) })),
    engine.jobs.define("a", job("copy", { workers: 0 })),
    engine.jobs.define("a", job("copy", { restart: { stallMs: 1 } })),
    engine.jobs.define("a", job("copy", { worker: { leasesMax: -1 } })),
    engine.jobs.define("a", { ...job("copy"), group: { streamName: "in", name: "a b" } }),
  ];
  for (const one of refused) assert.instanceOf(await failureOf(one), InvalidArgumentError);
  assert.deepEqual(await engine.groups.list(), []);
  const nowhere = engine.jobs.define("a", { ...job("copy"), group: { streamName: "none" } });
  assert.instanceOf(await failureOf(nowhere), ResourceNotFoundError);
  assert.instanceOf(await failureOf(engine.jobs.start("a")), ResourceNotFoundError);
  assert.instanceOf(await failureOf(engine.jobs.delete("a")), ResourceNotFoundError);
  assert.deepEqual(await engine.jobs.list(), []);
});
