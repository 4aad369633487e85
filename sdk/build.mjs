/**
 * Builds dist/ with @millrace/engine left to the application's bundler, and build/size/page.js: all
 * that a page loads before the worker starts, minified, to be measured.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");

async function build(input, external, output, platform = "browser") {
  const bundle = await rolldown({
    cwd: here,
    input,
    external,
    platform,
    resolve: { conditionNames: ["@millrace/source", platform, "import"] },
  });
  try {
    await bundle.write({ format: "esm", sourcemap: true, ...output });
  } finally {
    await bundle.close();
  }
}

await build(
  {
    index: join(source, "index.ts"),
    inline: join(source, "inline.ts"),
    plugin: join(source, "plugin", "index.ts"),
    aws: join(source, "aws", "index.ts"),
    aggregation: join(source, "aggregation", "index.ts"),
    producer: join(source, "producer", "index.ts"),
  },
  [/^@millrace\/engine/],
  { dir: join(here, "dist"), entryFileNames: "[name].js", chunkFileNames: "chunk-[name].js" },
);
/** What a page loads only when it uses it. */
const onDemand =
  /\/(archive|aws\/request-handler|stream-control|consumer-reader|read-recovery|open-here|left-behind|script-diagnosis|groups\/consumer-group)\.ts$/;
// The engine for Node is loaded there only, on demand, too.
await build(join(source, "index.ts"), [/^node:/, "@millrace/engine/local", onDemand], {
  file: join(here, "..", "build", "size", "page.js"),
  minify: true,
});
// The server and its command are for Node, where the engine's files are beside them.
await build(
  {
    serve: join(source, "serve", "index.ts"),
    cli: join(source, "serve", "cli.ts"),
  },
  [/^node:/, /^@millrace\/engine/],
  { dir: join(here, "dist"), entryFileNames: "[name].js", chunkFileNames: "server.js" },
  "node",
);
