/** The files of a browser's profile that hold an engine's log, by kind, and what may befall them. */
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Kinds of files under a profile's Default folder. `of` is the back end that has them, `closed` says that
 * they are damaged in a profile whose database was closed: SQLite's main file is whole only then.
 */
export const KINDS = {
  ".log": { of: "LevelDB", files: /IndexedDB\/.*\.leveldb\/\d+\.log$/ },
  ".ldb": { of: "LevelDB", files: /IndexedDB\/.*\.leveldb\/\d+\.ldb$/ },
  MANIFEST: { of: "LevelDB", files: /IndexedDB\/.*\.leveldb\/MANIFEST-\d+$/ },
  CURRENT: { of: "LevelDB", files: /IndexedDB\/.*\.leveldb\/CURRENT$/ },
  "large value": { of: "LevelDB", files: /IndexedDB\/.*\.blob\// },
  "main file": { of: "SQLite", files: /IndexedDB\/[^/]+\/[A-Z0-9]+$/, closed: true },
  "-wal": { of: "SQLite", files: /IndexedDB\/[^/]+\/[A-Z0-9]+-wal$/ },
  "file of IndexedDB": { files: /IndexedDB\// },
  witness: { files: /File System\/\d+\/t\/\d+\/\d+$/ },
  "names of the witness": { files: /File System\/.*\/(?:\d+\.log|CURRENT|MANIFEST-\d+)$/ },
};

/** Random numbers from 0 up to 1 that a seed repeats. */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Files of a profile whose path matches, in the order of their names. */
export function filesOf(profile, pattern) {
  return readdirSync(join(profile, "Default"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => pattern.test(file))
    .sort();
}

/** Bytes of a page of SQLite's, and of the part of it that says where its rows are. */
const PAGE_BYTES = 4096;
const PAGE_HEAD_BYTES = 32;
/** Bytes at the beginning of a file that say what it is. */
const FILE_HEAD_BYTES = 100;

/** Gives one byte of a file another value, at the place that `choose` takes from its length. */
function flipAt(file, random, choose) {
  const bytes = readFileSync(file);
  if (bytes.length === 0) return undefined;
  const at = Math.min(bytes.length - 1, choose(bytes.length));
  bytes[at] ^= 1 + Math.floor(random() * 255);
  writeFileSync(file, bytes);
  return `byte ${at} of ${bytes.length}`;
}

/** What may befall a file: each changes it and returns what it did, or undefined when it could not. */
export const INJURIES = {
  /** One byte, anywhere. */
  flipped: (file, random) => flipAt(file, random, (size) => Math.floor(random() * size)),
  /** One byte among the first hundred. */
  "flipped in its head": (file, random) =>
    flipAt(file, random, () => Math.floor(random() * FILE_HEAD_BYTES)),
  /** One byte at the beginning of a page. */
  "flipped in a page's head": (file, random) =>
    flipAt(file, random, (size) => {
      const page = Math.floor(random() * Math.ceil(size / PAGE_BYTES));
      return page * PAGE_BYTES + Math.floor(random() * PAGE_HEAD_BYTES);
    }),
  /** It ends at a random place. */
  "cut short": (file, random) => {
    const { size } = statSync(file);
    if (size === 0) return undefined;
    const length = Math.floor(random() * size);
    truncateSync(file, length);
    return `${length} of ${size} bytes left`;
  },
  deleted: (file) => {
    const { size } = statSync(file);
    rmSync(file);
    return `${size} bytes`;
  },
};

const EVERY = { files: Number.POSITIVE_INFINITY };
/** Without the witness an older log, whole as it is, is taken for all that there was: nobody can notice. */
const UNWITNESSED = { witness: "deleted", quiet: true };

/**
 * What befalls which kind of file, and how often in the short and in the long run. `files` of the kind are
 * damaged at once, one if it does not say; `witness` says what happens to the witness as well, and `quiet`
 * that the end of the log may be gone without a word.
 */
export const DAMAGES = [
  [".log", "flipped", 1, 24],
  [".log", "cut short", 1, 12],
  [".log", "deleted", 0, 2],
  [".log", "cut short", 1, 4, UNWITNESSED],
  [".ldb", "flipped", 1, 24],
  [".ldb", "cut short", 0, 12],
  [".ldb", "deleted", 0, 4],
  ["MANIFEST", "flipped", 0, 12],
  ["MANIFEST", "cut short", 0, 8],
  ["MANIFEST", "deleted", 1, 1],
  ["CURRENT", "flipped", 0, 8],
  ["CURRENT", "cut short", 0, 4],
  ["CURRENT", "deleted", 1, 1],
  ["large value", "flipped", 0, 24],
  ["large value", "flipped", 1, 12, { files: 6 }],
  ["large value", "cut short", 1, 12, { files: 3 }],
  ["large value", "deleted", 1, 12, { files: 3 }],
  ["large value", "deleted", 0, 1, EVERY],
  ["main file", "flipped", 1, 24],
  ["main file", "flipped in its head", 1, 24],
  ["main file", "flipped in a page's head", 1, 24],
  ["main file", "cut short", 1, 12],
  ["-wal", "flipped", 1, 24],
  ["-wal", "cut short", 1, 12],
  ["-wal", "deleted", 0, 2],
  ["-wal", "cut short", 1, 4, UNWITNESSED],
  ["file of IndexedDB", "deleted", 1, 1, EVERY],
  ["file of IndexedDB", "deleted", 0, 1, { ...EVERY, ...UNWITNESSED }],
  ["witness", "flipped", 1, 12],
  ["witness", "cut short", 0, 8],
  ["witness", "deleted", 0, 1],
  ["names of the witness", "flipped", 0, 8],
  ["names of the witness", "deleted", 0, 4],
].map(([kind, injury, short, long, more]) => ({ kind, injury, short, long, ...more }));
