/** Builds dist/index.js; `millrace` and AWS's client stay imports of the application's. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const here = dirname(fileURLToPath(import.meta.url));
const bundle = await rolldown({
  cwd: here,
  input: join(here, "src", "index.ts"),
  external: [/^millrace(\/|$)/, /^@aws-sdk\//],
  platform: "browser",
  resolve: { conditionNames: ["@millrace/source", "browser", "import"] },
});
await bundle.write({ format: "esm", sourcemap: true, file: join(here, "dist", "index.js") });
await bundle.close();
