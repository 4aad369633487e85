/** Jobs that misbehave, in real threads: each is ended and begun again, is described, and leaves the others alone. */
import { afterAll, afterEach, assert, beforeAll, it } from "vitest";
import { put, sorted, texts, until } from "../groups/support.ts";
import {
  bundleWorker,
  job,
  makeStreams,
  openHost,
  removeWorker,
  untilJob,
  untilOut,
} from "./support.ts";

/** Rejections in threads must not reach this one. */
const unhandled: unknown[] = [];
const note = (reason: unknown): void => {
  unhandled.push(reason);
};

beforeAll(async () => {
  process.on("unhandledRejection", note);
  await bundleWorker();
}, 60_000);
afterEach(() => assert.deepEqual(unhandled, []));
afterAll(async () => {
  process.off("unhandledRejection", note);
  await removeWorker();
});

for (const [how, what] of [
  ["throw", /thrown outside of a delivery/],
  ["reject", /rejected outside of a delivery/],
  ["spin", /stalled/],
] as const) {
  it(`a job that meets its end in the middle (${how}) goes on after it, and each record is copied once`, async () => {
    const engine = await openHost();
    const { input } = await makeStreams(engine, 2);
    const settings = { to: "out", at: "57", how };
    const restart = { firstMs: 50, stallMs: how === "spin" ? 2000 : 15_000 };
    await engine.jobs.define("copies", job("copyAndCrash", { settings, restart }));
    await put(input, 0, 100);
    const failed = await untilJob(engine, "copies", ({ restarts }) => restarts > 0);
    assert.match(failed.lastError?.message ?? "", what);
    await put(input, 100, 150);
    assert.deepEqual(sorted(await untilOut(engine, 150)), texts(0, 150));
    const after = await untilJob(engine, "copies", ({ state }) => state === "running");
    assert.equal(after.restarts, 1);
  });
}

it("a job that never ends is terminated and loses its lease, and the other one goes on meanwhile", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  const restart = { firstMs: 60_000, stallMs: 3000 };
  const group = {
    streamName: "in",
    options: { from: "TRIM_HORIZON", failoverMs: 3_600_000 },
  } as const;
  await engine.jobs.define("spins", job("spin", { restart, group }));
  await engine.jobs.define("copies", job("copy"));
  await put(input, 0, 10);
  const spins = await engine.groups.get("spins");
  await until(async () => (await spins.describe()).leases[0]?.owner !== null);
  const first = (await spins.describe()).leases[0]?.leaseCounter ?? 0;
  assert.deepEqual(sorted(await untilOut(engine, 10)), texts(0, 10));
  const ended = await untilJob(engine, "spins", ({ state }) => state === "restarting");
  assert.match(ended.lastError?.message ?? "", /stalled: nothing was heard of it for 3000 ms/);
  await until(async () => (await spins.describe()).leases[0]?.owner === null);
  const lease = (await spins.describe()).leases[0];
  assert.isAbove(lease?.leaseCounter ?? 0, first);
  await put(input, 10, 20);
  assert.deepEqual(sorted(await untilOut(engine, 20)), texts(0, 20));
  assert.equal((await engine.jobs.describe("copies")).restarts, 0);
});

it("an engine closes although a job never ends", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  await engine.jobs.define("spins", job("spin", { restart: { firstMs: 10, stallMs: 2000 } }));
  const group = await engine.groups.get("spins");
  await until(async () => (await group.describe()).leases[0]?.owner !== null);
  await put(input, 0, 10);
  const begunMs = performance.now();
  await engine.close();
  assert.isBelow(performance.now() - begunMs, 15_000);
  assert.isTrue(engine.closed);
});

it("a job that throws while it begins is tried again, a number of times, until it is started anew", async () => {
  const engine = await openHost();
  await makeStreams(engine);
  const restart = { firstMs: 10, attemptsMax: 3 };
  await engine.jobs.define("fails", job("throwsAtOnce", { restart }));
  const failed = await untilJob(engine, "fails", ({ state }) => state === "failed");
  assert.equal(failed.restarts, 2);
  assert.match(failed.lastError?.message ?? "", /this job cannot begin/);
  const { version } = await engine.jobs.start("fails");
  assert.isAbove(version, failed.version);
  await untilJob(engine, "fails", (now) => now.state === "failed" && now.version === version);
});

