/** Builds what the benchmarks run: the core, the kernels beside it, the page, its workers, Node's part. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { bundle, ROOT } from "../harness/bundle.mjs";

const NAME = "bench";

function buildCore() {
  const { status } = spawnSync(process.execPath, ["engine/core/build.mjs", "core", "bench"], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("the core and its kernels could not be built");
}

/** Builds everything; resolves with the folders that the page is served from, and the files for Node. */
export async function buildBenchmarks() {
  buildCore();
  const folder = await bundle(NAME, {
    page: "test/bench/page.ts",
    worker: "engine/host/src/worker.ts",
    "echo-worker": "test/bench/workers/echo-worker.ts",
    "raw-store-worker": "test/bench/workers/raw-store-worker.ts",
  });
  await bundle(
    NAME,
    { "core-in-node": "test/bench/core-in-node.ts" },
    { platform: "node", external: [/^node:/, "hash-wasm"] },
  );
  const kernels = join(ROOT, "engine", "core", "build");
  return {
    folders: [folder, kernels],
    coreInNode: join(folder, "core-in-node.js"),
    coreWasm: join(ROOT, "engine", "host", "wasm", "core.wasm"),
    kernelWasm: join(kernels, "bench.wasm"),
  };
}
