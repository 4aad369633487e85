/** Rollup with nothing but node's resolution. */
import { nodeResolve } from "@rollup/plugin-node-resolve";

export default {
  input: "main.js",
  output: { file: "dist/assets/app.js", format: "es", inlineDynamicImports: true },
  plugins: [nodeResolve({ browser: true })],
};