for (const what of [null, undefined])
  it(`a job that throws ${what} outside of any delivery fails alone`, async () => {
    const engine = await openHost();
    await makeStreams(engine);
    const settings = what === null ? { what } : {};
    const restart = { firstMs: 10, attemptsMax: 1 };
    await engine.jobs.define("fails", job("throwsNoError", { settings, restart }));
    const failed = await untilJob(engine, "fails", ({ state }) => state === "failed");
    assert.equal(failed.restarts, 0);
    assert.equal(failed.lastError?.message, String(what));
  });

it("pauses between failures double up to the longest one", async () => {
  const engine = await openHost();
  await makeStreams(engine);
  const restart = { firstMs: 100, longestMs: 400, attemptsMax: 5 };
  const begunMs = performance.now();
  await engine.jobs.define("fails", job("throwsAtOnce", { restart }));
  await untilJob(engine, "fails", ({ state }) => state === "failed");
  assert.isAtLeast(performance.now() - begunMs, 100 + 200 + 400 + 400);
});

it("a job goes on whose stream was deleted, and whose module makes it anew", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  await engine.jobs.define("copies", job("copyOfItsOwn"));
  await put(input, 0, 10);
  assert.deepEqual(sorted(await untilOut(engine, 10)), texts(0, 10));
  await engine.streams.delete("in");
  await untilJob(engine, "copies", ({ restarts, state }) => restarts > 0 && state === "running");
  await put(await engine.streams.get("in"), 10, 20);
  assert.deepEqual(sorted(await untilOut(engine, 20)), texts(0, 20));
});

it("a delivery that throws is the group's to repeat: it is told, and no worker is ended", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  await engine.jobs.define("copies", job("throwsInDelivery"));
  await put(input, 0, 10);
  assert.deepEqual(await untilOut(engine, 10), texts(0, 10));
  const { lastError, restarts } = await untilJob(engine, "copies", (one) => one.records === 10);
  assert.match(lastError?.message ?? "", /the first delivery fails/);
  assert.equal(restarts, 0);
});

it("a job runs in a process with options that are no thread's own", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  const before = process.execArgv;
  process.execArgv = [...before, "--max-old-space-size=4096"];
  try {
    await engine.jobs.define("copies", job("copy"));
    await put(input, 0, 10);
    assert.deepEqual(await untilOut(engine, 10), texts(0, 10));
    assert.equal((await engine.jobs.describe("copies")).restarts, 0);
  } finally {
    process.execArgv = before;
  }
});

it("a job that leaks is ended at its limit", async () => {
  const engine = await openHost();
  const { input } = await makeStreams(engine);
  const restart = { firstMs: 60_000, stallMs: 20_000, memoryBytesMax: 100 * 1_048_576 };
  await engine.jobs.define("leaks", job("leak", { restart }));
  await put(input, 0, 1);
  const ended = await untilJob(engine, "leaks", ({ state }) => state === "restarting");
  assert.match(ended.lastError?.message ?? "", /memory/);
});

it("a module that cannot be loaded, or exports no job, is told", async () => {
  const engine = await openHost();
  await makeStreams(engine);
  const restart = { firstMs: 60_000 };
  const nowhere = "file:///nowhere/job.mjs";
  await engine.jobs.define("none", job("copy", { module: nowhere, restart }));
  await engine.jobs.define("nothing", job("nothing", { restart }));
  const none = await untilJob(engine, "none", ({ state }) => state === "restarting");
  assert.match(none.lastError?.message ?? "", /nowhere\/job\.mjs/);
  const nothing = await untilJob(engine, "nothing", ({ state }) => state === "restarting");
  assert.match(nothing.lastError?.message ?? "", /exports no function "nothing"/);
});
