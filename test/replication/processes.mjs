/** What the runs of replications share: their processes, and a far side that is read at the end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle, ROOT } from "../harness/bundle.mjs";
import { lastWordOf, startProcess } from "../harness/killed-process.mjs";
import { FarSide } from "./far-side.mjs";

/** Bundles a process of the runs. Resolves with the function that makes the words of its command. */
export async function bundleProcess(name) {
  const folder = await bundle(
    name,
    { process: `test/replication/${name}-process.ts` },
    {
      platform: "node",
      external: [/^node:/, /^@aws-sdk\//, /^@smithy\//, "@millrace/engine/broker"],
    },
  );
  const wasm = join(ROOT, "engine/host/wasm/core.wasm");
  const script = join(folder, "process.js");
  return (mode, directory, count, extra = "") => [
    ...["--expose-gc", script, mode, directory, wasm, String(count), extra],
  ];
}

/** Runs a process to its end. Resolves with the last thing it said. */
export async function whole(command, mode, ...words) {
  return await lastWordOf(startProcess(command(mode, ...words)), mode);
}

/** Does something with two directories of its own. */
export async function withDirectories(work) {
  const near = mkdtempSync(join(tmpdir(), "millrace-near-"));
  const away = mkdtempSync(join(tmpdir(), "millrace-far-"));
  try {
    return await work(near, away);
  } finally {
    for (const directory of [near, away]) rmSync(directory, { recursive: true, force: true });
  }
}

/** Does something with a far side on a directory, and ends it. Resolves with what came of that, and its counts. */
export async function withFarSide(words, work) {
  const far = await FarSide.start(words);
  try {
    const done = await work(far);
    return { done, counts: await far.stop() };
  } finally {
    far.kill();
  }
}

/**
 * Does something with the far side of a replication, and then reads that as a consumer does: so many records, each
 * once and in the order of its key. Resolves with what came of it, what went wrong, and how many repeats are stored.
 */
export async function replicated(command, count, settings, work) {
  return await withDirectories(async (near, away) => {
    const words = command("far", away, count, JSON.stringify(settings));
    const { done, counts } = await withFarSide(words, (far) => work(near, far));
    const { read, stored, problems } = await whole(command, "check", away, count);
    if (problems.length > 0) throw new Error(problems.join("; "));
    if (read !== count) throw new Error(`${read} of ${count} records are read`);
    return { done, counts, repeats: stored - count };
  });
}
