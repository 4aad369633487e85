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
/** What is put before the last run only: whoever is killed before has never done all work. */
const LAST_PART = 1 / (kills + 1);
/** After a kill's place in the work is reached it comes so much later at most, in ms. */
const DELAY_MS_MAX = Math.min(300, records / 400);
/** How the process runs the pipeline in each form. */
const MODES = { page: "run", jobs: "host" };

function start(folder, mode, directory, count, extra = "") {
  const wasm = join(ROOT, "engine/host/wasm/core.wasm");
  const script = join(folder, "process.js");
  const words = [script, mode, directory, wasm, String(count), extra];
  return startProcess(["--max-old-space-size=6144", ...words]);
}

/** Runs a process to its end. Resolves with the last thing it said. */
async function whole(folder, mode, directory, count = records, extra = "") {
  return await lastWordOf(start(folder, mode, directory, count, extra), mode);
}

/** Runs until a part of all work is done, and kills. Says whether some of what it had to do was not done yet. */
async function runAndKill(folder, mode, directory, part) {
  const { child, ended, lines } = start(folder, mode, directory, records, "stay");
  let last = {};
  lines.on("line", (line) => {
    const { failed, ...said } = JSON.parse(line);
    if (failed !== undefined) {
      process.stderr.write(`${failed}\n`);
      return;
    }
    const isDue = said.processed >= part * records;
    if (isDue && !(last.processed >= part * records)) {
      setTimeout(() => child.kill("SIGKILL"), Math.random() * DELAY_MS_MAX);
    }
    last = said;
  });
  const { code, signal } = await ended;
  if (signal !== "SIGKILL") throw new Error(`the pipeline ended with ${code}`);
  return !last.done;
}

async function killAgainAndAgain(folder, form) {
  const mode = MODES[form];
  const directory = mkdtempSync(join(tmpdir(), "millrace-dag-"));
  try {
    const held = Math.ceil(records * LAST_PART);
    await whole(folder, "fill", directory, records - held, 0);
    if (form === "jobs") await whole(folder, "deploy", directory);
    let atWork = 0;
    for (let kill = 0; kill < kills; kill++) {
      const part = (kill + Math.random()) * LAST_PART;
      if (await runAndKill(folder, mode, directory, part)) atWork += 1;
    }
    await whole(folder, "fill", directory, records, records - held);
    const { elapsedMs } = await whole(folder, mode, directory);
    const { problems, count, losses } = await whole(folder, "check", directory);
    if (count > 0) throw new Error(`${count} keys differ: ${problems.join("; ")}`);
    if (losses > 0) throw new Error(`the engine reports ${losses} damaged places`);
    const rest = (elapsedMs / 1000).toFixed(1);
    return (
      `${records} records, ${kills} kills, ${atWork} of them at work; the last run took ${rest} s; every value as ` +
      "without a kill"
    );
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
