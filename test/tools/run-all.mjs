/**
 * Everything that must hold before a change goes in: builds, types, lint, all tests, sizes.
 *
 * Every step runs, also after a failure, unless it needs what failed. The end names what failed, and the last
 * line is `N passed, N failed`: all tests of all suites, and one failure for each other step that failed.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { requireChromium } from "./chromium.mjs";
import { failureSummary, failuresInOutput, failuresInVitest, withUnnamed } from "./failures.mjs";
import { closingLine, countScriptOutput, countVitestReport } from "./test-counts.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const bin = (name) => join(root, "node_modules", ".bin", name);
const counts = join(root, "build", "test-counts");
const vitestReport = join(counts, "vitest.json");
const browserReport = join(counts, "browser.json");

/** Runs a command with its output on the console; resolves with its exit code and its stdout. */
function run([command, ...commandArguments], environment = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, commandArguments, {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...environment },
    });
    let output = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on("error", (error) => {
      process.stdout.write(`${command} could not be started: ${error.message}\n`);
      resolve({ code: 1, output });
    });
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

const npmRun = (script, workspace) => ["npm", "run", "--silent", script, "-w", workspace];

/** Steps that pass or fail as a whole. `needs` names a step without which this one says nothing. */
const checks = [
  { name: "build core", command: npmRun("build", "@millrace/core") },
  { name: "typecheck", command: [bin("tsc"), "-b"] },
  { name: "typecheck tests", command: [bin("tsc"), "-p", "tsconfig.test.json"] },
  { name: "build engine", command: npmRun("build", "@millrace/engine") },
  { name: "build sdk", command: npmRun("build", "millrace") },
  { name: "build plugin", command: npmRun("build", "@millrace/transform-access-log") },
  { name: "build leases", command: npmRun("build", "@millrace/leases-dynamodb") },
  { name: "build site", command: npmRun("build", "@millrace/site") },
  { name: "format and lint", command: [bin("biome"), "ci", "."] },
  {
    name: "layers",
    command: [
      bin("depcruise"),
      ...["--config", ".dependency-cruiser.cjs"],
      ...["engine/host/src", "sdk/src", "plugins", "site/src"],
    ],
  },
  { name: "templates", command: ["npm", "run", "--silent", "lint:templates"] },
  { name: "first route", command: ["node", "test/tools/first-route.mjs"], needs: "build site" },
  { name: "sizes", command: [bin("size-limit")], needs: "first route" },
];

function readReport(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

/** What every suite is that is a script of its own. */
const scriptOutput = {
  counts: ({ output }) => countScriptOutput(output),
  failures: ({ output }) => failuresInOutput(output),
};

/**
 * Suites of tests, each with the way to its counts and to what failed; undefined counts mean that it did not run.
 */
function suites(chromePath) {
  const withChromium = { CHROME_PATH: chromePath ?? "" };
  const script = (name, file) => ({
    name,
    command: ["node", file],
    environment: withChromium,
    needsChromium: true,
    ...scriptOutput,
  });
  const scripts = [
    ["end to end", "test/e2e/run.mjs"],
    ["faults", "test/faults/run.mjs"],
    ["tabs", "test/tabs/run.mjs"],
    ["pipelines", "test/pipelines/run.mjs"],
    ["replication", "test/replication/run.mjs"],
    ["replicas", "test/replication/replica-run.mjs"],
    ["bundlers", "test/bundlers/run.mjs"],
  ].filter(([, file]) => existsSync(join(root, file)));
  return [
    {
      name: "unit tests",
      command: [
        bin("vitest"),
        "run",
        ...["--reporter=dot", "--reporter=json", `--outputFile.json=${vitestReport}`],
      ],
      counts: () => countVitestReport(readReport(vitestReport)),
      failures: () => failuresInVitest(readReport(vitestReport), root),
    },
    {
      name: "browser tests",
      command: [bin("wtr")],
      environment: { ...withChromium, MILLRACE_BROWSER_COUNTS: browserReport },
      needsChromium: true,
      counts: () => readReport(browserReport),
      failures: () => readReport(browserReport)?.failures ?? [],
    },
    {
      name: "simulation",
      command: ["node", "test/simulation/run.mjs"],
      ...scriptOutput,
    },
    ...scripts.map(([name, file]) => script(name, file)),
    {
      name: "Firefox and WebKit",
      // On a build server both are there; elsewhere the one that is missing is told.
      command: [
        ...["node", "test/browsers/run.mjs", "firefox", "webkit", "--short"],
        ...(process.env.CI === "true" ? [] : ["--available"]),
      ],
      mayBeEmpty: process.env.CI !== "true",
      ...scriptOutput,
    },
  ];
}

function locateChromium() {
  try {
    return requireChromium();
  } catch (error) {
    process.stdout.write(`${error.message}\n`);
    return undefined;
  }
}

/** Runs one check; returns its verdict for the summary. */
async function runCheck({ name, command, needs }, failedNames) {
  process.stdout.write(`\n== ${name}\n`);
  if (failedNames.has(needs)) {
    process.stdout.write(`not run: ${needs} failed\n`);
    return { name, passed: 0, failed: 1 };
  }
  const { code } = await run(command);
  return { name, passed: 0, failed: code === 0 ? 0 : 1 };
}

/** Runs one suite. A suite that fails without a failed test counts as one failure. */
async function runSuite(suite, chromePath) {
  process.stdout.write(`\n== ${suite.name}\n`);
  if (suite.needsChromium && chromePath === undefined) {
    process.stdout.write("not run: there is no Chromium\n");
    return { name: suite.name, passed: 0, failed: 1 };
  }
  const result = await run(suite.command, suite.environment);
  const found = suite.counts(result);
  const passed = found?.passed ?? 0;
  const failed = found?.failed ?? 0;
  const empty = passed === 0 && suite.mayBeEmpty !== true;
  const unexplained = failed === 0 && (result.code !== 0 || empty);
  process.stdout.write(`${suite.name}: ${passed} passed, ${failed} failed\n`);
  const allFailed = unexplained ? 1 : failed;
  const failures = withUnnamed(suite.failures(result), allFailed, result.code);
  return { name: suite.name, passed, failed: allFailed, failures };
}

async function main() {
  rmSync(counts, { recursive: true, force: true });
  mkdirSync(counts, { recursive: true });
  const verdicts = [];
  const failedNames = new Set();
  const chromePath = locateChromium();
  const sizeChecks = checks.filter(({ needs }) => needs !== undefined);
  for (const check of checks.filter(({ needs }) => needs === undefined)) {
    const verdict = await runCheck(check, failedNames);
    if (verdict.failed > 0) failedNames.add(check.name);
    verdicts.push(verdict);
  }
  for (const suite of suites(chromePath)) verdicts.push(await runSuite(suite, chromePath));
  for (const check of sizeChecks) {
    const verdict = await runCheck(check, failedNames);
    if (verdict.failed > 0) failedNames.add(check.name);
    verdicts.push(verdict);
  }
  const named = failureSummary(verdicts.filter(({ failures }) => failures !== undefined));
  process.stdout.write(named.map((line) => `\n${line}`).join(""));
  const failures = verdicts.filter(({ failed }) => failed > 0).map(({ name }) => name);
  process.stdout.write(failures.length === 0 ? "\n" : `\nfailed: ${failures.join(", ")}\n`);
  const passed = verdicts.reduce((sum, verdict) => sum + verdict.passed, 0);
  const failed = verdicts.reduce((sum, verdict) => sum + verdict.failed, 0);
  process.stdout.write(`${closingLine({ passed, failed })}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
