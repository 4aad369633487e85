/** Finds a Chromium for the tests: the one that is named, the usual places, or the system's packages. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Flags that every test starts Chromium with. */
export const CHROMIUM_FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const COMMANDS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Path of an installed Chromium or Chrome; undefined when there is none.
 * Throws when CHROME_PATH names something that cannot be run.
 */
export function findChromium(environment = process.env) {
  const named = environment.CHROME_PATH;
  if (named) {
    if (isExecutable(named)) return named;
    throw new Error(`CHROME_PATH is ${named}, which cannot be executed`);
  }
  const folders = (environment.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const onPath = COMMANDS.flatMap((command) => folders.map((folder) => join(folder, command)));
  return [...onPath, ...PLACES].find(isExecutable);
}

/** Whether this is a Debian or Ubuntu where we may install packages. */
function mayInstall() {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  if (!existsSync("/usr/bin/apt-get") || !existsSync("/etc/os-release")) return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync("/etc/os-release", "utf8"));
}

function install() {
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options = { stdio: ["ignore", "inherit", "inherit"], env: environment };
  spawnSync("apt-get", ["update"], options);
  spawnSync("apt-get", ["install", "-y", "--no-install-recommends", "chromium"], options);
}

/** Path of a Chromium, which is installed first where that is allowed. Throws one line of advice. */
export function requireChromium() {
  const found = findChromium();
  if (found !== undefined) return found;
  if (mayInstall()) {
    process.stdout.write("No Chromium found: installing the system's package.\n");
    install();
    const installed = findChromium();
    if (installed !== undefined) return installed;
  }
  throw new Error("No Chromium found: install Chromium or Chrome, or set CHROME_PATH to one.");
}
