/**
 * Builds the core: release with SIMD, release without, and debug with assertions and a source map.
 * A target is skipped when it is newer than every source.
 */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

const here = dirname(fileURLToPath(import.meta.url));
const entry = join(here, "assembly", "index.ts");
const common = ["--runtime", "stub", "--memoryBase", "1024"];
const release = ["-O3", "--noAssert"];

/** What is built: the file, its entry and the options of the AssemblyScript compiler. */
const targets = {
  core: {
    outFile: join(here, "..", "host", "wasm", "core.wasm"),
    entry,
    options: [...release, "--enable", "simd"],
  },
  scalar: {
    outFile: join(here, "..", "host", "wasm", "core.scalar.wasm"),
    entry,
    options: [...release, "--disable", "simd"],
  },
  debug: {
    outFile: join(here, "build", "core.debug.wasm"),
    entry,
    options: ["--debug", "--sourceMap", "./core.debug.wasm.map", "--enable", "simd"],
  },
  bench: {
    outFile: join(here, "build", "bench.wasm"),
    entry: join(here, "bench", "index.ts"),
    options: [...release, "--enable", "simd"],
  },
};

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newestSourceMs() {
  const folders = ["assembly", "bench"].map((name) => join(here, name));
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true }).map((name) => join(folder, name)),
  );
  return Math.max(...[...files, fileURLToPath(import.meta.url)].map(modifiedMs));
}

async function compile(name, target) {
  mkdirSync(dirname(target.outFile), { recursive: true });
  const paths = [target.entry, "--outFile", target.outFile].map((path) =>
    path.startsWith("--") ? path : relative(process.cwd(), path),
  );
  const { error, stderr } = await main([...paths, ...common, ...target.options]);
  const notes = stderr.toString();
  if (error || notes !== "")
    throw new Error(`${name} does not compile:\n${notes}`, { cause: error });
  process.stdout.write(`${relative(join(here, "..", ".."), target.outFile)}\n`);
}

const wanted = process.argv.slice(2);
const names = wanted.length === 0 ? ["core", "scalar", "debug"] : wanted;
const newest = newestSourceMs();
for (const name of names) {
  const target = targets[name];
  if (target === undefined)
    throw new Error(`${name} is none of ${Object.keys(targets).join(", ")}`);
  if (modifiedMs(target.outFile) < newest) await compile(name, target);
}
