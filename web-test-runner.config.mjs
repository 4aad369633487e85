/** Browser tests: the sources themselves, in a real Chromium, one page per test file. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { esbuildPlugin } from "@web/dev-server-esbuild";
import { defaultReporter } from "@web/test-runner";
import { chromeLauncher } from "@web/test-runner-chrome";
import { bundledClient } from "./test/tools/bundled-client.mjs";
import { CHROMIUM_FLAGS, requireChromium } from "./test/tools/chromium.mjs";
import { countingReporter } from "./test/tools/counting-reporter.mjs";
import { storageCommands } from "./test/tools/storage-commands.mjs";

const chromePath = requireChromium();
const inRepository = (path) => new URL(`.${path}`, import.meta.url);

/** Sources name the files they become, as in `new URL("./worker.js", import.meta.url)`. */
function serveTypeScriptSources(context, next) {
  if (context.path.endsWith(".js") && !context.path.includes("/node_modules/")) {
    const source = context.path.replace(/\.js$/, ".ts");
    if (existsSync(inRepository(source)) && !existsSync(inRepository(context.path))) {
      context.path = source;
    }
  }
  return next();
}

/** Streaming compilation refuses any other type. */
async function typeWasm(context, next) {
  await next();
  if (context.path.endsWith(".wasm") && context.status === 200) context.type = "application/wasm";
}

function chromium(...moreFlags) {
  const args = [...CHROMIUM_FLAGS, ...moreFlags];
  return chromeLauncher({ launchOptions: { executablePath: chromePath, args } });
}

/** Chromium is about to keep IndexedDB in SQLite; the stores must not notice. */
const SQLITE_BACKEND = "--enable-features=IdbSqliteBackingStore";

const countsFile = process.env.MILLRACE_BROWSER_COUNTS;

export default {
  rootDir: fileURLToPath(new URL(".", import.meta.url)),
  nodeResolve: { exportConditions: ["@millrace/source"] },
  plugins: [
    bundledClient(),
    esbuildPlugin({
      ts: true,
      tsconfig: fileURLToPath(new URL("./tsconfig.base.json", import.meta.url)),
      target: "es2023",
    }),
    storageCommands(),
  ],
  browsers: [chromium()],
  concurrency: 1,
  groups: [
    { name: "browser", files: ["test/browser/**/*.test.ts", "!test/browser/storage/faults/**"] },
    {
      name: "storage on SQLite",
      files: "test/browser/storage/*.test.ts",
      browsers: [chromium(SQLITE_BACKEND)],
    },
    {
      name: "storage faults",
      files: "test/browser/storage/faults/*.test.ts",
      browsers: [chromium(), chromium(SQLITE_BACKEND)],
    },
  ],
  middleware: [serveTypeScriptSources, typeWasm],
  reporters: [
    defaultReporter({ reportTestResults: true, reportTestProgress: process.stdout.isTTY === true }),
    ...(countsFile === undefined ? [] : [countingReporter(countsFile)]),
  ],
  testFramework: { config: { ui: "bdd", timeout: 20_000 } },
  testsFinishTimeout: 300_000,
};
