/**
 * A replica in a process that is killed (SIGKILL) at random, of a far side behind an endpoint that throttles, fails,
 * drops connections and is silent by chance: `node test/replication/replica-run.mjs [--long] [--records N]
 * [--kills N] [--seed N]`. The copy has every record once, in the order of its key. The last line is `N passed, N failed`.
 */
import { parseArgs } from "node:util";
import { startProcess } from "../harness/killed-process.mjs";
import { Suite } from "../harness/suite.mjs";
import { closingLine } from "../tools/test-counts.mjs";
import { killedAfter } from "./far-side.mjs";
import { bundleProcess, whole, withDirectories, withFarSide } from "./processes.mjs";

const { values: options } = parseArgs({
  options: {
    long: { type: "boolean", default: false },
    records: { type: "string" },
    kills: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const records = Number(options.records ?? (options.long ? 12_000 : 2000));
const kills = Number(options.kills ?? (options.long ? 5 : 1));
/** Calls of the far side that go wrong. */
const CHANCE = 0.2;
/** What a call gives at most, and so how many calls may be answered before a kill. */
const CALL_RECORDS = 250;

/** Copies until some calls are answered, and is then killed with others under way. */
async function copyAndKill(command, directory, far) {
  const calls = 1 + Math.floor((Math.random() * records) / CALL_RECORDS / (kills + 1));
  const copying = startProcess(command("copy", directory, records, far.url));
  const problems = await killedAfter(far, calls, copying);
  if (problems.length > 0) throw new Error(problems.join("; "));
}

async function check(command, directory) {
  const { read, different, problems } = await whole(command, "check", directory, records);
  if (problems.length > 0) throw new Error(problems.join("; "));
  if (read !== records || different !== records) {
    throw new Error(`the copy has ${read} records, ${different} different ones, of ${records}`);
  }
}

async function killAgainAndAgain(command) {
  const settings = JSON.stringify({ seed: Number(options.seed), chance: CHANCE });
  return await withDirectories(async (near, away) => {
    const begunMs = performance.now();
    const { done } = await withFarSide(command("far", away, records, settings), async (far) => {
      for (let kill = 0; kill < kills; kill++) await copyAndKill(command, near, far);
      return await whole(command, "copy", near, records, far.url);
    });
    const { copied, retries, failures } = done;
    if (failures.length > 0) throw new Error(failures.join("; "));
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
    await check(command, near);
    return (
      `${records} records, ${kills} kills, ${seconds} s; ${copied} records and ${retries} retries of the last ` +
      "process; every record is there once, in the order of its key"
    );
  });
}

const suite = new Suite();
const command = await bundleProcess("replica");
await suite.test("a replica that is killed has each record once, in order", () =>
  killAgainAndAgain(command),
);
process.stdout.write(`${closingLine(suite)}\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
