/**
 * A pipeline of three stages and a branch in a process that is killed (SIGKILL) at random:
 * `node test/pipelines/run.mjs [--records N] [--kills N] [--page] [--jobs]`. Its stages run in the process's own
 * thread (`--page`), or are jobs in threads of theirs (`--jobs`); both, one after the other, when neither is asked
 * for. What it has put out at last is compared, value by value and in the order of every key, with what an
 * uninterrupted run puts out. The last line is `N passed, N failed`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundle, ROOT } from "../harness/bundle.mjs";
import { lastWordOf, startProcess } from "../harness/killed-process.mjs";
import { Suite } from "../harness/suite.mjs";
import { closingLine } from "../tools/test-counts.mjs";

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "20000" },
    kills: { type: "string", default: "10" },
    page: { type: "boolean", default: false },
    jobs: { type: "boolean", default: false },
  },
});
const records = Number(options.records);
const kills = Number(options.kills);
/** After a kill's place in the work is reached it comes so much later at most, in ms: not after the end of all work. */
const DELAY_MS_MAX = Math.min(300, records / 400);
/** How the process runs the pipeline in each form. */
const MODES = { page: "run", jobs: "host" };

function start(folder, mode, directory) {
  const wasm = join(ROOT, "engine/host/wasm/core.wasm");
  const script = join(folder, "process.js");
  const settings = ["--max-old-space-size=6144", script, mode, directory, wasm, String(records)];
  return startProcess(settings);
}

/** Runs a process to its end. Resolves with the last thing it said. */
async function whole(folder, mode, directory) {
  return await lastWordOf(start(folder, mode, directory), mode);
}

/** Runs until a part of all work is done, or all of it; then kills. Says whether it was killed before its end. */
async function runUntil(folder, mode, directory, part) {
  const { child, ended, lines } = start(folder, mode, directory);
  let finished = false;
  let due = false;
  lines.on("line", (line) => {
    const { processed, done, failed } = JSON.parse(line);
    if (failed !== undefined) process.stderr.write(`${failed}\n`);
    finished ||= done === true;
    if (due || !(processed >= part * records)) return;
    due = true;
    setTimeout(() => child.kill("SIGKILL"), Math.random() * DELAY_MS_MAX);
  });
  const { code, signal } = await ended;
  if (signal !== "SIGKILL" && code !== 0) throw new Error(`the pipeline ended with ${code}`);
  return signal === "SIGKILL" && !finished;
}

async function killAgainAndAgain(folder, form) {
  const mode = MODES[form];
  const directory = mkdtempSync(join(tmpdir(), "millrace-dag-"));
  try {
    await whole(folder, "fill", directory);
    if (form === "jobs") await whole(folder, "deploy", directory);
    let killed = 0;
    for (let kill = 0; kill < kills; kill++) {
      const part = (kill + Math.random()) / (kills + 1);
      if (await runUntil(folder, mode, directory, part)) killed += 1;
    }
    const { elapsedMs } = await whole(folder, mode, directory);
    const { problems, count, losses } = await whole(folder, "check", directory);
    if (count > 0) throw new Error(`${count} keys differ: ${problems.join("; ")}`);
    if (losses > 0) throw new Error(`the engine reports ${losses} damaged places`);
    if (killed < kills) throw new Error(`only ${killed} of ${kills} kills came before the end`);
    const rest = (elapsedMs / 1000).toFixed(1);
    return `${records} records, ${killed} kills; the last run took ${rest} s; every value as without a kill`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const suite = new Suite();
const folder = await bundle(
  "pipelines",
  {
    process: "test/pipelines/pipeline-process.ts",
    "jobs-worker": "sdk/src/jobs-worker.ts",
    "pipeline-modules": "sdk/test/pipelines/pipeline-modules.ts",
  },
  { platform: "node", external: [/^node:/, "@millrace/engine/broker"] },
);
const forms = Object.keys(MODES).filter((form) => options[form] || !(options.page || options.jobs));
for (const form of forms) {
  const name = form === "jobs" ? "a pipeline of jobs" : "a pipeline";
  await suite.test(`${name} that is killed puts out each value once, in order`, () =>
    killAgainAndAgain(folder, form),
  );
}
process.stdout.write(`${closingLine(suite)}\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
