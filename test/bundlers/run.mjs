/**
 * The packed packages in every bundler: `node test/bundlers/run.mjs` runs what needs nothing but the workspace,
 * `--long` all of it, with tools from the registry. Words after that choose consumers by a part of their name.
 * The packages must be built. Prints a table and writes it to build/bundlers/table.md.
 */
import { strict as assert } from "node:assert";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChromium, temporaryProfile } from "../harness/chromium-session.mjs";
import { Suite } from "../harness/suite.mjs";
import { CONSUMERS } from "./consumers.mjs";
import { failureIn, worksIn } from "./exercise.mjs";
import { install, pack, run } from "./installation.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Well below the 10 s that a silent worker is waited for. */
const FAILURE_MS_MAX = 5000;

const words = process.argv.slice(2);
const long = words.includes("--long");
const wanted = words.filter((word) => !word.startsWith("--"));

const rows = [];

function entryOf({ setup }) {
  return setup.includes("millrace/inline") ? "`millrace/inline`" : "`millrace`";
}

async function checkFailure(browser, url, pattern) {
  const failure = await failureIn(browser, url);
  assert.ok(failure !== undefined, "it opened, but was to fail");
  const { name, message, afterMs } = failure;
  assert.match(message, pattern);
  assert.match(name, /^_?(Worker|Wasm)LoadError\d*$/);
  assert.match(message, /node_modules\/millrace\/docs\/loading\.md$/);
  assert.ok(afterMs < FAILURE_MS_MAX, `it failed after ${afterMs} ms: ${message}`);
  return { result: name.replace(/[_\d]/g, ""), remark: `${afterMs.toFixed(0)} ms: ${message}` };
}

async function checkWorking(browser, url, { transport, violation }) {
  const found = await worksIn(browser, url);
  assert.equal(found.transport, transport);
  const unexpected = found.violations.filter((text) => violation?.test(text) !== true);
  assert.deepEqual(unexpected, []);
  const way = transport === "port" ? "tabs through the broker" : "tabs over a broadcast channel";
  return { result: "works", remark: way };
}

async function exercise(consumer, browser, tarballs) {
  const { app, setup, serve, expect, note = "" } = consumer;
  const folder = await install(app, setup, tarballs, long);
  const served = await serve(folder);
  try {
    const { result, remark } =
      expect.fails === undefined
        ? await checkWorking(browser, served.url, expect)
        : await checkFailure(browser, served.url, expect.fails);
    const way = expect.transport === "broadcast" ? "tabs over a broadcast channel" : "";
    rows.push([consumer.name, entryOf(consumer), result, [note, way].filter(Boolean).join("; ")]);
    return remark;
  } finally {
    await served.stop();
  }
}

async function importInNode(tarballs) {
  const folder = await install("node", "", tarballs, false);
  const { onImport, read } = JSON.parse(await run("node", ["import.mjs"], { cwd: folder }));
  assert.deepEqual({ onImport, read }, { onImport: [], read: [1000, 1000] });
  rows.push(["Node, as for SSR", "all entries", "works", 'storage "memory"']);
  return "imports touch no browser global; an engine in memory keeps 1,000 records";
}

function tableOf() {
  const head = ["consumer", "entry", "result", "note"];
  const lines = [head, head.map(() => "---"), ...rows];
  return `${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

const suite = new Suite();
const chosen = CONSUMERS.filter(
  ({ name, short }) =>
    (long || short === true) &&
    (wanted.length === 0 || wanted.some((word) => name.toLowerCase().includes(word))),
);
if (!existsSync(join(root, "engine", "host", "dist", "inline.js"))) {
  throw new Error("the packages are not built: run npm run build first");
}
const tarballs = await pack();
const profile = temporaryProfile("bundlers");
const browser = await startChromium(profile.path);
try {
  if (wanted.length === 0) {
    await suite.test("Node, as for SSR", () => importInNode(tarballs));
  }
  for (const consumer of chosen) {
    const { name, note } = consumer;
    const title = [name, entryOf(consumer), note].filter(Boolean).join(", ");
    await suite.test(title, () => exercise(consumer, browser, tarballs));
  }
} finally {
  await browser.close();
  profile.remove();
}
const table = tableOf();
writeFileSync(join(root, "build", "bundlers", "table.md"), table);
process.stdout.write(`\n${table}\n${suite.passed} passed, ${suite.failed} failed\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
