/** A small runner for scenarios over the built site: one after the other, each with its own browser. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";
import { CHROMIUM_FLAGS, requireChromium } from "../tools/chromium.mjs";
import { failureText } from "../tools/failures.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Longest wait for anything that a scenario waits for, in ms. */
export const PATIENCE_MS = 20_000;

/** Widths that the page is looked at, with the heights that go with them. */
export const VIEWPORTS = {
  wide: { width: 1280, height: 800 },
  phone: { width: 390, height: 844, isMobile: true, hasTouch: true },
};

/** Starts `node site/serve.mjs`; resolves with its address and a way to end it. */
export function startServer(port = 0) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, "site", "serve.mjs")], {
      env: { ...process.env, PORT: String(port) },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    const ended = new Promise((end) => child.on("exit", end));
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`site/serve.mjs ended with code ${code}`)));
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text) => {
      output += text;
      const address = /^Millrace: (http:\/\/localhost:\d+\/)\n$/.exec(output)?.[1];
      if (address === undefined) return;
      const stop = async () => {
        child.kill();
        await ended;
      };
      resolve({ address, output: () => output, stop });
    });
  });
}

/** What a page said that it should not have said: errors of the console, of scripts, of the policy. */
function watch(page) {
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()}`);
  });
  return complaints;
}

/** A browser with a profile of its own, and pages that are listened to. */
export async function startBrowser() {
  const profile = mkdtempSync(join(tmpdir(), "millrace-e2e-"));
  const browser = await puppeteer.launch({
    executablePath: requireChromium(),
    args: CHROMIUM_FLAGS,
    userDataDir: profile,
  });
  return {
    /** Opens a page; `theme` and `viewport` are as in {@link VIEWPORTS}. */
    async open(
      address,
      { theme = "light", viewport = VIEWPORTS.wide, motion = "no-preference" } = {},
    ) {
      const page = await browser.newPage();
      const complaints = watch(page);
      await page.setViewport(viewport);
      await page.emulateMediaFeatures([
        { name: "prefers-color-scheme", value: theme },
        { name: "prefers-reduced-motion", value: motion },
      ]);
      await page.evaluateOnNewDocument(() => {
        window.violations = [];
        document.addEventListener("securitypolicyviolation", (event) => {
          window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
        });
      });
      await page.goto(address, { waitUntil: "load" });
      return { page, complaints };
    },
    async stop() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Throws with the message when the condition does not hold. */
export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

/** Runs the scenarios `{ name, run }`; the last line of the output is `N passed, N failed`. */
export async function runScenarios(scenarios) {
  let failed = 0;
  for (const { name, run } of scenarios) {
    const browser = await startBrowser();
    try {
      await run(browser);
      process.stdout.write(`ok      ${name}\n`);
    } catch (error) {
      failed += 1;
      process.stdout.write(failureText(name, error.stack ?? String(error)));
    } finally {
      await browser.stop();
    }
  }
  process.stdout.write(`${scenarios.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}
