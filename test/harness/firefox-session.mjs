/** Firefox on a profile of its own, started and killed as Chromium is. Linux only. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { FIREFOX_PREFERENCES, requireFirefox } from "../tools/firefox.mjs";
import { killAll, processesWith, withDescendants } from "./processes.mjs";

/** What puppeteer keeps of a profile while Firefox runs, and brings back soon after its end. */
const BACKUPS = ["prefs.js.puppeteer", "user.js.puppeteer"];
const BACKUP_MS_MAX = 5000;

async function untilRestored(profile) {
  const files = BACKUPS.map((name) => join(profile, name));
  const deadlineMs = performance.now() + BACKUP_MS_MAX;
  while (files.some((file) => existsSync(file)) && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const file of files) rmSync(file, { force: true });
}

/** Starts Firefox on a profile. */
export async function startFirefox(profile) {
  return await puppeteer.launch({
    browser: "firefox",
    executablePath: requireFirefox(),
    headless: true,
    userDataDir: profile,
    extraPrefsFirefox: FIREFOX_PREFERENCES,
    protocolTimeout: 600_000,
  });
}

/**
 * Kills every process of a profile with SIGKILL, at once: those that name it and all that they
 * started. Resolves with their number when none of them is left.
 */
export async function killFirefox(profile) {
  const killed = await killAll(withDescendants(processesWith((word) => word === profile)));
  await untilRestored(profile);
  return killed;
}
