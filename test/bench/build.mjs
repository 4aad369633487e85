/** Builds what the benchmarks run: the two small Wasm modules of their own, the pages and the workers. */
import { spawnSync } from "node:child_process";
import { join, relative } from "node:path";
import { main as compile } from "assemblyscript/asc";
import { bundle, bundleFolder, ROOT } from "../harness/bundle.mjs";

const NAME = "bench";
/** As the core itself is built, see engine/core/build.mjs. */
const CORE_OPTIONS = [
  ...["--runtime", "stub", "--memoryBase", "1024"],
  ...["-O3", "--shrinkLevel", "1", "--converge", "--noAssert", "--enable", "simd"],
];

async function compileKeys(folder) {
  const entry = relative(process.cwd(), join(ROOT, "test", "bench", "assembly", "keys.ts"));
  const output = relative(process.cwd(), join(folder, "keys.wasm"));
  const { error, stderr } = await compile([entry, "--outFile", output, ...CORE_OPTIONS]);
  if (error) throw new Error(`keys.ts does not compile:\n${stderr.toString()}`, { cause: error });
}

function compileFloor() {
  const { status } = spawnSync(process.execPath, [join("engine", "core", "build.mjs"), "core", "bench"], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("the core and its memcpy floor could not be built");
}

/** Builds everything; resolves with the folders that the pages are served from. */
export async function buildBenchmarks() {
  compileFloor();
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
  await compileKeys(folder);
  return { folders: [folder, join(ROOT, "engine", "core", "build")], bundles: bundleFolder(NAME) };
}
