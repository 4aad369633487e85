/**
 * Faults that need a whole browser or process: `node test/faults/run.mjs [crash] [damage] [memory]
 * [file]`. The last line is `N passed, N failed`.
 */
import { bundle } from "../harness/bundle.mjs";
import { Suite } from "../harness/suite.mjs";
import { closingLine } from "../tools/test-counts.mjs";
import { crashTests } from "./crash.mjs";
import { damageTests } from "./damage.mjs";
import { fileTests } from "./file.mjs";
import { memoryTests } from "./memory.mjs";

const WORKER = "engine/host/src/worker.ts";
const SUITES = {
  crash: { tests: crashTests, entries: { page: "test/faults/crash-page.ts", worker: WORKER } },
  damage: { tests: damageTests, entries: { page: "test/faults/damage-page.ts", worker: WORKER } },
  memory: { tests: memoryTests, entries: { page: "test/faults/memory-page.ts", worker: WORKER } },
  file: {
    tests: fileTests,
    entries: { writer: "test/faults/file-writer.ts" },
    platform: "node",
  },
};

const wanted = process.argv.slice(2);
const suite = new Suite();
for (const [name, { tests, entries, platform }] of Object.entries(SUITES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  try {
    await tests(suite, [await bundle(`faults-${name}`, entries, { platform })]);
  } catch (error) {
    suite.failed += 1;
    process.stdout.write(`FAILED ${name} could not be run\n  ${error.stack ?? error}\n`);
  }
}
process.stdout.write(`${closingLine(suite)}\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
