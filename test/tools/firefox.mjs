/** Finds a Firefox for the tests: the one that is named, the usual places, or the system's packages. */
import { findExecutable, requireInstalled } from "./system-packages.mjs";

/** Nobody is there to be asked whether storage may be persistent. */
export const FIREFOX_PREFERENCES = {
  "dom.storageManager.prompt.testing": true,
  "dom.storageManager.prompt.testing.allow": true,
};

const FIREFOX = {
  variable: "FIREFOX_PATH",
  commands: ["firefox-esr", "firefox"],
  places: [
    "/usr/bin/firefox-esr",
    "/snap/bin/firefox",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
  ],
};

/**
 * Path of an installed Firefox; undefined when there is none.
 * Throws when FIREFOX_PATH names something that cannot be run.
 */
export function findFirefox(environment = process.env) {
  return findExecutable(FIREFOX, environment);
}

/** Path of a Firefox, which is installed first where that is allowed. Throws one line of advice. */
export function requireFirefox() {
  return requireInstalled({
    name: "Firefox",
    find: findFirefox,
    packages: ["firefox-esr"],
    advice: "install Firefox, or set FIREFOX_PATH to one.",
  });
}
