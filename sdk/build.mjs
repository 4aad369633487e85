/**
 * Builds dist/ with @millrace/engine left to the application's bundler, and build/size/page.js: all
 * that a page loads before the worker starts, minified, to be measured.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");

async function build(input, external, output) {
  const bundle = await rolldown({
    cwd: here,
    input,
    external,
    platform: "browser",
    resolve: { conditionNames: ["@millrace/source", "browser", "import"] },
  });
  try {
    await bundle.write({ format: "esm", sourcemap: true, ...output });
  } finally {
    await bundle.close();
  }
}

await build(
  { index: join(source, "index.ts"), plugin: join(source, "plugin", "index.ts") },
  [/^@millrace\/engine/],
  { dir: join(here, "dist"), entryFileNames: "[name].js", chunkFileNames: "shared.js" },
);
// The engine for Node is loaded there only, on demand.
await build(join(source, "index.ts"), [/^node:/, "@millrace/engine/local"], {
  file: join(here, "..", "build", "size", "page.js"),
  minify: true,
});
