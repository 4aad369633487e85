/** A process killed while it writes to a file store: what was acknowledged is there, in order, and whole. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "../harness/bundle.mjs";

/** Rounds of writing and killing; more with MILLRACE_FILE_ROUNDS. */
const ROUNDS = Number(process.env.MILLRACE_FILE_ROUNDS ?? 5);
/** A round's writing lasts so long after its start, at random. */
const WRITING_MS = { min: 50, max: 900 };
/** A lane may have one batch more than was acknowledged: the one under way. */
const BATCH_MAX = 8;

function start(folder, mode, directory, stderr = "inherit") {
  const wasm = join(ROOT, "engine/host/wasm/core.wasm");
  return spawn(process.execPath, [join(folder, "writer.js"), mode, directory, wasm], {
    stdio: ["ignore", "pipe", stderr],
  });
}

function ended(child) {
  return new Promise((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}

/** Writes until the process is killed. Resolves with the last acknowledged number of each lane. */
async function writeAndKill(folder, directory) {
  const child = start(folder, "write", directory);
  const end = ended(child);
  const acknowledged = new Map();
  const started = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { started: begun, lane, number } = JSON.parse(line);
      if (begun) resolve(true);
      else acknowledged.set(lane, number);
    });
  });
  const early = end.then(({ code }) => {
    throw new Error(`the writer ended by itself, with ${code}`);
  });
  early.catch(() => undefined);
  await Promise.race([started, early]);
  const { min, max } = WRITING_MS;
  const waitMs = min + Math.random() * (max - min);
  await Promise.race([new Promise((resolve) => setTimeout(resolve, waitMs)), early]);
  child.kill("SIGKILL");
  await end;
  return acknowledged;
}

async function readAll(folder, directory) {
  const child = start(folder, "read", directory);
  let output = "";
  child.stdout.on("data", (text) => {
    output += text;
  });
  const { code } = await ended(child);
  if (code !== 0) throw new Error(`the reader ended with ${code}`);
  return JSON.parse(output);
}

function check({ lanes, dataLoss }, acknowledged) {
  const problems = lanes.flatMap(({ records, problems: found }, lane) => {
    const expected = (acknowledged.get(lane) ?? -1) + 1;
    const missing = records < expected ? [`${expected - records} acknowledged are gone`] : [];
    const extra = records > expected + BATCH_MAX ? [`${records - expected} too many`] : [];
    return [...found.slice(0, 3), ...missing, ...extra].map((text) => `lane ${lane}: ${text}`);
  });
  if (dataLoss > 0) problems.push(`the engine reports ${dataLoss} damaged places`);
  if (problems.length > 0) throw new Error(problems.join("; "));
}

/** A second process is kept out as long as the first one lives. */
async function secondIsRefused(folder, directory) {
  const first = start(folder, "write", directory);
  const end = ended(first);
  await new Promise((resolve) => first.stdout.once("data", resolve));
  const second = start(folder, "read", directory, "pipe");
  let complaint = "";
  second.stderr.on("data", (text) => {
    complaint += text;
  });
  const { code } = await ended(second);
  first.kill("SIGKILL");
  await end;
  if (code === 0) throw new Error("two processes had the engine open");
  if (!complaint.includes("EngineInUseError")) throw new Error(`it failed for: ${complaint}`);
  return "the second process was told EngineInUseError";
}

/** Adds the tests of the file store to a suite. */
export async function fileTests(suite, [folder]) {
  const directory = mkdtempSync(join(tmpdir(), "millrace-file-"));
  const acknowledged = new Map();
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      await suite.test(
        `kill -9 of a process on a file store loses nothing acknowledged, round ${round}`,
        async () => {
          const fresh = await writeAndKill(folder, directory);
          for (const [lane, number] of fresh) acknowledged.set(lane, number);
          const report = await readAll(folder, directory);
          check(report, acknowledged);
          // What was under way and got there counts from now on.
          for (const [lane, { records }] of report.lanes.entries()) {
            acknowledged.set(lane, records - 1);
          }
          const records = report.lanes.reduce((sum, lane) => sum + lane.records, 0);
          return `${records} records read, ${(report.bytes / 2 ** 20).toFixed(0)} MiB`;
        },
      );
    }
    await suite.test("a file store that is in use is refused", () =>
      secondIsRefused(folder, directory),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}
