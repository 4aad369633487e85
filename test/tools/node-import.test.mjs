/** The published package in plain Node: importing it touches no browser, and memory engines work. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { assert } from "chai";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const COPY_JOB = pathToFileURL(join(root, "test/fixtures/copy-job.mjs")).href;
const BROWSER_GLOBALS = [
  "window",
  "self",
  "document",
  "navigator",
  "location",
  "Worker",
  "SharedWorker",
  "indexedDB",
  "IDBKeyRange",
  "localStorage",
  "sessionStorage",
  "caches",
  "requestAnimationFrame",
];

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Builds a package unless what it builds is newer than its sources and what else goes into it. */
function buildIfStale(folder, output, ...more) {
  const source = join(root, folder, "src");
  const files = readdirSync(source, { recursive: true }).map((name) => join(source, name));
  const inputs = [
    ...files,
    join(root, folder, "build.mjs"),
    ...more.map((path) => join(root, path)),
  ];
  const newest = Math.max(...inputs.map(modifiedMs));
  if (modifiedMs(join(root, folder, output)) > newest) return;
  const { status, stderr } = spawnSync(process.execPath, ["build.mjs"], {
    cwd: join(root, folder),
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
}

/** Runs a module in a Node of its own; resolves what it printed as JSON. */
function runInNode(source) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", source],
    { cwd: join(root, "test"), encoding: "utf8", timeout: 20_000 },
  );
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

beforeAll(() => {
  buildIfStale("engine/host", "dist/local.js");
  // The jobs worker carries the client of the engine's build.
  buildIfStale("sdk", "dist/jobs-worker.js", "engine/host/dist/index.js");
}, 60_000);

describe("millrace in plain Node", () => {
  it("is imported without a look at any browser global", () => {
    const touched = runInNode(`
      const touched = [];
      for (const name of ${JSON.stringify(BROWSER_GLOBALS)}) {
        Object.defineProperty(globalThis, name, {
          configurable: true,
          get() {
            touched.push(name);
            throw new ReferenceError(name + " was touched");
          },
        });
      }
      const { open } = await import("millrace");
      const { definePlugin } = await import("millrace/plugin");
      console.log(JSON.stringify({ touched, open: typeof open, definePlugin: typeof definePlugin }));
    `);
    assert.deepEqual(touched, { touched: [], open: "function", definePlugin: "function" });
  });

  it("would show a global that is touched", () => {
    const touched = runInNode(`
      const touched = [];
      Object.defineProperty(globalThis, "indexedDB", { get: () => touched.push("indexedDB") });
      globalThis.indexedDB;
      console.log(JSON.stringify(touched));
    `);
    assert.deepEqual(touched, ["indexedDB"]);
  });

  it("opens an engine in memory, puts, reads, and lets the process end", () => {
    const read = runInNode(`
      import { open } from "millrace";
      const millrace = await open({ name: "node", storage: "memory" });
      const stream = await millrace.streams.create("clicks", { shards: 2 });
      const records = Array.from({ length: 1000 }, (_, number) => ({
        partitionKey: "key-" + (number % 7),
        data: { number },
      }));
      const { failedRecordCount } = await stream.putRecords(records);
      const numbers = new Set();
      const lastOfKey = new Map();
      let ordered = true;
      for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
        const { number } = record.json();
        ordered &&= number > (lastOfKey.get(record.partitionKey) ?? -1);
        lastOfKey.set(record.partitionKey, number);
        numbers.add(number);
      }
      await millrace.close();
      console.log(JSON.stringify({ failedRecordCount, records: numbers.size, ordered }));
    `);
    assert.deepEqual(read, { failedRecordCount: 0, records: 1000, ordered: true });
  });

  it("says that IndexedDB is not to be had", () => {
    const failure = runInNode(`
      import { open, StorageUnavailableError } from "millrace";
      const error = await open({ name: "node" }).then(() => undefined, (reason) => reason);
      console.log(JSON.stringify({
        typed: error instanceof StorageUnavailableError,
        argument: error?.details?.argument ?? error?.argument,
      }));
    `);
    assert.deepEqual(failure, { typed: true, argument: "storage" });
  });
});

describe("jobs in plain Node", () => {
  it("runs a job in a thread of its own, and lets the process end", () => {
    const read = runInNode(`
      import { open } from "millrace";
      const millrace = await open({ name: "node", storage: "memory", jobs: true });
      const input = await millrace.streams.create("in", { shards: 2 });
      const output = await millrace.streams.create("out", { shards: 1 });
      await millrace.jobs.define("copies", {
        module: "${COPY_JOB}",
        group: { streamName: "in" },
      });
      await input.putRecords(
        Array.from({ length: 1000 }, (_, i) => ({ partitionKey: "key-" + (i % 7), data: String(i) })),
      );
      const numbers = new Set();
      for await (const record of output.read({ from: "TRIM_HORIZON", until: "live" })) {
        numbers.add(record.text());
        if (numbers.size === 1000) break;
      }
      // What a job does is told a little later than it does it.
      let job = await millrace.jobs.describe("copies");
      while (job.state === "waiting" || job.state === "starting") {
        job = await millrace.jobs.describe("copies");
      }
      await millrace.close();
      const { state, restarts } = job;
      console.log(JSON.stringify({ numbers: numbers.size, state, restarts }));
    `);
    assert.deepEqual(read, { numbers: 1000, state: "running", restarts: 0 });
  });
});
