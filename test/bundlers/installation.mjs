/** Packs the packages as they are published, and makes applications that have them installed. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const workspace = join(root, "build", "bundlers");
const PACKAGES = ["millrace", "@millrace/engine"];

/** Runs a command to its end; resolves with its stdout. Rejects with all of its output. */
export function run(command, commandArguments, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, {
      ...options,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let everything = "";
    child.stdout.on("data", (text) => {
      output += text;
      everything += text;
    });
    child.stderr.on("data", (text) => {
      everything += text;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${commandArguments.join(" ")}: ${code}\n${everything}`));
    });
  });
}

/** Packs both packages; resolves with the path of each tarball by its package's name. */
export async function pack() {
  const folder = join(workspace, "packed");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const workspaces = PACKAGES.flatMap((name) => ["--workspace", name]);
  const options = ["--json", "--ignore-scripts", "--pack-destination", folder];
  const output = await run("npm", ["pack", ...options, ...workspaces], { cwd: root });
  const packed = Object.values(JSON.parse(output));
  return new Map(packed.map(({ name, filename }) => [name, join(folder, filename)]));
}

/** Unpacks the tarballs where npm would put them. */
function unpack(folder, tarballs) {
  for (const [name, tarball] of tarballs) {
    const place = join(folder, "node_modules", name);
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place, { recursive: true });
    const { status, stderr } = spawnSync("tar", [
      "-xzf",
      tarball,
      "-C",
      place,
      "--strip-components=1",
    ]);
    if (status !== 0) throw new Error(String(stderr));
  }
}

/**
 * A fresh copy of an application with the packages installed. With `ownTools` its bundler is installed from the
 * registry, in the version that its package.json names; else the workspace's is used, which needs no network.
 */
export async function install(app, setup, tarballs, ownTools) {
  const folder = join(workspace, ownTools ? app : `${app}-here`);
  mkdirSync(folder, { recursive: true });
  for (const stale of ["dist", ".next", "node_modules/.vite"]) {
    rmSync(join(folder, stale), { recursive: true, force: true });
  }
  const description = readFileSync(join(here, app, "package.json"), "utf8");
  const installed = join(folder, "installed.json");
  const fresh = existsSync(installed) && readFileSync(installed, "utf8") === description;
  cpSync(join(here, "app"), folder, { recursive: true });
  cpSync(join(here, app), folder, { recursive: true });
  writeFileSync(join(folder, "millrace-setup.js"), setup);
  if (ownTools && !fresh) {
    const quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--no-save"];
    await run("npm", ["install", ...quiet, ...tarballs.values()], { cwd: folder });
    writeFileSync(installed, description);
  }
  // The tarballs have the same version every time; npm would keep those it knows.
  unpack(folder, tarballs);
  return folder;
}
