/** One classic script: no module, so that nothing can lie beside it. */
import { defineConfig } from "rolldown";

export default defineConfig({
  input: "main.js",
  platform: "browser",
  output: { file: "dist/assets/app.js", format: "iife", minify: true, codeSplitting: false },
});
