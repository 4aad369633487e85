/** Chromium on a profile of its own, started, watched and killed by the process ids that use it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { CHROMIUM_FLAGS, requireChromium } from "../tools/chromium.mjs";

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
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return words.some((word) => word === `--user-data-dir=${profile}`);
      } catch {
        // The process ended while the list was read.
        return false;
      }
    })
    .map(Number);
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

/** Every process that descends from the given ones, themselves included. */
function withDescendants(pids) {
  const parents = new Map();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${entry}/stat`, "utf8");
      // The name stands in parentheses and may hold anything.
      const parent = Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]);
      parents.set(Number(entry), parent);
    } catch {
      // The process ended while the list was read.
    }
  }
  const found = new Set(pids);
  let grew = true;
  while (grew) {
    grew = false;
    for (const [pid, parent] of parents) {
      if (!found.has(parent) || found.has(pid)) continue;
      found.add(pid);
      grew = true;
    }
  }
  return [...found];
}

/** Ids of all processes of a browser on a profile, those that it started included. */
export function processTreeOf(profile) {
  return withDescendants(processesOf(profile));
}

function isAlive(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    return status.slice(status.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    return false;
  }
}

/**
 * Kills every process of a profile with SIGKILL, at once: those that name it and all that they
 * started. Resolves with their number when none of them is left.
 */
export async function killChromium(profile) {
  const pids = processTreeOf(profile);
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }
  while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 10));
  return pids.length;
}
