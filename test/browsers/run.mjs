/**
 * The browser tests in three engines:
 * `node test/browsers/run.mjs [--short] [--available] [--table FILE] [chromium] [firefox] [webkit]`.
 *
 * Without names all three run. `--short` leaves out the files that take longest, and says which. An engine
 * that is not on this machine and cannot be installed is a failure, with `--available` only a remark. The
 * tables say what each engine has and how its tests went; the last line is `N passed, N failed`.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { crashTests } from "../faults/crash.mjs";
import { FaultTable } from "../faults/fault-table.mjs";
import { bundle, ROOT } from "../harness/bundle.mjs";
import { killFirefox, startFirefox } from "../harness/firefox-session.mjs";
import { Suite } from "../harness/suite.mjs";
import { requireChromium } from "../tools/chromium.mjs";
import { featureTable, resultTable } from "../tools/engine-table.mjs";
import { failureText } from "../tools/failures.mjs";
import { requireFirefox } from "../tools/firefox.mjs";
import { closingLine } from "../tools/test-counts.mjs";
import { startWebKit } from "../tools/webkit.mjs";
import { firefoxTabsTests } from "./tabs-in-firefox.mjs";

const TESTS = "test/browser";
const PROBES = "test/browser/features.test.ts";
/** What takes longest, in order. */
const LONG_TESTS = [
  "test/browser/sdk/tabs.test.ts",
  "test/browser/sdk/aws-resharding.test.ts",
  "test/browser/engine/access-log.test.ts",
];
const TABS = {
  page: "test/tabs/tab-page.ts",
  worker: "engine/host/src/worker.ts",
  broker: "engine/host/src/broker.ts",
};
const CRASH = { page: "test/faults/crash-page.ts", worker: "engine/host/src/worker.ts" };
const CRASHES = { name: "Firefox", start: startFirefox, kill: killFirefox };

/** Version in what a program says of itself. */
function versionOf(path) {
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return /\d+(\.\d+)+\w*/.exec(stdout ?? "")?.[0] ?? "";
}

async function webkitVersion() {
  const webkit = await startWebKit();
  try {
    const browser = await webkit.start();
    await browser.end();
    return browser.capabilities.browserVersion ?? "";
  } finally {
    await webkit.stop();
  }
}

/** Tabs, restarts and kills, for which a browser of its own and a profile are needed. */
async function firefoxScripts(suite, long) {
  await firefoxTabsTests(suite, [await bundle("tabs-in-firefox", TABS)]);
  const folders = [await bundle("crash-in-firefox", CRASH)];
  await crashTests(suite, folders, { long, table: new FaultTable(), backends: [CRASHES] });
}

/** `version` finds and installs the engine; it throws one line of advice where that is not possible. */
const ENGINES = {
  chromium: { name: "Chromium", version: () => versionOf(requireChromium()) },
  firefox: {
    name: "Firefox",
    version: () => versionOf(requireFirefox()),
    scripts: firefoxScripts,
  },
  webkit: { name: "WebKitGTK", version: webkitVersion },
};

function runTests(environment) {
  return new Promise((resolve, reject) => {
    const child = spawn(join(ROOT, "node_modules", ".bin", "wtr"), [], {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...environment },
    });
    child.on("error", reject);
    child.on("exit", resolve);
  });
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

function shortFiles() {
  const files = readdirSync(join(ROOT, TESTS), { recursive: true })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => `${TESTS}/${file}`);
  return files.filter((file) => !LONG_TESTS.includes(file)).sort();
}

/** Runs the wtr suite of one engine; its counts, and what its probes found. */
async function functionalTests(engine, { short }) {
  const folder = join(ROOT, "build", "browsers");
  mkdirSync(folder, { recursive: true });
  const paths = { counts: join(folder, `${engine}.json`), features: join(folder, "features.json") };
  for (const path of Object.values(paths)) rmSync(path, { force: true });
  const common = { MILLRACE_BROWSER: engine, MILLRACE_BROWSER_COUNTS: paths.counts };
  await runTests({
    ...common,
    MILLRACE_BROWSER_FILES: PROBES,
    MILLRACE_BROWSER_ISOLATED: "1",
    MILLRACE_BROWSER_FEATURES: paths.features,
  });
  const features = readJson(paths.features);
  if (features === undefined) return { counts: { passed: 0, failed: 1, leftOut: {} } };
  rmSync(paths.counts, { force: true });
  // All of Chromium's groups run when no files are chosen.
  const files = short ? { MILLRACE_BROWSER_FILES: shortFiles().join(",") } : {};
  const code = await runTests({ ...common, ...files });
  const counts = readJson(paths.counts) ?? { passed: 0, failed: 1, leftOut: {} };
  // What is left out must say why.
  counts.failed += counts.leftOut[""] ?? 0;
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return { counts, features };
}

/** Everything of one engine. */
async function runEngine(engine, { short, available }) {
  const { name, version, scripts } = ENGINES[engine];
  process.stdout.write(`\n== ${name}\n`);
  let found;
  try {
    found = await version();
  } catch (error) {
    const absent = error.message.split("\n")[0];
    process.stdout.write(`not run: ${absent}\n`);
    return { name, absent, counts: { passed: 0, failed: available ? 0 : 1, leftOut: {} } };
  }
  const { counts, features } = await functionalTests(engine, { short });
  for (const { name: test, lines } of counts.failures ?? []) {
    process.stdout.write(failureText(`${name}, ${test}`, lines.join("\n")));
  }
  const suite = new Suite();
  try {
    await scripts?.(suite, false);
  } catch (error) {
    suite.fail(`the scripts of ${name}`, error);
  }
  counts.passed += suite.passed;
  counts.failed += suite.failed;
  return { name, version: found, counts, features };
}

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: "boolean", default: false },
    available: { type: "boolean", default: false },
    table: { type: "string" },
  },
});
const unknown = wanted.filter((engine) => !(engine in ENGINES));
if (unknown.length > 0) throw new Error(`there is no engine ${unknown.join(", ")}`);

const results = [];
for (const engine of wanted.length > 0 ? wanted : Object.keys(ENGINES)) {
  results.push(await runEngine(engine, options));
}
const leftOut = options.short ? `\nNot in the short form: ${LONG_TESTS.join(", ")}.\n` : "";
const tables = `${resultTable(results)}\n${leftOut}\n${featureTable(results)}\n`;
process.stdout.write(`\n${tables}\n`);
if (options.table !== undefined) writeFileSync(options.table, tables);
const total = (key) => results.reduce((sum, { counts }) => sum + counts[key], 0);
const closing = { passed: total("passed"), failed: total("failed") };
process.stdout.write(`${closingLine(closing)}\n`);
process.exitCode = closing.failed === 0 ? 0 : 1;
