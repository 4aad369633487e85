/**
 * The power is cut while a page writes: what was acknowledged by a stream that waits for the disk is there,
 * in order, and whole; what a stream that does not wait has lost is told; and the engine writes on.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../harness/bundle.mjs";
import {
  BACKENDS,
  killChromium,
  startChromium,
  temporaryProfile,
} from "../harness/chromium-session.mjs";
import { openFaultPage } from "../harness/fault-page.mjs";
import { servePages } from "../harness/page-server.mjs";
import { PoweredProfile } from "./power-cut.mjs";
import { halfEntryTest } from "./power-half.mjs";
import { buildRecorder, recorded } from "./power-recorder.mjs";

/** Power cuts on each back end. */
const CUTS = { short: { strict: 2, relaxed: 2 }, long: { strict: 20, relaxed: 20 } };
/** Browsers that are killed beside a relaxed stream while the power stays: nothing is lost, nor told to be. */
const KILLS = { short: 1, long: 5 };
/** A profile is done away with after so many, before reading it takes longer than writing. */
const CUTS_PER_PROFILE = 5;
/** Writing lasts so long after its first acknowledgement, at random. */
const WRITING_MS = { min: 300, max: 1700 };
/** Beside a relaxed stream, the strict one falls silent so long before the power is cut, at random. */
const SILENCE_MS_MAX = 4000;
const AFTERWARDS_MS = 150;
const FOREVER_MS = 600_000;
/**
 * A loss is always reported, unless the disk happened to keep what tells that the power was cut. Then the
 * witness names relaxed frames soon after their commit: what was acknowledged so long before the cut, in ms,
 * is reported in any case.
 */
const REPORTED_AFTER_MS = 2500;
const KEEPINGS = ["strict", "relaxed"];

/** What the server was told is acknowledged: by stream and lane, the last number and when it was told. */
class Acknowledgements {
  #lanes = { strict: [], relaxed: [] };
  #waiting = [];

