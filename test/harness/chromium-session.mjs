/** Chromium on a profile of its own, started, watched and killed by the process ids that use it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { CHROMIUM_FLAGS, requireChromium } from "../tools/chromium.mjs";
import { killAll, processesWith, withDescendants } from "./processes.mjs";

/**
 * What Chromium can keep IndexedDB in, with the flags that choose it. New stores on disk are about to move
 * to SQLite; no fault may come out differently.
 */
export const BACKENDS = [
  { name: "LevelDB", flags: [] },
  { name: "SQLite", flags: ["--enable-features=IdbSqliteBackingStore"] },
];

/** A folder for a profile, and how to be rid of it. */
export function temporaryProfile(name) {
  const path = mkdtempSync(join(tmpdir(), `millrace-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Ids of all processes that were started with a profile. Linux only. */
export function processesOf(profile) {
  return processesWith((word) => word === `--user-data-dir=${profile}`);
}

/** Starts Chromium on a profile, with flags and variables of the environment beside the usual ones. */
export async function startChromium(profile, moreFlags = [], environment = {}) {
  return await puppeteer.launch({
    executablePath: requireChromium(),
    headless: true,
    userDataDir: profile,
    args: [...CHROMIUM_FLAGS, ...moreFlags],
    env: { ...process.env, ...environment },
    protocolTimeout: 600_000,
  });
}

/** Ids of all processes of a browser on a profile, those that it started included. */
export function processTreeOf(profile) {
  return withDescendants(processesOf(profile));
}

/**
 * Kills every process of a profile with SIGKILL, at once: those that name it and all that they
 * started. Resolves with their number when none of them is left.
 */
export async function killChromium(profile) {
  return await killAll(processTreeOf(profile));
}
