/** The rows of a run as a table for people and as a file for everybody else. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { ROOT } from "../harness/bundle.mjs";

const PACKAGES = [
  "@aws-sdk/client-kinesis",
  "assemblyscript",
  "hash-wasm",
  "kinesalite",
  "puppeteer-core",
];

function versionOf(name) {
  const require = createRequire(join(ROOT, "test", "package.json"));
  const paths = require.resolve.paths(name) ?? [];
  for (const path of paths) {
    try {
      return JSON.parse(readFileSync(join(path, name, "package.json"), "utf8")).version;
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  throw new Error(`${name} is not installed`);
}

function commitOf() {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: ROOT,
      encoding: "utf8",
    }).trim();
  } catch {
    // Outside a repository there is no commit to name.
    return undefined;
  }
}

/** Where and with what a run was made. */
export function describeMachine(chromium) {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    commit: commitOf(),
    processor: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.version,
    chromium,
    packages: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
  };
}

/** Load of the machine over the last minute, to be noted before and after. */
export function currentLoad() {
  return Number(loadavg()[0].toFixed(2));
}

const UNITS = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

function quantity(value, unit) {
  if (unit === "ms") return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
  const [factor, prefix] = UNITS.find(([limit]) => value >= limit) ?? [1, ""];
  const short = value / factor;
  const digits = short < 10 ? 2 : short < 100 ? 1 : 0;
  const text = `${short.toFixed(digits)} ${prefix}`;
  return unit === "B/s" ? `${text}B/s` : `${text.trim()} ${unit}`;
}

function targetText({ atLeast, atMost }, unit) {
  const suffix = unit === undefined ? "" : ` ${unit}`;
  return atLeast === undefined ? `≤ ${atMost}${suffix}` : `≥ ${atLeast}${suffix}`;
}

function cells(row) {
  const compared = row.ratio !== undefined;
  return [
    row.name,
    row.where,
    quantity(row.value, row.unit),
    row.peer ?? "",
    compared ? quantity(row.peerValue, row.unit) : "",
    compared ? `${row.ratio.toFixed(row.ratio < 10 ? 2 : 1)}` : "",
    row.target === undefined ? "" : targetText(row.target, compared ? undefined : row.unit),
    row.reached === undefined ? "" : row.reached ? "yes" : "**no**",
  ];
}

/** The rows as a table in Markdown. */
export function markdownTable(rows) {
  const head = ["what", "where", "value", "peer", "peer's value", "ratio", "target", "reached"];
  const line = (texts) => `| ${texts.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map((row) => line(cells(row)))].join(
    "\n",
  );
}
