/** The published package in plain Node: importing it touches no browser, and memory engines work. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "chai";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
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

/** Builds a package unless what it builds is newer than its sources. */
function buildIfStale(folder, output) {
  const source = join(root, folder, "src");
  const files = readdirSync(source, { recursive: true }).map((name) => join(source, name));
  const newest = Math.max(...[...files, join(root, folder, "build.mjs")].map(modifiedMs));
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

describe("millrace in plain Node", () => {
  beforeAll(() => {
    buildIfStale("engine/host", "dist/local.js");
    buildIfStale("sdk", "dist/index.js");
  });

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
