/**
 * Browser tests: the sources themselves, in a real browser, one page per test file. MILLRACE_BROWSER
 * chooses it: "chromium" (the default), "firefox" or "webkit".
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { esbuildPlugin } from "@web/dev-server-esbuild";
import { defaultReporter } from "@web/test-runner";
import { chromeLauncher } from "@web/test-runner-chrome";
import { bundledClient } from "./test/tools/bundled-client.mjs";
import { bundledWorker } from "./test/tools/bundled-worker.mjs";
import { CHROMIUM_FLAGS, requireChromium } from "./test/tools/chromium.mjs";
import { countingReporter } from "./test/tools/counting-reporter.mjs";
import { featureCommands } from "./test/tools/feature-commands.mjs";
import { FIREFOX_PREFERENCES, requireFirefox } from "./test/tools/firefox.mjs";
import { storageCommands } from "./test/tools/storage-commands.mjs";
import { webkitLauncher } from "./test/tools/webkit-launcher.mjs";

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

/**
 * Each page and each worker loads hundreds of sources. But where they are watched they do not change during a
 * run, and need not be asked for again; Firefox and WebKit ask one after the other.
 */
async function keepSources(context, next) {
  await next();
  const isSource = /^\/(engine|sdk|plugins|node_modules|bundled|__wds)/.test(context.path);
  if (isSource && context.status === 200 && !process.argv.includes("--watch")) {
    context.set("cache-control", "max-age=3600");
  }
}

/** With MILLRACE_BROWSER_ISOLATED=1, pages have what browsers give to isolated ones only. */
function isolate(context, next) {
  if (process.env.MILLRACE_BROWSER_ISOLATED === "1") {
    context.set("cross-origin-opener-policy", "same-origin");
    context.set("cross-origin-embedder-policy", "require-corp");
  }
  return next();
}

function chromium(...moreFlags) {
  const args = [...CHROMIUM_FLAGS, ...moreFlags];
  return chromeLauncher({ launchOptions: { executablePath: requireChromium(), args } });
}

/** puppeteer speaks WebDriver BiDi to Firefox. */
function firefox() {
  const launchOptions = {
    browser: "firefox",
    executablePath: requireFirefox(),
    extraPrefsFirefox: FIREFOX_PREFERENCES,
  };
  return Object.assign(chromeLauncher({ launchOptions }), { name: "Firefox" });
}

/** Chromium is about to keep IndexedDB in SQLite; the stores must not notice. */
const SQLITE_BACKEND = "--enable-features=IdbSqliteBackingStore";

const TESTS = ["test/browser/**/*.test.ts", "!test/browser/storage/faults/**"];
const STORAGE_TESTS = "test/browser/storage/*.test.ts";
/** They limit and clear the origin's storage, and need a browser of their own. */
const STORAGE_FAULT_TESTS = "test/browser/storage/faults/*.test.ts";

/** A run of chosen files, such as "test/browser/sdk/open.test.ts", separated by commas. */
const chosenFiles = process.env.MILLRACE_BROWSER_FILES?.split(",");

const groups = {
  chromium: () => [
    { name: "browser", files: TESTS, browsers: [chromium()] },
    { name: "storage on SQLite", files: STORAGE_TESTS, browsers: [chromium(SQLITE_BACKEND)] },
    {
      name: "storage faults",
      files: STORAGE_FAULT_TESTS,
      browsers: [chromium(), chromium(SQLITE_BACKEND)],
    },
  ],
  firefox: () => [
    { name: "browser", files: TESTS, browsers: [firefox()] },
    { name: "storage faults", files: STORAGE_FAULT_TESTS, browsers: [firefox()] },
  ],
  webkit: () => [
    { name: "browser", files: [...TESTS, STORAGE_FAULT_TESTS], browsers: [webkitLauncher()] },
  ],
};

const browser = process.env.MILLRACE_BROWSER ?? "chromium";
/** The others load sources slowly. */
const isChromium = browser === "chromium";

function chosenGroups() {
  const [first, ...more] = groups[browser]();
  return chosenFiles === undefined ? [first, ...more] : [{ ...first, files: chosenFiles }];
}

const countsFile = process.env.MILLRACE_BROWSER_COUNTS;

export default {
  rootDir: fileURLToPath(new URL(".", import.meta.url)),
  nodeResolve: { exportConditions: ["@millrace/source"] },
  plugins: [
    bundledClient(),
    ...(isChromium ? [] : [bundledWorker()]),
    esbuildPlugin({
      ts: true,
      tsconfig: fileURLToPath(new URL("./tsconfig.base.json", import.meta.url)),
      target: "es2023",
    }),
    storageCommands(),
    featureCommands(process.env.MILLRACE_BROWSER_FEATURES),
  ],
  concurrency: 1,
  groups: chosenGroups(),
  middleware: [isolate, keepSources, serveTypeScriptSources, typeWasm],
  reporters: [
    defaultReporter({ reportTestResults: true, reportTestProgress: process.stdout.isTTY === true }),
    ...(countsFile === undefined ? [] : [countingReporter(countsFile)]),
  ],
  testFramework: { config: { ui: "bdd", timeout: isChromium ? 20_000 : 60_000 } },
  browserStartTimeout: isChromium ? 30_000 : 120_000,
  testsStartTimeout: isChromium ? 20_000 : 120_000,
  testsFinishTimeout: isChromium ? 300_000 : 600_000,
};
