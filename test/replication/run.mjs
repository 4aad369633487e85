/**
 * A replication in a process that is killed (SIGKILL) at random, to a far side behind an endpoint that throttles,
 * fails, drops connections and is silent by chance; and one that is without a network for a day of virtual time:
 * `node test/replication/run.mjs [--long] [--records N] [--kills N] [--seed N]`. A consumer of the far side reads
 * every record once, in the order of its key. With `--bench` it only measures. The last line is
 * `N passed, N failed`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundle, ROOT } from "../harness/bundle.mjs";
import { lastWordOf, startProcess } from "../harness/killed-process.mjs";
import { Suite } from "../harness/suite.mjs";
import { closingLine } from "../tools/test-counts.mjs";
import { FarSide, killedAfter } from "./far-side.mjs";

const { values: options } = parseArgs({
  options: {
    long: { type: "boolean", default: false },
    records: { type: "string" },
    kills: { type: "string" },
    seed: { type: "string", default: "1" },
    bench: { type: "boolean", default: false },
  },
});
const { long } = options;
const records = Number(options.records ?? (long ? 100_000 : 5000));
const kills = Number(options.kills ?? (long ? 5 : 1));
const DAY_RECORDS = long ? 1_000_000 : 20_000;
/** Calls of the far side that go wrong. */
const CHANCE = 0.4;
/** About what a call takes, and so how many calls may be answered before a kill. */
const CALL_RECORDS = 500;
/** MiB by which memory may grow while all is sent. */
const GROWTH_MIB_MAX = 128;

/** The words of the command that does something with a directory. */
function commandOf(folder, mode, directory, count, extra = "") {
  const wasm = join(ROOT, "engine/host/wasm/core.wasm");
  return ["--expose-gc", join(folder, "process.js"), mode, directory, wasm, String(count), extra];
}

function start(...words) {
  return startProcess(commandOf(...words));
}

/** Runs a process to its end. Resolves with the last thing it said. */
async function whole(folder, mode, directory, count, extra) {
  return await lastWordOf(start(folder, mode, directory, count, extra), mode);
}

/** Ships until some calls are answered, and is then killed with others under way. */
async function shipAndKill(folder, directory, far) {
  const calls = 1 + Math.floor((Math.random() * records) / CALL_RECORDS / (kills + 1));
  const shipping = start(folder, "ship", directory, records, far.url);
  for (const problem of await killedAfter(far, calls, shipping)) {
    process.stderr.write(`${problem}\n`);
  }
}

/** Does something with a far side, and then reads that. Resolves with both. */
async function withFar(folder, count, settings, work) {
  const near = mkdtempSync(join(tmpdir(), "millrace-near-"));
  const away = mkdtempSync(join(tmpdir(), "millrace-far-"));
  const far = await FarSide.start(commandOf(folder, "far", away, count, JSON.stringify(settings)));
  try {
    const done = await work(near, far);
    const counts = await far.stop();
    const { read, stored, problems } = await whole(folder, "check", away, count);
    if (problems.length > 0) throw new Error(problems.join("; "));
    if (read !== count) throw new Error(`${read} of ${count} records are read`);
    return { done, counts, repeats: stored - count };
  } finally {
    far.kill();
    for (const directory of [near, away]) rmSync(directory, { recursive: true, force: true });
  }
}

async function killAgainAndAgain(folder) {
  const settings = { shards: 3, seed: Number(options.seed), chance: CHANCE };
  const { done, counts, repeats } = await withFar(folder, records, settings, async (near, far) => {
    await whole(folder, "fill", near, records);
    const begunMs = performance.now();
    for (let kill = 0; kill < kills; kill++) await shipAndKill(folder, near, far);
    const { retries } = await whole(folder, "ship", near, records, far.url);
    return { retries, seconds: ((performance.now() - begunMs) / 1000).toFixed(1) };
  });
  const { calls, refused, dropped, lost, silent, held } = counts;
  return (
    `${records} records, ${kills} kills, ${done.seconds} s; of ${calls} calls ${refused} refused, ${dropped} dropped, ` +
    `${lost} answers lost, ${silent} never answered, ${held} under way when it was killed; ${done.retries} retries of ` +
    `the last process; ${repeats} repeats are stored, and none is read`
  );
}

/** How fast it goes without limits, told and not judged. */
async function bench(folder) {
  const near = mkdtempSync(join(tmpdir(), "millrace-near-"));
  const away = mkdtempSync(join(tmpdir(), "millrace-far-"));
  const settings = JSON.stringify({ shards: 4, seed: 1, chance: 0, quotas: "unlimited" });
  const far = await FarSide.start(commandOf(folder, "far", away, records, settings));
  try {
    const words = [folder, "bench", near, records, far.direct];
    const { calls, atOnceMax, replicated, bare } = await whole(...words);
    return (
      `${records} records of 300 bytes in ${calls} calls, ${atOnceMax} at a time: replicated ${replicated}/s, the ` +
      `same calls by AWS's client alone ${bare}/s`
    );
  } finally {
    far.kill();
    for (const directory of [near, away]) rmSync(directory, { recursive: true, force: true });
  }
}

async function dayOffline(folder) {
  const settings = { shards: 1, seed: 1, chance: 0 };
  const { done, repeats } = await withFar(folder, DAY_RECORDS, settings, (near, { url }) =>
    whole(folder, "day", near, DAY_RECORDS, url),
  );
  const { state, left, held, expiring, beforeMib, mostMib, seconds, retentionHours } = done;
  if (state !== "waiting-offline" || left !== DAY_RECORDS)
    throw new Error(`${state}: ${left} wait`);
  if (held <= 24 || expiring === 0) throw new Error(`a retention of ${held} h holds nothing`);
  if (retentionHours !== 24) throw new Error(`the retention stays at ${retentionHours} h`);
  const growthMib = mostMib - beforeMib;
  if (growthMib > GROWTH_MIB_MAX) throw new Error(`memory grows by ${growthMib.toFixed(0)} MiB`);
  return (
    `${DAY_RECORDS} records after a day offline, sent in ${seconds.toFixed(1)} s, ${(DAY_RECORDS / seconds).toFixed(0)}/s; ` +
    `memory ${beforeMib.toFixed(0)} MiB before, ${mostMib.toFixed(0)} MiB at most; ${done.retries} retries; ` +
    `${repeats} repeats are stored`
  );
}

const suite = new Suite();
const folder = await bundle(
  "replication",
  { process: "test/replication/replication-process.ts" },
  {
    platform: "node",
    external: [/^node:/, /^@aws-sdk\//, /^@smithy\//, "@millrace/engine/broker"],
  },
);
if (options.bench) await suite.test("replicated records per second", () => bench(folder));
else {
  const killed = suite.test(
    "a replication that is killed sends each record, in order, once for consumers",
    () => killAgainAndAgain(folder),
  );
  // Both wait most of the time; in the long form there are figures to be measured.
  if (long) await killed;
  await suite.test("a replication after a day offline sends all, in memory that stays flat", () =>
    dayOffline(folder),
  );
  await killed;
}
process.stdout.write(`${closingLine(suite)}\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
