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
    infrastructure: join(source, "infrastructure", "index.ts"),
    producer: join(source, "producer", "index.ts"),
    remote: join(source, "remote", "index.ts"),
  },
  [/^@millrace\/engine/, /^@aws-sdk\//],
  { dir: join(here, "dist"), entryFileNames: "[name].js", chunkFileNames: "chunk-[name].js" },
);
/** What a page loads only when it uses it. */
const onDemand =
  /\/(archive|aws\/request-handler|stream-control|consumer-reader|read-recovery|open-here|left-behind|script-diagnosis|groups\/(consumer-group|remote-group)|replication\/(stream-replication|replica)|triggers\/trigger|pipelines\/(pipeline|deployments)|jobs\/job-(directory|host)|remote\/(leaving-calls|client-place))\.ts$/;
// The engine for Node is loaded there only, on demand, too.
await build(join(source, "index.ts"), [/^node:/, "@millrace/engine/local", onDemand], {
  file: join(here, "..", "build", "size", "page.js"),
  minify: true,
});
// The jobs worker is loaded as it is, like the engine's worker: with everything that it needs. Its half of the
// engine is of the same build as the page's, and so comes from the engine's dist/.
const jobsWorker = await rolldown({
  cwd: here,
  input: join(source, "jobs-worker.ts"),
  external: [/^node:/],
  platform: "browser",
  resolve: { conditionNames: ["browser", "import"] },
});
await jobsWorker.write({
  ...{ file: join(here, "dist", "jobs-worker.js"), format: "esm" },
  ...{ sourcemap: true, minify: true, codeSplitting: false },
});
await jobsWorker.close();
// What an application loads besides for a Kinesis elsewhere, without the engine's half and AWS's client.
await build(join(source, "remote", "index.ts"), [/^@millrace\/engine/, /^@aws-sdk\//, onDemand], {
  file: join(here, "..", "build", "size", "remote.js"),
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
