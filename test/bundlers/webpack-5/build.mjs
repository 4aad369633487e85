/** Bundles the page with webpack, which finds worker, broker and core by itself. */
import { join } from "node:path";
import webpack from "webpack";

const here = import.meta.dirname;
const compiler = webpack({
  mode: "production",
  context: here,
  entry: "./main.js",
  // The engine's worker is larger than what webpack recommends for scripts that a page waits for.
  performance: false,
  output: { path: join(here, "dist", "assets"), filename: "app.js", publicPath: "/assets/" },
});
compiler.run((error, stats) => {
  const failed = error !== null || stats.hasErrors() || stats.hasWarnings();
  if (failed) process.stdout.write(`${error ?? stats.toString()}\n`);
  process.exitCode = failed ? 1 : 0;
});
