/**
 * Many tabs in a real Chromium: `node test/tabs/run.mjs [--long] [--built] [rotation] [continuity]
 * [navigation] [encryption] [groups] [jobs] [replication] [recovery]`. Without names all run but the recovery, which
 * takes minutes; `--built` takes the bundles of the run before. The last line is `N passed, N failed`.
 */
import { bundle, bundleFolder } from "../harness/bundle.mjs";
import { Suite } from "../harness/suite.mjs";
import { closingLine } from "../tools/test-counts.mjs";
import { continuityTests } from "./continuity.mjs";
import { encryptionTests } from "./encryption.mjs";
import { groupTests } from "./groups.mjs";
import { jobTests } from "./jobs.mjs";
import { navigationTests } from "./navigation.mjs";
import { recoveryTests } from "./recovery.mjs";
import { replicationTests } from "./replication.mjs";
import { rotationTests } from "./rotation.mjs";

const RUNS = {
  rotation: rotationTests,
  continuity: continuityTests,
  navigation: navigationTests,
  encryption: encryptionTests,
  groups: groupTests,
  jobs: jobTests,
  replication: replicationTests,
};
const ONLY_BY_NAME = { recovery: recoveryTests };
const ENTRIES = {
  page: "test/tabs/tab-page.ts",
  worker: "engine/host/src/worker.ts",
  zombie: "test/tabs/zombie-worker.ts",
  parked: "test/tabs/parked-worker.ts",
  sticky: "test/tabs/sticky-worker.ts",
  broker: "engine/host/src/broker.ts",
  "jobs-worker": "sdk/src/jobs-worker.ts",
  "copy-job": "test/tabs/copy-job.ts",
  "ship-job": "test/tabs/ship-job.ts",
};

const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const long = process.argv.includes("--long");
const built = process.argv.includes("--built");
const unknown = wanted.filter((name) => !(name in RUNS) && !(name in ONLY_BY_NAME));
if (unknown.length > 0) throw new Error(`there is no run ${unknown.join(", ")}`);
const picked = wanted.length === 0 ? Object.keys(RUNS) : wanted;

const suite = new Suite();
const folders = [built ? bundleFolder("tabs") : await bundle("tabs", ENTRIES)];
for (const name of picked) {
  try {
    await { ...RUNS, ...ONLY_BY_NAME }[name](suite, folders, long);
  } catch (error) {
    suite.fail(`${name} could not be run`, error);
  }
}
process.stdout.write(`${closingLine(suite)}\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
