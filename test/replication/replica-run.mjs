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
import { startProcess } from "../harness/killed-process.mjs";
import { Suite } from "../harness/suite.mjs";
import { closingLine } from "../tools/test-counts.mjs";

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

function start(folder, mode, directory, extra = "") {
  const wasm = join(ROOT, "engine/host/wasm/core.wasm");
  const settings = [join(folder, "replica.js"), mode, directory, wasm, String(records), extra];
  return startProcess(settings);
}

/** Copies, and is killed when so many records are copied. Resolves with how many were, or fails. */
async function copyUntil(folder, directory, url, enough) {
  const { child, ended, lines } = start(folder, "copy", directory, url);
  let last = { copied: 0 };
  const problems = [];
  lines.on("line", (line) => {
    const said = JSON.parse(line);
    if (said.failed !== undefined) problems.push(said.failed);
    else last = said;
    if (said.copied >= enough) child.kill("SIGKILL");
  });
  const { code, signal } = await ended;
  if (problems.length > 0) throw new Error(problems.join("; "));
  if (signal !== "SIGKILL" && code !== 0) throw new Error(`the replica ended with ${code}`);
  return { ...last, killed: signal === "SIGKILL" };
}

async function checked(folder, directory) {
  const { child, ended, lines } = start(folder, "check", directory);
  child.stdin.end();
  let last = {};
  lines.on("line", (line) => {
    last = JSON.parse(line);
  });
  await ended;
  const { read, different, problems } = last;
  if (problems.length > 0) throw new Error(problems.join("; "));
  if (read !== records || different !== records) {
    throw new Error(`the copy has ${read} records, ${different} different ones, of ${records}`);
  }
}

async function killAgainAndAgain(folder) {
  const near = mkdtempSync(join(tmpdir(), "millrace-near-"));
  const away = mkdtempSync(join(tmpdir(), "millrace-far-"));
  const settings = JSON.stringify({ seed: Number(options.seed), chance: CHANCE });
  const far = start(folder, "far", away, settings);
  try {
    const url = await new Promise((resolve) => {
      far.lines.on("line", (line) => resolve(JSON.parse(line).url));
    });
    const begunMs = performance.now();
    let killed = 0;
    for (let kill = 0; kill < kills; kill++) {
      const enough = 1 + Math.floor((Math.random() * records) / (kills + 1));
      if ((await copyUntil(folder, near, url, enough)).killed) killed += 1;
    }
    const { copied, retries } = await copyUntil(folder, near, url, Number.POSITIVE_INFINITY);
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
    await checked(folder, near);
    if (killed < kills) throw new Error(`only ${killed} of ${kills} kills came before the end`);
    return (
      `${records} records, ${killed} kills, ${seconds} s; ${copied} records and ${retries} retries of the last ` +
      "process; every record is there once, in the order of its key"
    );
  } finally {
    far.child.kill("SIGKILL");
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
