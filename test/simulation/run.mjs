/**
 * `npm run simulate -- [--seeds N] [--from N] [--processes N]`: runs seeds, prints what failed.
 * `--seed N [--trace]`: runs one seed, with every line of its trace on request.
 * `--mutants`: every mutant of the engine must be caught; `--mutant NAME`: only that one.
 * `--twice N`: runs N seeds two times and compares their traces.
 * `--grouped`: all seeds have a consumer group, and not just one in ten.
 * Without anything: what a change must pass. The last line is `N passed, N failed`.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { closingLine } from "../tools/test-counts.mjs";
import { bundleSimulation } from "./bundle.mjs";
import { MUTANTS } from "./mutants.mjs";
import { runSeeds } from "./seed-pool.mjs";

/** What a change must pass. */
const SEEDS = 2000;
const TWICE = 40;
/** Seeds within which every mutant must be caught. */
const MUTANT_SEEDS = 300;
/** Lines of the trace that a failure prints. */
const TAIL_LINES = 60;
const FAILURES_PRINTED = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    processes: { type: "string", default: String(Math.max(1, availableParallelism())) },
    mutants: { type: "boolean", default: false },
    mutant: { type: "string" },
    twice: { type: "string" },
    grouped: { type: "boolean", default: false },
  },
});

const { grouped } = values;
const counts = { passed: 0, failed: 0 };
const print = (text) => process.stdout.write(`${text}\n`);
const processes = Number(values.processes);

function verdict(passed, text) {
  if (passed) counts.passed += 1;
  else counts.failed += 1;
  print(`${passed ? "passed" : "FAILED"} ${text}`);
}

function printFailure({ seed, script, violations, tail }) {
  print(`\nseed ${seed}`);
  for (const violation of violations) print(`  ${violation}`);
  print(`  script: ${JSON.stringify(script)}`);
  for (const line of tail.slice(-TAIL_LINES)) print(`  | ${line}`);
  const how = script.group === undefined ? "" : " --grouped";
  print(`  run it again: npm run simulate -- --seed ${seed}${how} --trace\n`);
}

const numbersFrom = (from, count) => Array.from({ length: count }, (_, i) => from + i);

async function many(seeds, from) {
  const script = await bundleSimulation();
  const startMs = performance.now();
  const failed = [];
  const sums = { tasks: 0, sent: 0, acked: 0 };
  await runSeeds({ script, processes, grouped, seeds: numbersFrom(from, seeds) }, (report) => {
    for (const name of Object.keys(sums)) sums[name] += report[name];
    if (report.violations.length === 0) return;
    failed.push(report.seed);
    if (failed.length <= FAILURES_PRINTED) printFailure(report);
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const about = `${sums.tasks} tasks, ${sums.sent} records sent, ${sums.acked} acknowledged`;
  const which = failed.length === 0 ? "" : `; failed: ${failed.slice(0, 40).join(", ")}`;
  verdict(failed.length === 0, `${seeds} seeds from ${from} (${seconds} s, ${about})${which}`);
}

async function one(seed) {
  const script = await bundleSimulation();
  const { trace } = values;
  await runSeeds({ script, processes: 1, seeds: [seed], grouped, trace }, (report) => {
    if (report.violations.length > 0) printFailure(report);
    verdict(report.violations.length === 0, `seed ${seed}, trace ${report.hash}`);
  });
}

/** Equal seeds must give equal traces, also in another process and after other seeds. */
async function twice(seeds) {
  const script = await bundleSimulation();
  const traces = new Map();
  const unlike = [];
  const order = [...numbersFrom(1, seeds), ...numbersFrom(1, seeds).reverse()];
  await runSeeds({ script, processes, grouped, seeds: order }, ({ seed, hash }) => {
    const before = traces.get(seed);
    if (before !== undefined && before !== hash) unlike.push(seed);
    traces.set(seed, hash);
  });
  verdict(unlike.length === 0, `${seeds} seeds run alike twice${unlike.map((seed) => ` ${seed}`)}`);
}

async function catchMutants(mutants) {
  for (const mutant of mutants) {
    const script = await bundleSimulation(mutant);
    let ran = 0;
    let caught;
    const seeds = numbersFrom(1, MUTANT_SEEDS);
    const options = { grouped: grouped || mutant.grouped === true, untilFailure: true };
    await runSeeds({ script, processes, seeds, ...options }, (report) => {
      ran += 1;
      if (report.violations.length > 0) caught ??= report;
    });
    const how = caught === undefined ? "" : `: seed ${caught.seed}, ${caught.violations[0]}`;
    verdict(caught !== undefined, `mutant "${mutant.name}" after ${ran} seeds${how.slice(0, 160)}`);
  }
}

function wantedMutants() {
  if (values.mutant === undefined) return MUTANTS;
  const found = MUTANTS.filter(({ name }) => name === values.mutant);
  if (found.length === 0) throw new Error(`no mutant ${values.mutant}`);
  return found;
}

if (values.seed !== undefined) await one(Number(values.seed));
else if (values.mutants || values.mutant !== undefined) await catchMutants(wantedMutants());
else if (values.twice !== undefined) await twice(Number(values.twice));
else if (values.seeds !== undefined) await many(Number(values.seeds), Number(values.from));
else {
  await many(SEEDS, Number(values.from));
  await twice(TWICE);
  await catchMutants(MUTANTS);
}
print(closingLine(counts));
process.exitCode = counts.failed === 0 ? 0 : 1;
