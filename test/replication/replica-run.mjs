/**
 * A replica in a process that is killed (SIGKILL) at random, of a far side behind an endpoint that throttles, fails,
 * drops connections and is silent by chance: `node test/replication/replica-run.mjs [--long] [--records N]
 * [--kills N] [--seed N]`. The copy has every record once, in the order of its key. The last line is `N passed, N failed`.
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
  },
});
const records = Number(options.records ?? (options.long ? 12_000 : 2000));
const kills = Number(options.kills ?? (options.long ? 5 : 1));
/** Calls of the far side that go wrong. */
const CHANCE = 0.2;
/** What a call gives at most, and so how many calls may be answered before a kill. */
const CALL_RECORDS = 250;

/** The words of the command that does something with a directory. */
function commandOf(folder, mode, directory, extra = "") {
  const wasm = join(ROOT, "engine/host/wasm/core.wasm");
  return [join(folder, "replica.js"), mode, directory, wasm, String(records), extra];
}

function start(...words) {
  return startProcess(commandOf(...words));
}

/** Copies until some calls are answered, and is then killed with others under way. */
async function copyAndKill(folder, directory, far) {
  const calls = 1 + Math.floor((Math.random() * records) / CALL_RECORDS / (kills + 1));
  const problems = await killedAfter(far, calls, start(folder, "copy", directory, far.url));
  if (problems.length > 0) throw new Error(problems.join("; "));
}

async function checked(folder, directory) {
  const { read, different, problems } = await lastWordOf(
    start(folder, "check", directory),
    "check",
  );
  if (problems.length > 0) throw new Error(problems.join("; "));
  if (read !== records || different !== records) {
    throw new Error(`the copy has ${read} records, ${different} different ones, of ${records}`);
  }
}

async function killAgainAndAgain(folder) {
  const near = mkdtempSync(join(tmpdir(), "millrace-near-"));
  const away = mkdtempSync(join(tmpdir(), "millrace-far-"));
  const settings = JSON.stringify({ seed: Number(options.seed), chance: CHANCE });
  const far = await FarSide.start(commandOf(folder, "far", away, settings));
  try {
    const begunMs = performance.now();
    for (let kill = 0; kill < kills; kill++) await copyAndKill(folder, near, far);
    const last = await lastWordOf(start(folder, "copy", near, far.url), "copy");
    if (last.failures.length > 0) throw new Error(last.failures.join("; "));
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
    await checked(folder, near);
    return (
      `${records} records, ${kills} kills, ${seconds} s; ${last.copied} records and ${last.retries} retries of the ` +
      "last process; every record is there once, in the order of its key"
    );
  } finally {
    far.kill();
    for (const directory of [near, away]) rmSync(directory, { recursive: true, force: true });
  }
}

const suite = new Suite();
const folder = await bundle(
  "replica",
  { replica: "test/replication/replica-process.ts" },
  {
    platform: "node",
    external: [/^node:/, /^@aws-sdk\//, /^@smithy\//, "@millrace/engine/broker"],
  },
);
await suite.test("a replica that is killed has each record once, in order", () =>
  killAgainAndAgain(folder),
);
process.stdout.write(`${closingLine(suite)}\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
