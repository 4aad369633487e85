/**
 * A replication in a process that is killed (SIGKILL) at random, to a far side behind an endpoint that throttles,
 * fails, drops connections and is silent by chance; and one that is without a network for a day of virtual time:
 * `node test/replication/run.mjs [--long] [--records N] [--kills N] [--seed N]`. A consumer of the far side reads
 * every record once, in the order of its key. With `--bench` it only measures. The last line is
 * `N passed, N failed`.
 */
import { parseArgs } from "node:util";
import { startProcess } from "../harness/killed-process.mjs";
import { Suite } from "../harness/suite.mjs";
import { closingLine } from "../tools/test-counts.mjs";
import { killedAfter } from "./far-side.mjs";
import { bundleProcess, replicated, whole, withDirectories, withFarSide } from "./processes.mjs";

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

/** Ships until some calls are answered, and is then killed with others under way. */
async function shipAndKill(command, directory, far) {
  const calls = 1 + Math.floor((Math.random() * records) / CALL_RECORDS / (kills + 1));
  const shipping = startProcess(command("ship", directory, records, far.url));
  for (const problem of await killedAfter(far, calls, shipping)) {
    process.stderr.write(`${problem}\n`);
  }
}

async function killAgainAndAgain(command) {
  const settings = { shards: 3, seed: Number(options.seed), chance: CHANCE };
  const { done, counts, repeats } = await replicated(
    command,
    records,
    settings,
    async (near, far) => {
      await whole(command, "fill", near, records);
      const begunMs = performance.now();
      for (let kill = 0; kill < kills; kill++) await shipAndKill(command, near, far);
      const { retries } = await whole(command, "ship", near, records, far.url);
      return { retries, seconds: ((performance.now() - begunMs) / 1000).toFixed(1) };
    },
  );
  const { calls, refused, dropped, lost, silent, held } = counts;
  return (
    `${records} records, ${kills} kills, ${done.seconds} s; of ${calls} calls ${refused} refused, ${dropped} dropped, ` +
    `${lost} answers lost, ${silent} never answered, ${held} under way when it was killed; ${done.retries} retries of ` +
    `the last process; ${repeats} repeats are stored, and none is read`
  );
}

/** How fast it goes without limits, told and not judged. */
async function bench(command) {
  const settings = JSON.stringify({ shards: 4, seed: 1, chance: 0, quotas: "unlimited" });
  return await withDirectories(async (near, away) => {
    const words = command("far", away, records, settings);
    const { done } = await withFarSide(words, ({ direct }) =>
      whole(command, "bench", near, records, direct),
    );
    const { calls, atOnceMax, replicated: perSecond, bare } = done;
    return (
      `${records} records of 300 bytes in ${calls} calls, ${atOnceMax} at a time: replicated ${perSecond}/s, the ` +
      `same calls by AWS's client alone ${bare}/s`
    );
  });
}

async function dayOffline(command) {
  const settings = { shards: 1, seed: 1, chance: 0 };
  const { done, repeats } = await replicated(command, DAY_RECORDS, settings, (near, { url }) =>
    whole(command, "day", near, DAY_RECORDS, url),
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
const command = await bundleProcess("replication");
if (options.bench) await suite.test("replicated records per second", () => bench(command));
else {
  const killed = suite.test(
    "a replication that is killed sends each record, in order, once for consumers",
    () => killAgainAndAgain(command),
  );
  // Both wait most of the time; in the long form there are figures to be measured.
  if (long) await killed;
  await suite.test("a replication after a day offline sends all, in memory that stays flat", () =>
    dayOffline(command),
  );
  await killed;
}
process.stdout.write(`${closingLine(suite)}\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
