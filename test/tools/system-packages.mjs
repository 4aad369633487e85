/** Installs packages of the system for the tests, where that is allowed: as root on Debian or Ubuntu. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Whether a path can be executed. */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The path that a variable of the environment names, or the first that can be executed of some commands on
 * the PATH and some places; undefined when there is none. Throws when the variable names something that
 * cannot be executed.
 */
export function findExecutable({ variable, commands = [], places = [] }, environment) {
  const named = environment[variable];
  if (named) {
    if (isExecutable(named)) return named;
    throw new Error(`${variable} is ${named}, which cannot be executed`);
  }
  const folders = (environment.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const onPath = commands.flatMap((command) => folders.map((folder) => join(folder, command)));
  return [...onPath, ...places].find(isExecutable);
}

/** Whether this is a Debian or Ubuntu where we may install packages. */
export function mayInstall() {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  if (!existsSync("/usr/bin/apt-get") || !existsSync("/etc/os-release")) return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync("/etc/os-release", "utf8"));
}

/** Whether the list of packages was brought up to date. */
let updated = false;

/** Installs packages without asking anything; whether it worked shows when what they hold is looked for. */
export function installPackages(names) {
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options = { stdio: ["ignore", "inherit", "inherit"], env: environment };
  if (!updated) spawnSync("apt-get", ["update"], options);
  updated = true;
  spawnSync("apt-get", ["install", "-y", "--no-install-recommends", ...names], options);
}

/**
 * What `find` finds, after the packages were installed where it found nothing and that is allowed. Throws
 * one line of advice.
 */
export function requireInstalled({ name, find, packages, advice }) {
  const found = find();
  if (found !== undefined) return found;
  if (mayInstall()) {
    process.stdout.write(`No ${name} found: installing ${packages.join(" ")}.\n`);
    installPackages(packages);
    const installed = find();
    if (installed !== undefined) return installed;
  }
  throw new Error(`No ${name} found: ${advice}`);
}
