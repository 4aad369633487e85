/**
 * Files of IndexedDB damaged while the browser is closed: what was acknowledged is served, or the engine
 * says that something is lost, or it does not open. What nobody could notice is listed, and told.
 */
import {
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { killChromium, startChromium, temporaryProfile } from "../harness/chromium-session.mjs";
import { servePages } from "../harness/page-server.mjs";

/** Commits of every size: small ones lie inside LevelDB, large ones and segments in files of their own. */
const WRITING = [
  { count: 3000, dataBytes: 1900 },
  { count: 300, dataBytes: 20_000 },
  { count: 300, dataBytes: 200 },
];
const AFTERWARDS = { first: 1_000_000, count: 25, dataBytes: 100 };
/** Parts of a file at which bytes are turned over. */
const FLIPPED_AT = [0.3, 0.5, 0.7];

/** LevelDB takes this for a store that never got further, and the engine sees an older whole log, or none. */
const UNNOTICED = "not noticed";

const CURRENT = /\.leveldb\/CURRENT$/;
const MANIFEST = /\.leveldb\/MANIFEST-\d+$/;
const TABLE = /\.leveldb\/\d+\.ldb$/;
const JOURNAL = /\.leveldb\/\d+\.log$/;
const VALUE = /\.blob\//;
const ANY = /\.leveldb\//;

const DAMAGES = [
  { name: "CURRENT deleted", files: CURRENT, damage: rmSync },
  { name: "MANIFEST cut in half", files: MANIFEST, damage: cutInHalf },
  { name: "bytes of MANIFEST flipped", files: MANIFEST, damage: flip },
  { name: "bytes of every .ldb flipped", files: TABLE, damage: flip },
  { name: "every .ldb deleted", files: TABLE, damage: rmSync },
  { name: "bytes of .log flipped", files: JOURNAL, damage: flip },
  { name: "bytes of every large value flipped", files: VALUE, damage: flip },
  { name: "every large value deleted", files: VALUE, damage: rmSync },
  { name: ".log cut in half", files: JOURNAL, damage: cutInHalf, may: UNNOTICED },
  { name: ".log deleted", files: JOURNAL, damage: rmSync, may: UNNOTICED },
  { name: "all of LevelDB deleted", files: ANY, damage: rmSync, may: UNNOTICED },
];

function cutInHalf(file) {
  truncateSync(file, statSync(file).size >> 1);
}

function flip(file) {
  const bytes = readFileSync(file);
  for (const part of FLIPPED_AT) bytes[Math.floor(bytes.length * part)] ^= 0xff;
  writeFileSync(file, bytes);
}

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Damages the files of a profile and returns how many. */
function damageFiles(profile, { files, damage }) {
  const found = filesUnder(join(profile, "Default", "IndexedDB")).filter((file) =>
    files.test(file),
  );
  for (const file of found) damage(file);
  if (found.length === 0) throw new Error("there is no such file: nothing was damaged");
  return found.length;
}

async function onPage(profile, url, work) {
  const browser = await startChromium(profile);
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction("globalThis.faultPage !== undefined");
    return await work(page);
  } finally {
    await browser.close();
  }
}

function write(page, { first, count, dataBytes }) {
  return page.evaluate(
    (...settings) => globalThis.faultPage.write(...settings),
    first,
    count,
    dataBytes,
  );
}

/** What a page reads, and that the engine takes records afterwards. */
async function readAndGoOn(page) {
  const read = () => page.evaluate(() => globalThis.faultPage.readBack());
  const report = await read();
  if (!report.opened) return report;
  await write(page, AFTERWARDS);
  const later = await read();
  if (!later.opened) throw new Error(`it does not open again: ${later.message}`);
  if (later.numbers.length !== report.numbers.length + AFTERWARDS.count) {
    throw new Error(`${later.numbers.length} records after ${AFTERWARDS.count} more were put`);
  }
  return report;
}

/** Judges what is there of records 0 to `written` - 1. Returns a remark; throws at what must not be. */
function judge(report, written, may) {
  if (!report.opened) return `the engine does not open: ${report.name}: ${report.message}`;
  const { numbers, torn, losses } = report;
  if (torn > 0) throw new Error(`${torn} torn records were served`);
  if (numbers.some((number, i) => i > 0 && number <= (numbers[i - 1] ?? -1))) {
    throw new Error("records are served twice, or out of order");
  }
  const what = `${numbers.length} of ${written} records served`;
  const [first] = losses;
  if (first !== undefined) return `${what}, ${losses.length} losses reported (${first})`;
  if (numbers.length === written) return `${what}, no loss reported`;
  if (may !== UNNOTICED) throw new Error(`${what}, and no loss is reported`);
  if (numbers.at(-1) !== numbers.length - 1 && numbers.length > 0) {
    throw new Error(`${what}, and they are not the first ones`);
  }
  return `NOT NOTICED: ${what}, no loss reported`;
}

/** Adds the damage tests to a suite. */
export async function damageTests(suite, folders) {
  const server = await servePages({ folders });
  const whole = temporaryProfile("whole");
  try {
    let written = 0;
    // Each in a browser of its own: LevelDB tidies up when it is opened.
    for (const { count, dataBytes } of WRITING) {
      written = await onPage(whole.path, server.url, (page) =>
        write(page, { first: written, count, dataBytes }),
      );
    }
    for (const damage of DAMAGES) {
      await suite.test(`IndexedDB with ${damage.name}`, async () => {
        const profile = temporaryProfile("damaged");
        try {
          cpSync(whole.path, profile.path, {
            recursive: true,
            // What tells a second browser that the first one runs.
            filter: (path) => !path.includes("Singleton"),
          });
          const files = damageFiles(profile.path, damage);
          const report = await onPage(profile.path, server.url, readAndGoOn);
          return `${files} damaged; ${judge(report, written, damage.may)}`;
        } finally {
          await killChromium(profile.path);
          profile.remove();
        }
      });
    }
  } finally {
    await killChromium(whole.path);
    await server.close();
    whole.remove();
  }
}
