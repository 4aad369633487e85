/** The command `millrace` as a process: it says where it is, stops when told, outlives a kill, and exports. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "chai";
import { bundle, bundleFolder, ROOT } from "../harness/bundle.mjs";

const NAME = "serve-command";
let command = "";
let directory = "";
const children = [];

beforeAll(async () => {
  const folder = await bundle(NAME, { "dist/cli": "sdk/src/serve/cli.ts" }, { platform: "node" });
  command = join(folder, "dist", "cli.js");
  // The core lies beside the engine's built files, wherever those are.
  const wasm = join(bundleFolder(NAME), "wasm");
  mkdirSync(bundleFolder(NAME), { recursive: true });
  if (!existsSync(wasm)) symlinkSync(join(ROOT, "engine/host/wasm"), wasm);
}, 60_000);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-command-"));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

/** Starts the command; `ended` resolves with its exit code and all that it said. */
function start(...words) {
  const child = spawn(process.execPath, [command, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let [output, complaint] = ["", ""];
  const ended = new Promise((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal, output, complaint }));
  });
  const url = new Promise((resolve, reject) => {
    child.stdout.on("data", (text) => {
      output += text;
      const found = /answers at (\S+),/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.stderr.on("data", (text) => {
      complaint += text;
    });
    void ended.then(() => reject(new Error(`it ended: ${complaint}`)));
  });
  url.catch(() => undefined);
  return { child, url, ended };
}

async function call(url, operation, input) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `Kinesis_20131202.${operation}`,
    },
    body: JSON.stringify(input),
  });
  assert.equal(response.status, 200);
  return JSON.parse((await response.text()) || "{}");
}

for (const signal of ["SIGTERM", "SIGINT"]) {
  it(`ends well at ${signal}, with its streams kept`, async () => {
    const first = start("serve", "--port", "0", "--data", directory);
    const url = await first.url;
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    await call(url, "CreateStream", { StreamName: "clicks", ShardCount: 1 });
    first.child.kill(signal);
    const { code, complaint } = await first.ended;
    assert.deepEqual({ code, complaint }, { code: 0, complaint: "" });
    const second = start("serve", "--port", "0", "--data", directory);
    assert.deepEqual((await call(await second.url, "ListStreams", {})).StreamNames, ["clicks"]);
  });
}

it("takes over what a killed one left, with all that was acknowledged", async () => {
  const first = start("serve", "--port", "0", "--data", directory);
  const url = await first.url;
  await call(url, "CreateStream", { StreamName: "clicks", ShardCount: 1 });
  const StreamName = "clicks";
  const put = { StreamName, PartitionKey: "a", Data: "aGk=" };
  const { SequenceNumber, ShardId } = await call(url, "PutRecord", put);
  first.child.kill("SIGKILL");
  assert.equal((await first.ended).signal, "SIGKILL");
  const second = start("serve", "--port", "0", "--data", directory);
  const again = await second.url;
  const { ShardIterator } = await call(again, "GetShardIterator", {
    ...{ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" },
  });
  const { Records } = await call(again, "GetRecords", { ShardIterator });
  assert.deepEqual(
    Records.map((record) => record.SequenceNumber),
    [SequenceNumber],
  );
});

it("exports what a killed one left, and nothing of one that serves", async () => {
  const first = start("serve", "--port", "0", "--data", directory);
  const url = await first.url;
  await call(url, "CreateStream", { StreamName: "clicks", ShardCount: 3 });
  const words = ["export", "--format", "cloudformation", directory];
  const refused = await start(...words).ended;
  assert.deepEqual([refused.code, refused.output], [1, ""]);
  assert.include(refused.complaint, 'has the engine "kinesis" open');
  first.child.kill("SIGKILL");
  await first.ended;
  const { code, output, complaint } = await start(...words).ended;
  assert.equal(code, 0);
  const { Resources } = JSON.parse(output);
  assert.deepInclude(Resources.StreamClicks.Properties, { Name: "clicks", ShardCount: 3 });
  assert.include(complaint, "millrace: records, sequence numbers and checkpoints stay");
  const out = join(directory, "template.json");
  assert.equal((await start(...words, "--out", out).ended).output, "");
  assert.equal(readFileSync(out, "utf8"), output);
  const wrong = await start("export", directory).ended;
  assert.equal(wrong.code, 2);
});

it("explains itself, and what it does not understand", async () => {
  const help = await start("--help").ended;
  assert.equal(help.code, 0);
  assert.match(help.output, /^Usage: millrace serve/);
  const wrong = await start("serve", "--prot", "1").ended;
  assert.equal(wrong.code, 2);
  assert.include(wrong.complaint, "--prot");
  assert.include(wrong.complaint, "Usage:");
  const refused = await start("serve", "--port", "70000").ended;
  assert.equal(refused.code, 1);
  assert.include(refused.complaint, "port must be");
});

it("warns when it listens to strangers", async () => {
  const { child, url, ended } = start("serve", "--port", "0", "--host", "0.0.0.0");
  await url;
  child.kill("SIGTERM");
  assert.include((await ended).complaint, "without access keys");
});
