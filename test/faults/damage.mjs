/**
 * Files of a browser's profile damaged while it is closed, on both back ends: one byte, or all behind a
 * place, or the whole file, of every kind of file that a log lies in.
 *
 * Every damage is noticed, what it left whole is served, and the engine goes on under new sequence numbers.
 * What nobody could notice, or open, is told.
 */
import { cpSync } from "node:fs";
import {
  BACKENDS,
  killChromium,
  startChromium,
  temporaryProfile,
} from "../harness/chromium-session.mjs";
import { openFaultPage } from "../harness/fault-page.mjs";
import { servePages } from "../harness/page-server.mjs";
import { DAMAGES, filesOf, INJURIES, KINDS, seededRandom } from "./damage-files.mjs";
import { judge } from "./damage-judge.mjs";

/** Commits of every size: small ones lie inside the database, LevelDB keeps large ones and segments apart. */
const WRITING = [
  { count: 3000, dataBytes: 1900 },
  { count: 300, dataBytes: 20_000 },
  { count: 300, dataBytes: 200, leave: true },
];
const AFTERWARDS = { first: 1_000_000, count: 25, dataBytes: 100 };
/** Damages of one sort that are described. */
const TOLD_MAX = 3;
const SEED_MAX = 1_000_000;
/** Browsers that may find a damage before an engine must have opened, or never can. */
const OPENINGS_MAX = 3;
/** What of a profile holds no data of its pages. */
const NO_DATA = /Singleton|Cache|Crash|Dawn|GPU|component_crx|hyphen|Safe Browsing|Local Traces/i;

/** What a call says whose browser died under it. */
const DIED = "the browser died";
const BROWSER_DIED = /Target closed|detached|Connection closed|Session closed/;

/** Pages of one back end, each in a browser of its own. */
class Pages {
  #flags;
  #url;

  constructor(flags, url) {
    this.#flags = flags;
    this.#url = url;
  }

