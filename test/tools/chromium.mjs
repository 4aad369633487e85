/** Finds a Chromium for the tests: the one that is named, the usual places, or the system's packages. */
import { findExecutable, requireInstalled } from "./system-packages.mjs";

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

const CHROMIUM = {
  variable: "CHROME_PATH",
  commands: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  places: [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
  ],
};

/**
 * Path of an installed Chromium or Chrome; undefined when there is none.
 * Throws when CHROME_PATH names something that cannot be run.
 */
export function findChromium(environment = process.env) {
  return findExecutable(CHROMIUM, environment);
}

/** Path of a Chromium, which is installed first where that is allowed. Throws one line of advice. */
export function requireChromium() {
  return requireInstalled({
    name: "Chromium",
    find: findChromium,
    packages: ["chromium"],
    advice: "install Chromium or Chrome, or set CHROME_PATH to one.",
  });
}