  take(body) {
    const { stream, lane, number } = JSON.parse(body);
    this.#lanes[stream][lane] ??= [];
    this.#lanes[stream][lane].push({ number, timeMs: performance.now() });
    if (stream !== "strict") return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** The last number of a lane that was acknowledged before a time; -1 when none was. */
  last(stream, lane, beforeMs = Number.POSITIVE_INFINITY) {
    const told = this.#lanes[stream][lane] ?? [];
    return told.findLast(({ timeMs }) => timeMs < beforeMs)?.number ?? -1;
  }

  clear() {
    this.#lanes = { strict: [], relaxed: [] };
  }

  /** Resolves at the next one of the stream that waits for the disk. */
  next() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

function between(min, max) {
  return min + Math.random() * (max - min);
}

/** How many of the numbers from `first` to `last` are in none of the runs. */
function missing(runs, first, last) {
  const there = runs.reduce(
    (sum, [from, to]) => sum + Math.max(0, Math.min(to, last) - Math.max(from, first) + 1),
    0,
  );
  return Math.max(0, last - first + 1) - there;
}

const lossText = ({ kind, where, reason }) => `${kind}: ${where}: ${reason}`;

/** One profile on one back end, through any number of power cuts. */
class PowerRun {
  acknowledged = { strict: 0, relaxed: 0 };
  lost = { strict: 0, relaxed: 0 };
  /** Cuts after which relaxed records were missing, and those of them that were reported. */
  losses = 0;
  reports = 0;
  openMs = 0;
  #profile;
  #backend;
  #server;
  #acknowledgements;
  #library;
  #from;
  /** What was read after the last cut, or acknowledged after it in a browser that was closed. */
  #kept = { strict: [], relaxed: [] };
  /** Losses that were told after any cut so far. */
  #told = new Set();

  constructor({ profile, backend, server, acknowledgements, library, withRelaxed }) {
    this.#profile = profile;
    this.#backend = backend;
    this.#server = server;
    this.#acknowledgements = acknowledgements;
    this.#library = library;
    this.withRelaxed = withRelaxed;
  }

  async #start(environment) {
    return await startChromium(this.#profile.path, this.#backend.flags, environment);
  }

  /**
   * Opens the engine for the first time, in a browser that is closed as it should be: Chromium forces the
   * name of the witness's file to the disk no earlier than when it opens that file system again.
   */
  async #prepare() {
    const browser = await this.#start();
    const { page } = await openFaultPage(browser, this.#server.url);
    await page.evaluate(() => globalThis.faultPage.readBack());
    await page.evaluate(() => globalThis.faultPage.close());
    await browser.close();
  }

  /**
   * Cuts the power while the page writes, or only kills the browser ("kept"); resolves with a remark. Rejects
   * when anything is not as it must be.
   */
  async cut(mode) {
    if (this.#from === undefined && this.withRelaxed) await this.#prepare();
    this.#acknowledgements.clear();
    const powered = new PoweredProfile(this.#profile.path, `${this.#profile.path}-journal`);
    const silenceMs = this.withRelaxed ? Math.random() * SILENCE_MS_MAX : 0;
    const cutMs = await this.#writeAndKill(silenceMs);
    try {
      if (mode === "kept") return await this.#readAndGoOn(cutMs, mode);
      const cut = powered.cut(mode);
      if (cut.syncs === 0) throw new Error("the recorder has seen nothing");
      const report = await this.#readAndGoOn(cutMs, mode);
      if (mode === "torn") await this.#openAgain();
      const { syncs, cutFiles, goneFiles, lostBytes } = cut;
      const kibibytes = Math.round(lostBytes / 1024);
      return `${report}; ${mode}: ${syncs} syncs, ${cutFiles} files cut back, ${goneFiles} gone, ${kibibytes} KiB`;
    } catch (error) {
      this.#keep(powered);
      throw error;
    } finally {
      powered.forget();
    }
  }

  async #writeAndKill(silenceMs) {
    const environment = recorded(this.#library, {
      root: this.#profile.path,
      journal: `${this.#profile.path}-journal`,
    });
    const browser = await this.#start(environment);
    const { page, errors } = await openFaultPage(browser, this.#server.url);
    const { lanes, batchMax } = await page.evaluate(() => ({ ...globalThis.faultPage }));
    const zeros = new Array(lanes).fill(0);
    this.#from ??= { strict: zeros, relaxed: this.withRelaxed ? zeros : [] };
    this.batchMax = batchMax;
    const writingMs = between(WRITING_MS.min, WRITING_MS.max);
    const forMs = { strict: this.withRelaxed ? writingMs : FOREVER_MS, relaxed: FOREVER_MS };
    const writing = page.evaluate(
      (...settings) => globalThis.faultPage.write(...settings),
      this.#from,
      forMs,
    );
    // The page never comes to an end by itself: only a failure before the kill is of interest.
    const early = writing.then(
      () => Promise.reject(new Error("the page stopped writing")),
      (error) => Promise.reject(error),
    );
    early.catch(() => undefined);
    await Promise.race([this.#acknowledgements.next(), early]);
    const waitMs = writingMs + silenceMs;
    await Promise.race([new Promise((resolve) => setTimeout(resolve, waitMs)), early]);
    const cutMs = performance.now();
    const killed = await killChromium(this.#profile.path);
    await browser.disconnect();
    if (errors.length > 0) throw new Error(errors.join("; "));
    if (killed < 3) throw new Error(`only ${killed} processes were killed`);
    return cutMs;
  }

  async #readAndGoOn(cutMs, mode) {
    const browser = await this.#start();
    try {
      const { page } = await openFaultPage(browser, this.#server.url);
      const report = await page.evaluate(() => globalThis.faultPage.readBack());
      this.openMs = Math.max(this.openMs, report.openMs);
      const remark = this.#judge(report, cutMs, mode);
      const from = Object.fromEntries(
        KEEPINGS.map((keeping) => [
          keeping,
          this.#from[keeping].map((_, lane) => {
            const next = (report.streams[keeping][lane].runs.at(-1)?.[1] ?? -1) + 1;
            // A number that was lost never returns: what comes back later would hide the gap.
            return Math.max(next, this.#acknowledgements.last(keeping, lane) + 1);
          }),
        ]),
      );
      this.#acknowledgements.clear();
      const forMs = { strict: AFTERWARDS_MS, relaxed: AFTERWARDS_MS };
      await page.evaluate((...settings) => globalThis.faultPage.write(...settings), from, forMs);
      const later = await page.evaluate(() => globalThis.faultPage.readBack());
      this.#judgeLater(later, report, from);
      await page.evaluate(() => globalThis.faultPage.close());
      return remark;
    } finally {
      await browser.close();
    }
  }

  /** Compares what was read after a cut with what was acknowledged before it. */
  #judge({ streams, losses: reported, openMs }, cutMs, mode) {
    const problems = [];
    // A loss is told by every leader until a checkpoint follows: what was told before is of an earlier cut.
    const losses = reported.filter((loss) => !this.#told.has(lossText(loss)));
    for (const loss of reported) this.#told.add(lossText(loss));
    const count = { strict: 0, relaxed: 0 };
    const lost = { strict: 0, relaxed: 0 };
    let unexcused = 0;
    for (const keeping of KEEPINGS) {
      for (const [lane, { runs, problems: found }] of streams[keeping].entries()) {
        const first = this.#from[keeping][lane];
        if (first === undefined) continue;
        const last = this.#acknowledgements.last(keeping, lane);
        const say = (text) => problems.push(`${keeping} lane ${lane}: ${text}`);
        for (const text of found.slice(0, 3)) say(text);
        for (const [from, to] of this.#kept[keeping][lane] ?? []) {
          const gone = missing(runs, from, to);
          if (gone > 0) say(`${gone} records are gone that were there before`);
        }
        count[keeping] += Math.max(0, last - first + 1);
        lost[keeping] += missing(runs, first, last);
        unexcused += missing(
          runs,
          first,
          this.#acknowledgements.last(keeping, lane, cutMs - REPORTED_AFTER_MS),
        );
        const end = runs.at(-1)?.[1] ?? -1;
        if (end > Math.max(last, first - 1) + this.batchMax) say(`record ${end} was never put`);
      }
      this.acknowledged[keeping] += count[keeping];
      this.lost[keeping] += lost[keeping];
    }
    if (lost.strict > 0) problems.push(`${lost.strict} acknowledged records are gone`);
    if (lost.relaxed > 0) this.losses += 1;
    if (lost.relaxed > 0 && losses.length > 0) this.reports += 1;
    const untold = mode === "torn" ? unexcused : lost.relaxed;
    if (untold > 0 && losses.length === 0) {
      problems.push(`${untold} relaxed records are gone and nothing is reported`);
    }
    if (mode === "kept" && losses.length + lost.relaxed > 0) {
      problems.push(`the power stayed, ${lost.relaxed} records are lost, ${losses.length} losses`);
    }
    const told = losses.map(lossText);
    // The engine may have acknowledged more than the page came to tell.
    if (!this.withRelaxed && losses.length > 0) problems.push(`reported: ${told.join("; ")}`);
    if (losses.some(({ kind }) => kind !== "wal-frame")) problems.push(`lost: ${told.join("; ")}`);
    if (problems.length > 0) {
      throw new Error(`${problems.join("; ")}; losses: ${told.slice(0, 5).join("; ")}`);
    }
    const relaxed = this.withRelaxed
      ? `, relaxed ${count.relaxed} acknowledged, ${lost.relaxed} lost, ${losses.length} reports (${told[0] ?? ""})`
      : "";
    return `strict ${count.strict} acknowledged, 0 lost${relaxed}; opened in ${Math.round(openMs)} ms`;
  }

  /**
   * Opens it all a second time: LevelDB writes on behind half an entry, and takes it for corruption the next
   * time, unless the engine had it begin a new journal.
   */
  async #openAgain() {
    const browser = await this.#start();
    try {
      const { page } = await openFaultPage(browser, this.#server.url);
      const { streams, losses } = await page.evaluate(() => globalThis.faultPage.readBack());
      await page.evaluate(() => globalThis.faultPage.close());
      const news = losses.find((loss) => !this.#told.has(lossText(loss)));
      if (news !== undefined) throw new Error(`the second opening: ${lossText(news)}`);
      for (const keeping of KEEPINGS) {
        const runs = streams[keeping].map((lane) => lane.runs);
        if (JSON.stringify(runs) === JSON.stringify(this.#kept[keeping])) continue;
        throw new Error(`the second opening does not find what the first did (${keeping})`);
      }
    } finally {
      await browser.close();
    }
  }

  /** What was written on behind a cut is there, behind all that was left. */
  #judgeLater({ streams }, before, from) {
    for (const keeping of KEEPINGS) {
      for (const [lane, first] of from[keeping].entries()) {
        const { runs, problems } = streams[keeping][lane];
        const last = this.#acknowledgements.last(keeping, lane);
        const earlier = before.streams[keeping][lane].runs;
        const gone =
          missing(runs, first, last) +
          earlier.reduce((sum, [start, end]) => sum + missing(runs, start, end), 0);
        if (gone > 0 || problems.length > 0 || last < first) {
          throw new Error(
            `${keeping} lane ${lane} is not written on: ${gone} gone, ${problems[0] ?? last}`,
          );
        }
      }
      this.#kept[keeping] = streams[keeping].map(({ runs }) => runs);
      this.#from[keeping] = from[keeping].map(
        (_, lane) => (streams[keeping][lane].runs.at(-1)?.[1] ?? -1) + 1,
      );
    }
  }

  #keep(powered) {
    const folder = join(ROOT, "build", "faults", `power-${this.#backend.name}-${Date.now()}`);
    mkdirSync(folder, { recursive: true });
    powered.keep(folder);
    writeFileSync(join(folder, "from.json"), JSON.stringify(this.#from));
  }
}

/** The recorder itself, held against a browser's real files: it must miss no write that is synced. */
async function checkRecorder(backend, server, library) {
  const profile = temporaryProfile("recorder");
  const journal = `${profile.path}-journal`;
  const powered = new PoweredProfile(profile.path, journal);
  try {
    const environment = recorded(library, { root: profile.path, journal, checked: true });
    const browser = await startChromium(profile.path, backend.flags, environment);
    const { page } = await openFaultPage(browser, server.url);
    const from = { strict: new Array(4).fill(0), relaxed: new Array(2).fill(0) };
    await page.evaluate((...settings) => globalThis.faultPage.write(...settings), from, {
      strict: 600,
      relaxed: 600,
    });
    await page.evaluate(() => globalThis.faultPage.close());
    await browser.close();
    const { syncs, paths } = powered.mismatches();
    if (paths.length > 0) throw new Error(`${paths.length} syncs were not understood: ${paths[0]}`);
    if (syncs < 10) throw new Error(`only ${syncs} syncs were seen`);
    return `${syncs} syncs, and after each the file is what the journal says`;
  } finally {
    await killChromium(profile.path);
    powered.forget();
    profile.remove();
  }
}

/** Adds the power cuts to a suite. */
export async function powerTests(suite, folders, { long, table }) {
  const library = buildRecorder();
  const acknowledgements = new Acknowledgements();
  const server = await servePages({
    folders,
    routes: { "/acknowledged": (body) => acknowledgements.take(body) },
  });
  const cuts = long ? CUTS.long : CUTS.short;
  try {
    await halfEntryTest(suite, server);
    for (const backend of BACKENDS) {
      await suite.test(`the recorder sees all that ${backend.name} forces to the disk`, () =>
        checkRecorder(backend, server, library),
      );
      for (const keeping of KEEPINGS) {
        const times = cuts[keeping];
        const settings = { backend, server, acknowledgements, library };
        await cutsOf(suite, table, { ...settings, withRelaxed: keeping === "relaxed" }, times);
      }
      const settings = { backend, server, acknowledgements, library, withRelaxed: true };
      await killsOf(suite, settings, long ? KILLS.long : KILLS.short);
    }
  } finally {
    await server.close();
  }
}

async function killsOf(suite, settings, times) {
  const profile = temporaryProfile("killed");
  const run = new PowerRun({ ...settings, profile });
  try {
    for (let done = 0; done < times; done++) {
      const name = `killed on ${settings.backend.name}, strict beside relaxed, ${done + 1} of ${times}`;
      const failed = suite.failed;
      await suite.test(name, () => run.cut("kept"));
      if (suite.failed > failed) break;
    }
  } finally {
    await killChromium(profile.path);
    profile.remove();
  }
}

async function cutsOf(suite, table, settings, times) {
  const { backend, withRelaxed } = settings;
  const sums = { acknowledged: { strict: 0, relaxed: 0 }, lost: { strict: 0, relaxed: 0 } };
  const reported = { losses: 0, reports: 0 };
  let outageMs = 0;
  for (let done = 0; done < times; ) {
    const profile = temporaryProfile("power");
    const run = new PowerRun({ ...settings, profile });
    const end = Math.min(times, done + CUTS_PER_PROFILE);
    try {
      for (; done < end; done++) {
        // What was not forced is gone altogether, or is there in part.
        const mode = done % 2 === 0 ? "clean" : "torn";
        const what = withRelaxed ? "strict beside relaxed" : "strict";
        const failed = suite.failed;
        await suite.test(`power cut on ${backend.name}, ${what}, ${done + 1} of ${times}`, () =>
          run.cut(mode),
        );
        if (suite.failed === failed) continue;
        // What a profile holds that lost something says nothing about the next cut.
        done += 1;
        break;
      }
    } finally {
      await killChromium(profile.path);
      profile.remove();
    }
    for (const keeping of KEEPINGS) {
      sums.acknowledged[keeping] += run.acknowledged[keeping];
      sums.lost[keeping] += run.lost[keeping];
    }
    reported.losses += run.losses;
    reported.reports += run.reports;
    outageMs = Math.max(outageMs, run.openMs);
  }
  const where = backend.name;
  const common = { where, times, outageMs };
  for (const keeping of withRelaxed ? KEEPINGS : ["strict"]) {
    const none = keeping === "strict";
    table.add({
      ...common,
      fault: `power cut, ${keeping}${withRelaxed && none ? " beside relaxed" : ""}`,
      acknowledged: sums.acknowledged[keeping],
      lost: sums.lost[keeping],
      reported: none ? 0 : `${reported.reports} of ${reported.losses} losses`,
    });
  }
}