  /** Runs `work` with a page and ends the browser, by SIGKILL when that is asked for. */
  async on(profile, work, { kill = false } = {}) {
    const browser = await startChromium(profile, this.#flags);
    try {
      const { page } = await openFaultPage(browser, this.#url);
      return await work(page);
    } finally {
      if (kill) await killChromium(profile);
      await (kill ? browser.disconnect() : browser.close());
    }
  }

  /** The same where the damage may take the browser itself down: an error is the answer then. */
  async survive(profile, work) {
    try {
      return await this.on(profile, work);
    } catch (error) {
      if (!BROWSER_DIED.test(error.message)) throw error;
      await killChromium(profile);
      return { error: DIED };
    }
  }
}

function copyOf(profile) {
  const copy = temporaryProfile("damaged");
  const filter = (path) => !NO_DATA.test(path.slice(profile.path.length));
  cpSync(profile.path, copy.path, { recursive: true, filter });
  return copy;
}

function write(page, { first, count, dataBytes, leave = false }) {
  return page.evaluate(
    (...settings) => globalThis.faultPage.write(...settings),
    first,
    count,
    dataBytes,
    leave,
  );
}

const readBack = (page) => page.evaluate(() => globalThis.faultPage.readBack());

function inventoryOn(page, known = { wal: [], segments: [] }) {
  return page.evaluate((keys) => globalThis.faultPage.inventory(keys), known);
}

/** A profile with a log in it, as it is after the browser was killed, and after it closed its database. */
async function makeWhole(pages) {
  const killed = temporaryProfile("whole");
  let next = 0;
  let highest = "0";
  // Each in a browser of its own: LevelDB tidies up when it is opened.
  for (const { leave = false, ...writing } of WRITING) {
    const work = (page) => write(page, { first: next, ...writing, leave });
    ({ next, highest } = await pages.on(killed.path, work, { kill: leave }));
  }
  const closed = copyOf(killed);
  const { values } = await pages.on(closed.path, (page) => inventoryOn(page));
  const keysOf = (store) => values.filter((value) => value.store === store).map(({ key }) => key);
  const known = { wal: keysOf("wal"), segments: keysOf("segments") };
  const remove = () => [killed, closed].forEach((profile) => void profile.remove());
  return { killed, closed, written: next, highest, values, known, remove };
}

/** Damages files of a profile and returns what was done to them. */
function injure(profile, { kind, injury, files = 1, witness }, random) {
  const found = filesOf(profile.path, KINDS[kind].files);
  if (found.length === 0) throw new Error(`there is no ${kind}: nothing was damaged`);
  const done = [];
  while (found.length > 0 && done.length < files) {
    const [file] = found.splice(Math.floor(random() * found.length), 1);
    const what = INJURIES[injury](file, random);
    if (what !== undefined) done.push(`${file.split("/").at(-1).slice(-12)} ${what}`);
  }
  if (witness !== undefined) {
    for (const file of filesOf(profile.path, KINDS.witness.files)) INJURIES[witness](file, random);
  }
  return done.join(", ");
}

/** What the browser still gives, read without the engine; what it said when it gives nothing at all. */
async function leftIn(profile, pages, known) {
  const copy = copyOf(profile);
  try {
    return await pages.on(copy.path, (page) => inventoryOn(page, known));
  } catch (error) {
    return { exists: false, values: [], unopenable: String(error.message) };
  } finally {
    await killChromium(copy.path);
    copy.remove();
  }
}

/** What an engine finds, checks and does afterwards; only the error when it never opens. */
async function engineOn(profile, pages, known) {
  let firstError;
  for (let opening = 1; opening <= OPENINGS_MAX; opening++) {
    const found = await pages.survive(profile.path, async (page) => {
      const report = await readBack(page);
      if (!report.opened) return { error: `${report.name}: ${report.message}` };
      const after = await inventoryOn(page, known);
      const { lowest } = await write(page, AFTERWARDS);
      const later = await readBack(page);
      const numbers = Array.from({ length: AFTERWARDS.count }, (_, i) => AFTERWARDS.first + i);
      return { report, after, later, put: { lowest, numbers } };
    });
    if (found.error === undefined) return { ...found, firstError };
    firstError ??= found.error;
  }
  return { firstError, never: true };
}

/** One damage from its seed to its verdict. */
async function damageOnce({ pages, whole, damage, seed }) {
  const random = seededRandom(seed);
  const profile = copyOf(KINDS[damage.kind].closed === true ? whole.closed : whole.killed);
  try {
    const done = injure(profile, damage, random);
    const left = await leftIn(profile, pages, whole.known);
    const found = { left, ...(await engineOn(profile, pages, whole.known)) };
    if (found.never === true) {
      if (left.unopenable === undefined) throw new Error(`it never opens: ${found.firstError}`);
      return { done, lost: whole.written, never: true, remark: found.firstError };
    }
    const slack = damage.injury.startsWith("flipped") ? (damage.files ?? 1) : 0;
    const verdict = judge(found, whole, { quiet: damage.quiet, slack });
    const [loss] = found.report.losses;
    const remark = loss === undefined ? found.firstError : `${loss.where}: ${loss.reason}`;
    return { done, ...verdict, died: found.firstError === DIED, remark };
  } catch (error) {
    throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
  } finally {
    await killChromium(profile.path);
    profile.remove();
  }
}

/** What the damages of one sort came to, in the words of the table. */
function summaryOf(verdicts, whole) {
  const count = (condition) => verdicts.filter(condition).length;
  const parts = [
    [count(({ lost }) => lost === 0), "lost nothing"],
    [count(({ lost, noticed }) => lost > 0 && noticed), "reported"],
    [count(({ replaced }) => replaced), "of these replaced by the browser"],
    [count(({ died }) => died), "after the browser had died of it"],
    [count(({ never }) => never), "never open: StorageUnavailableError"],
    [count(({ lost, noticed, never }) => lost > 0 && !noticed && !never), "NOT NOTICED"],
  ];
  return {
    times: verdicts.length,
    acknowledged: whole.written * verdicts.length,
    lost: verdicts.reduce((sum, { lost }) => sum + lost, 0),
    reported: parts.flatMap(([times, text]) => (times > 0 ? [`${times} ${text}`] : [])).join(", "),
  };
}

function nameOf({ kind, injury, files = 1, witness }) {
  const many = files === Number.POSITIVE_INFINITY ? "every " : files > 1 ? `${files} of ` : "";
  return `${many}${kind} ${injury}${witness === undefined ? "" : `, witness ${witness}`}`;
}

/** One sort of damage, so many times; every failure is told, not just the first. */
async function damageSort(world, { damage, times, firstSeed }) {
  const verdicts = [];
  const failures = [];
  for (let seed = firstSeed; seed < firstSeed + times; seed++) {
    try {
      verdicts.push(await damageOnce({ ...world, damage, seed }));
    } catch (error) {
      failures.push(error.message);
    }
  }
  if (failures.length > 0) throw new Error(failures.join("\n  "));
  return verdicts;
}

async function damageBackend(suite, { backend, url, long, firstSeed, table }) {
  const wanted = process.env.MILLRACE_FAULT_DAMAGE ?? "";
  const mine = DAMAGES.filter(
    (damage) =>
      (KINDS[damage.kind].of ?? backend.name) === backend.name && nameOf(damage).includes(wanted),
  );
  if (mine.length === 0) return;
  const pages = new Pages(backend.flags, url);
  const whole = await makeWhole(pages);
  try {
    for (const damage of mine) {
      const times = damage[long ? "long" : "short"];
      if (times === 0) continue;
      await suite.test(`${backend.name}: ${nameOf(damage)}`, async () => {
        const verdicts = await damageSort({ pages, whole }, { damage, times, firstSeed });
        const summary = summaryOf(verdicts, whole);
        table.add({ fault: nameOf(damage), where: backend.name, ...summary });
        const told = verdicts
          .slice(0, TOLD_MAX)
          .map(({ done, lost, remark = "nothing to report" }) => {
            return `${done.slice(0, 200)}: ${lost} lost (${remark.slice(0, 120)})`;
          });
        const seeds = `seeds ${firstSeed} to ${firstSeed + times - 1}`;
        return `${summary.reported}, ${seeds}\n  ${told.join("\n  ")}`;
      });
    }
  } finally {
    await killChromium(whole.killed.path);
    whole.remove();
  }
}

/**
 * Adds the damage tests to a suite. `long` damages every kind of file dozens of times, at other places in
 * every run; MILLRACE_FAULT_SEED repeats the places of one, though not the random bytes of its records.
 * MILLRACE_FAULT_DAMAGE leaves out what has not this in its name, as in "main file cut short".
 */
export async function damageTests(suite, folders, { long, table }) {
  const server = await servePages({ folders });
  const wished = process.env.MILLRACE_FAULT_SEED ?? (long ? Math.random() * SEED_MAX : 1);
  const firstSeed = Math.max(1, Math.floor(Number(wished)));
  try {
    for (const backend of BACKENDS) {
      await damageBackend(suite, { backend, url: server.url, long, firstSeed, table });
    }
  } finally {
    await server.close();
  }
}
