/** Builds the recorder of syncs, says how a browser is started under it, and reads the journals it wrote. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../harness/bundle.mjs";

const SOURCE = join(dirname(fileURLToPath(import.meta.url)), "fsync-recorder.c");
const COMPILERS = ["cc", "gcc", "clang"];
const FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"];

const KINDS = { 1: "sync", 2: "folder-sync", 3: "rename", 4: "delete" };
const HEADER_BYTES = 48;
const RANGE_BYTES = 16;

/** Compiles the recorder and returns the path of the library. Throws one line of advice. */
export function buildRecorder() {
  if (process.platform !== "linux") {
    throw new Error(
      "power cuts and slow disks are simulated by a preloaded library, on Linux only",
    );
  }
  const folder = join(ROOT, "build", "faults");
  const library = join(folder, "fsync-recorder.so");
  // Another run may be starting a browser with it.
  const fresh = `${library}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  for (const compiler of COMPILERS) {
    const { error, status, stderr } = spawnSync(
      compiler,
      [...FLAGS, "-o", fresh, SOURCE, "-ldl", "-lpthread"],
      { encoding: "utf8" },
    );
    if (error?.code === "ENOENT") continue;
    if (status === 0) {
      renameSync(fresh, library);
      return library;
    }
    throw new Error(`${compiler} does not compile ${SOURCE}: ${stderr ?? error}`);
  }
  throw new Error(
    `No C compiler found for ${SOURCE}: install one (Debian: apt-get install gcc libc6-dev).`,
  );
}

/**
 * Variables of the environment under which what a process does below `root` is recorded into the folder
 * `journal`, or only counted, or not at all; and every sync takes `delayMs` longer.
 */
export function recorded(
  library,
  { root, journal, counted = false, checked = false, delayMs = 0 },
) {
  return {
    LD_PRELOAD: library,
    FSYNC_ROOT: root,
    ...(journal === undefined ? {} : { FSYNC_JOURNAL: journal }),
    ...(counted ? { FSYNC_COUNT: "1" } : {}),
    ...(checked ? { FSYNC_CHECK: "1" } : {}),
    FSYNC_DELAY_US: String(Math.round(delayMs * 1000)),
  };
}

/** The entries of one journal, but a last one that is not whole. */
function entriesOf(bytes) {
  const entries = [];
  let at = 0;
  const left = () => bytes.length - at;
  while (left() >= HEADER_BYTES) {
    const kind = KINDS[bytes.readUInt32LE(at)];
    const count = bytes.readUInt32LE(at + 4);
    const timeNs = bytes.readBigUInt64LE(at + 8);
    const inode = bytes.readBigUInt64LE(at + 16);
    const size = bytes.readBigUInt64LE(at + 24);
    const hash = bytes.readBigUInt64LE(at + 32);
    const lengths = [bytes.readUInt32LE(at + 40), bytes.readUInt32LE(at + 44)];
    if (kind === undefined) throw new Error("the journal of the recorder is not what it wrote");
    at += HEADER_BYTES;
    if (left() < lengths[0] + lengths[1]) return entries;
    const path = bytes.toString("utf8", at, at + lengths[0]);
    const second = bytes.toString("utf8", at + lengths[0], at + lengths[0] + lengths[1]);
    at += lengths[0] + lengths[1];
    const ranges = [];
    for (let i = 0; i < count; i++) {
      if (left() < RANGE_BYTES) return entries;
      const offset = Number(bytes.readBigUInt64LE(at));
      const length = Number(bytes.readBigUInt64LE(at + 8));
      at += RANGE_BYTES;
      if (left() < length) return entries;
      ranges.push({ offset, bytes: bytes.subarray(at, at + length) });
      at += length;
    }
    const replaced = kind === "rename" && size !== 0n ? size : undefined;
    entries.push({ kind, timeNs, inode, path, second, size: Number(size), hash, ranges, replaced });
  }
  return entries;
}

/** What all processes did, in the order in which it was done. */
export function readJournals(folder) {
  return readdirSync(folder)
    .flatMap((name) => entriesOf(readFileSync(join(folder, name))))
    .sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0));
}
