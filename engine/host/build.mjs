/**
 * Builds dist/: index.js, local.js and model.js for bundlers, readable and with their shared code in one chunk,
 * and worker.js and broker.js, each minified with everything it needs, for a browser to load as they are.
 * inline.js holds both as text, with the core inside the worker, for pages that cannot serve them.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");

/** Names what is built: a page and a worker of unlike sources refuse each other. */
function identifySources() {
  const hash = createHash("sha256");
  const files = readdirSync(source, { recursive: true }).filter((name) => name.endsWith(".ts"));
  for (const name of files.sort()) hash.update(name).update(readFileSync(join(source, name)));
  return hash.digest("hex").slice(0, 16);
}

const buildId = JSON.stringify(identifySources());

/** What every bundle has; `constants` are expressions by the name that the sources declare. */
function common(constants = {}) {
  return {
    cwd: here,
    platform: "browser",
    external: [/^node:/],
    resolve: { conditionNames: ["@millrace/source", "browser", "import"] },
    transform: {
      define: {
        MILLRACE_BUILD_ID: buildId,
        MILLRACE_CORE_BASE64: "undefined",
        MILLRACE_INLINE: "undefined",
        ...constants,
      },
    },
    plugins: [rebaseAssetUrls()],
  };
}

/**
 * A module in a folder of src/ names the worker and the core relative to itself, but its bundle lies
 * at the root of dist/: the paths are made relative to src/, which has the same surroundings.
 */
function rebaseAssetUrls() {
  const pattern = /new URL\(\s*(["'])(\.{1,2}\/[^"']+)\1\s*,\s*import\.meta\.url\s*,?\s*\)/g;
  return {
    name: "rebase-asset-urls",
    transform(code, id) {
      const file = id.split("?")[0];
      if (!file.startsWith(source + sep) || !code.includes("import.meta.url")) return null;
      const rebased = code.replace(pattern, (match, _quote, path) => {
        const fromSource = relative(source, resolve(dirname(file), path))
          .split(sep)
          .join("/");
        const specifier = fromSource.startsWith("../") ? fromSource : `./${fromSource}`;
        // No longer than before, and filled up to the same length: the source map stays right.
        return `new URL("${specifier}", import.meta.url)`.padEnd(match.length);
      });
      return { code: rebased, map: null };
    },
  };
}

async function build(input, output, constants) {
  const bundle = await rolldown({ ...common(constants), input });
  try {
    await bundle.write({ format: "esm", sourcemap: true, ...output });
  } finally {
    await bundle.close();
  }
}

/** The worker's script with both of the core's builds inside it. */
async function buildCarryingWorker() {
  const base64 = (name) => readFileSync(join(here, "wasm", name)).toString("base64");
  const core = { simd: base64("core.wasm"), scalar: base64("core.scalar.wasm") };
  const bundle = await rolldown({
    ...common({ MILLRACE_CORE_BASE64: JSON.stringify(core) }),
    input: join(source, "worker.ts"),
  });
  try {
    const { output } = await bundle.generate({ format: "esm", minify: true });
    return output[0].code;
  } finally {
    await bundle.close();
  }
}

const dist = join(here, "dist");
for (const name of ["worker", "broker"]) {
  await build(join(source, `${name}.ts`), { file: join(dist, `${name}.js`), minify: true });
}
const broker = readFileSync(join(dist, "broker.js"), "utf8").replace(
  /\/\/# sourceMappingURL=.*\s*$/,
  "",
);
await build(
  {
    index: join(source, "index.ts"),
    inline: join(source, "inline.ts"),
    local: join(source, "local.ts"),
    model: join(source, "model.ts"),
  },
  { dir: dist, entryFileNames: "[name].js", chunkFileNames: "shared.js" },
  { MILLRACE_INLINE: JSON.stringify({ worker: await buildCarryingWorker(), broker }) },
);
