/**
 * Faults that need a whole browser or process:
 * `node test/faults/run.mjs [--long] [--table FILE] [--figures FILE] [crash] [damage] [memory] [loading] [storage] [versions] [file]`.
 * Without `--long` each fault befalls the engine fewer times. A table says what was lost and how long it
 * took; the last line is `N passed, N failed`.
 */
import { parseArgs } from "node:util";
import { bundle } from "../harness/bundle.mjs";
import { Suite } from "../harness/suite.mjs";
import { closingLine } from "../tools/test-counts.mjs";
import { crashTests } from "./crash.mjs";
import { damageTests } from "./damage.mjs";
import { FaultTable } from "./fault-table.mjs";
import { fileTests } from "./file.mjs";
import { memoryTests } from "./memory.mjs";
import { powerTests } from "./power.mjs";
import { slowTests } from "./slow.mjs";
import { loadingTests } from "./tabs-loading.mjs";
import { tabStorageTests } from "./tabs-storage.mjs";
import { versionTests } from "./tabs-versions.mjs";

const WORKER = "engine/host/src/worker.ts";
const TABS = {
  page: "test/tabs/tab-page.ts",
  worker: WORKER,
  parked: "test/tabs/parked-worker.ts",
  broker: "engine/host/src/broker.ts",
};
/** `tests(suite, folders, { long, table, figures })` adds its tests to the suite and its rows to the table. */
const SUITES = {
  crash: { tests: crashTests, entries: { page: "test/faults/crash-page.ts", worker: WORKER } },
  damage: { tests: damageTests, entries: { page: "test/faults/damage-page.ts", worker: WORKER } },
  memory: { tests: memoryTests, entries: { page: "test/faults/memory-page.ts", worker: WORKER } },
  loading: { tests: loadingTests, entries: TABS },
  storage: { tests: tabStorageTests, entries: TABS },
  versions: { tests: versionTests, entries: TABS },
  slow: { tests: slowTests, entries: { page: "test/faults/slow-page.ts", worker: WORKER } },
  power: { tests: powerTests, entries: { page: "test/faults/power-page.ts", worker: WORKER } },
  file: {
    tests: fileTests,
    entries: { writer: "test/faults/file-writer.ts" },
    platform: "node",
  },
};

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    long: { type: "boolean", default: false },
    table: { type: "string" },
    figures: { type: "string" },
  },
});
const unknown = wanted.filter((name) => !(name in SUITES));
if (unknown.length > 0) throw new Error(`there is no fault ${unknown.join(", ")}`);

const suite = new Suite();
const table = new FaultTable();
for (const [name, { tests, entries, platform }] of Object.entries(SUITES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  try {
    const folders = [await bundle(`faults-${name}`, entries, { platform })];
    await tests(suite, folders, { long: options.long, table, figures: options.figures });
  } catch (error) {
    suite.fail(`${name} could not be run`, error);
  }
}
table.close(options.table);
process.stdout.write(`${closingLine(suite)}\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
