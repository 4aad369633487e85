/**
 * Runs the benchmarks and prints their ratios: `node test/bench/run.mjs [--quick] [name...]`.
 *
 * The core alone runs in Node as well; everything else in Chromium, on a profile of its own. A whole run
 * writes test/bench/results.json; a short or partial one only build/bench-results.json.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../harness/bundle.mjs";
import { startChromium, temporaryProfile } from "../harness/chromium-session.mjs";
import { servePages } from "../harness/page-server.mjs";
import { buildBenchmarks } from "./build.mjs";
import { measureKinesalite } from "./kinesalite.mjs";
import { currentLoad, describeMachine, markdownTable } from "./report.mjs";

const WHOLE = {
  rounds: 7,
  memoryBatches: 1000,
  sustainedSeconds: 60,
  latencyPuts: 1000,
  kinesaliteCalls: 40,
  streamRecordsMax: 1_000_000,
};
const QUICK = {
  rounds: 5,
  memoryBatches: 200,
  sustainedSeconds: 10,
  latencyPuts: 200,
  kinesaliteCalls: 10,
  streamRecordsMax: 100_000,
};

const options = process.argv.slice(2);
const quick = options.includes("--quick");
const wanted = options.filter((option) => option !== "--quick");
const sizes = quick ? QUICK : WHOLE;

/** Rows of the core alone in Node. */
function coreInNode({ coreInNode: script, coreWasm, kernelWasm }) {
  const text = execFileSync(
    process.execPath,
    [script, String(sizes.rounds), coreWasm, kernelWasm],
    {
      encoding: "utf8",
      maxBuffer: 16_777_216,
    },
  );
  return JSON.parse(text);
}

const PEER = "kinesalite over loopback, official client in Node";

/** Completes rows whose peer is kinesalite, measured right after them. */
async function againstKinesalite(rows) {
  const wanted = [...new Set(rows.flatMap(({ peerMeasure }) => peerMeasure ?? []))];
  if (wanted.length === 0) return rows;
  const measured = await measureKinesalite(wanted, 5, sizes.kinesaliteCalls);
  return rows.map(({ peerMeasure, ...row }) => {
    if (peerMeasure === undefined) return row;
    const peerValue = measured[peerMeasure];
    const ratio = row.value / peerValue;
    const { atLeast } = row.target ?? {};
    const verdict = atLeast === undefined ? {} : { reached: ratio >= atLeast };
    return { ...row, peer: PEER, peerValue, ratio, ...verdict };
  });
}

/** One benchmark in a page of its own, so that none inherits the garbage of another. */
async function inPage(browser, url, name) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => process.stderr.write(`${name}: ${error}\n`));
  await page.goto(url);
  await page.waitForFunction("globalThis.runBenchmark !== undefined");
  const rows = await page.evaluate(
    (which, how) => globalThis.runBenchmark(which, how),
    name,
    sizes,
  );
  await page.close();
  return await againstKinesalite(rows);
}

async function namesOf(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForFunction("globalThis.benchmarkNames !== undefined");
  const names = await page.evaluate(() => globalThis.benchmarkNames);
  await page.close();
  return names;
}

function show(name, rows) {
  process.stdout.write(`\n${name} (load ${currentLoad()})\n${markdownTable(rows)}\n`);
}

async function main() {
  const built = await buildBenchmarks();
  const server = await servePages({ folders: built.folders });
  const profile = temporaryProfile("bench");
  const rows = [];
  const loadBefore = currentLoad();
  const browser = await startChromium(profile.path);
  try {
    if (wanted.length === 0 || wanted.includes("node")) {
      const found = coreInNode(built);
      show("node", found);
      rows.push(...found);
    }
    for (const name of await namesOf(browser, server.url)) {
      if (wanted.length > 0 && !wanted.includes(name)) continue;
      const found = await inPage(browser, server.url, name);
      show(name, found);
      rows.push(...found);
    }
    const machine = describeMachine(await browser.version());
    const results = { machine, quick, load: { before: loadBefore, after: currentLoad() }, rows };
    const whole = !quick && wanted.length === 0;
    mkdirSync(join(ROOT, "build"), { recursive: true });
    const file = whole ? "test/bench/results.json" : "build/bench-results.json";
    writeFileSync(join(ROOT, file), `${JSON.stringify(results, undefined, 2)}\n`);
    const { processor, cores, node, chromium } = machine;
    process.stdout.write(
      `\n${processor}, ${cores} cores, Node ${node}, ${chromium}, ${machine.date.slice(0, 10)}\n\n` +
        `${markdownTable(rows)}\n\nwritten to ${file}\n`,
    );
  } finally {
    await browser.close();
    await server.close();
    profile.remove();
  }
}

await main();
