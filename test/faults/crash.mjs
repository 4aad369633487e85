/** A browser killed while a page writes, on both back ends: what was acknowledged is there, in order, and whole. */
import {
  BACKENDS,
  killChromium,
  startChromium,
  temporaryProfile,
} from "../harness/chromium-session.mjs";
import { openFaultPage, untilReady } from "../harness/fault-page.mjs";
import { servePages } from "../harness/page-server.mjs";

/** Chromium by its back ends. Each starts and kills a browser on a profile. */
const CHROMIUMS = BACKENDS.map(({ name, flags }) => ({
  name,
  start: (profile) => startChromium(profile, flags),
  kill: killChromium,
}));
/** Kills of one profile, on each back end. */
const ROUNDS = { short: 3, long: 24 };
/** A round's writing lasts so long after its first acknowledgement, at random. */
const WRITING_MS = { min: 400, max: 1800 };
const CLEAN_WRITING_MS = 1000;
const FOREVER_MS = 600_000;

/** Everything that the server was told is durable, by lane: the number of the last record. */
class Acknowledgements {
  #last = [];
  #waiting = [];

  take(body) {
    const { lane, number } = JSON.parse(body);
    this.#last[lane] = number;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Records of a lane that must be there. */
  countOf(lane) {
    return (this.#last[lane] ?? -1) + 1;
  }

  /** Resolves at the next one. */
  next() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/**
 * Compares what was read with what was acknowledged; a lane may have one more batch, which was under way.
 * Returns the number of records of each lane.
 */
function check(report, acknowledgements, batchMax) {
  const problems = report.lanes.flatMap(({ records, problems: found }, lane) => {
    const acknowledged = acknowledgements.countOf(lane);
    const missing =
      records < acknowledged ? [`${acknowledged - records} acknowledged records are gone`] : [];
    const extra =
      records > acknowledged + batchMax ? [`${records - acknowledged} records too many`] : [];
    return [...found.slice(0, 3), ...missing, ...extra].map((text) => `lane ${lane}: ${text}`);
  });
  if (report.dataLoss > 0) problems.push(`the engine reports ${report.dataLoss} damaged places`);
  if (problems.length > 0) throw new Error(problems.join("; "));
  return report.lanes.map(({ records }) => records);
}

function summary(report, acknowledgements) {
  const records = report.lanes.reduce((sum, lane) => sum + lane.records, 0);
  const acknowledged = acknowledgedIn(acknowledgements, report.lanes);
  const mebibytes = (report.bytes / 2 ** 20).toFixed(0);
  const open = `opened in ${Math.round(report.openMs)} ms`;
  return `${records} records read, ${acknowledged} acknowledged, ${mebibytes} MiB, ${report.shards} shards, ${open}`;
}

function acknowledgedIn(acknowledgements, lanes) {
  return lanes.reduce((sum, _, lane) => sum + acknowledgements.countOf(lane), 0);
}

/** One profile of one back end, written to and killed again and again. */
class CrashRun {
  #profile;
  #backend;
  #url;
  #acknowledgements;

  constructor({ profile, backend, url, acknowledgements }) {
    this.#profile = profile;
    this.#backend = backend;
    this.#url = url;
    this.#acknowledgements = acknowledgements;
  }

  /** Lanes of the page, and the most records of one batch. */
  async settings() {
    return await this.#on((page) => page.evaluate(() => ({ ...globalThis.faultPage })));
  }

  /** Writes until the browser is killed. Resolves with the number of processes killed. */
  async writeAndKill(from) {
    const browser = await this.#start();
    const { page, errors } = await openFaultPage(browser, this.#url);
    const writing = page.evaluate(
      (first, forMs) => globalThis.faultPage.write(first, forMs),
      from,
      FOREVER_MS,
    );
    // The page never comes to an end by itself: only a failure before the kill is of interest.
    const early = writing.then(
      () => Promise.reject(new Error("the page stopped writing")),
      (error) => Promise.reject(error),
    );
    early.catch(() => undefined);
    await Promise.race([this.#acknowledgements.next(), early]);
    const { min, max } = WRITING_MS;
    const waitMs = min + Math.random() * (max - min);
    await Promise.race([new Promise((resolve) => setTimeout(resolve, waitMs)), early]);
    const killed = await this.#backend.kill(this.#profile.path);
    await browser.disconnect();
    if (errors.length > 0) throw new Error(errors.join("; "));
    return killed;
  }

  async readAll() {
    return await this.#on((page) => page.evaluate(() => globalThis.faultPage.readBack()));
  }

  /** Writes for a while, reloads the page and reads. */
  async writeAndReload(from) {
    return await this.#on(async (page) => {
      await page.evaluate(
        (first, ms) => globalThis.faultPage.write(first, ms),
        from,
        CLEAN_WRITING_MS,
      );
      await page.reload();
      await untilReady(page);
      return await page.evaluate(() => globalThis.faultPage.readBack());
    });
  }

  #start() {
    return this.#backend.start(this.#profile.path);
  }

  async #on(work) {
    const browser = await this.#start();
    try {
      const { page } = await openFaultPage(browser, this.#url);
      return await work(page);
    } finally {
      await browser.close();
    }
  }
}

async function crashBackend(suite, { backend, rounds, run, acknowledgements, table }) {
  const { lanes, batchMax } = await run.settings();
  let from = new Array(lanes).fill(0);
  let longestMs = 0;
  let survived = 0;
  for (let round = 1; round <= rounds; round++) {
    await suite.test(
      `${backend.name}: kill -9 of the browser loses nothing that was acknowledged, round ${round}`,
      async () => {
        const killed = await run.writeAndKill(from);
        if (killed < 3) throw new Error(`only ${killed} processes were killed`);
        const report = await run.readAll();
        longestMs = Math.max(longestMs, report.openMs);
        from = check(report, acknowledgements, batchMax);
        survived += 1;
        return `${summary(report, acknowledgements)}, ${killed} processes killed`;
      },
    );
  }
  await suite.test(`${backend.name}: a reload keeps exactly what was acknowledged`, async () => {
    const report = await run.writeAndReload(from);
    check(report, acknowledgements, 0);
    return summary(report, acknowledgements);
  });
  table.add({
    fault: "kill -9",
    where: backend.name,
    times: rounds,
    acknowledged: acknowledgedIn(acknowledgements, from),
    lost: survived === rounds ? 0 : "see above",
    reported: "nothing to report",
    outageMs: longestMs,
  });
}

/** Adds the crash tests to a suite. `long` kills each back end many times; `backends` may be other browsers. */
export async function crashTests(suite, folders, { long, table, backends = CHROMIUMS }) {
  const rounds = ROUNDS[long ? "long" : "short"];
  for (const backend of backends) {
    const acknowledgements = new Acknowledgements();
    const server = await servePages({
      folders,
      routes: { "/acknowledged": (body) => acknowledgements.take(body) },
    });
    const profile = temporaryProfile("crash");
    const { url } = server;
    const run = new CrashRun({ profile, backend, url, acknowledgements });
    try {
      await crashBackend(suite, { backend, rounds, run, acknowledgements, table });
    } finally {
      await backend.kill(profile.path);
      await server.close();
      profile.remove();
    }
  }
}
