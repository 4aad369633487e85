/** A browser killed while a page writes: what was acknowledged is there, in order, and whole. */
import { killChromium, startChromium, temporaryProfile } from "../harness/chromium-session.mjs";
import { servePages } from "../harness/page-server.mjs";

const ROUNDS = 6;
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

async function openPage(browser, url) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(url);
  await page.waitForFunction("globalThis.faultPage !== undefined");
  return { page, errors };
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
  const acknowledged = report.lanes.reduce(
    (sum, _, lane) => sum + acknowledgements.countOf(lane),
    0,
  );
  const mebibytes = (report.bytes / 2 ** 20).toFixed(0);
  return `${records} records read, ${acknowledged} acknowledged, ${mebibytes} MiB, ${report.shards} shards`;
}

/** Writes until the browser is killed. Resolves with the number of processes killed. */
async function writeAndKill(profile, url, from, acknowledgements) {
  const browser = await startChromium(profile.path);
  const { page, errors } = await openPage(browser, url);
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
  await Promise.race([acknowledgements.next(), early]);
  const { min, max } = WRITING_MS;
  const waitMs = min + Math.random() * (max - min);
  await Promise.race([new Promise((resolve) => setTimeout(resolve, waitMs)), early]);
  const killed = await killChromium(profile.path);
  await browser.disconnect();
  if (errors.length > 0) throw new Error(errors.join("; "));
  return killed;
}

async function readAll(profile, url) {
  const browser = await startChromium(profile.path);
  try {
    const { page } = await openPage(browser, url);
    return await page.evaluate(() => globalThis.faultPage.readBack());
  } finally {
    await browser.close();
  }
}

async function cleanRound(profile, url, from, acknowledgements, batchMax) {
  const browser = await startChromium(profile.path);
  try {
    const { page } = await openPage(browser, url);
    await page.evaluate(
      (first, ms) => globalThis.faultPage.write(first, ms),
      from,
      CLEAN_WRITING_MS,
    );
    await page.reload();
    await page.waitForFunction("globalThis.faultPage !== undefined");
    const report = await page.evaluate(() => globalThis.faultPage.readBack());
    const counts = check(report, acknowledgements, 0);
    return { report, counts, batchMax };
  } finally {
    await browser.close();
  }
}

/** Adds the crash tests to a suite. */
export async function crashTests(suite, folders) {
  const acknowledgements = new Acknowledgements();
  const server = await servePages({
    folders,
    routes: { "/acknowledged": (body) => acknowledgements.take(body) },
  });
  const profile = temporaryProfile("crash");
  let from;
  let batchMax = 0;
  try {
    const browser = await startChromium(profile.path);
    const { page } = await openPage(browser, server.url);
    const { lanes, batchMax: most } = await page.evaluate(() => ({ ...globalThis.faultPage }));
    await browser.close();
    from = new Array(lanes).fill(0);
    batchMax = most;
    for (let round = 1; round <= ROUNDS; round++) {
      await suite.test(
        `kill -9 of the browser loses nothing that was acknowledged, round ${round}`,
        async () => {
          const killed = await writeAndKill(profile, server.url, from, acknowledgements);
          if (killed < 3) throw new Error(`only ${killed} processes were killed`);
          const report = await readAll(profile, server.url);
          from = check(report, acknowledgements, batchMax);
          return `${summary(report, acknowledgements)}, ${killed} processes killed`;
        },
      );
    }
    await suite.test("a reload keeps exactly what was acknowledged", async () => {
      const { report } = await cleanRound(profile, server.url, from, acknowledgements, batchMax);
      return summary(report, acknowledgements);
    });
  } finally {
    await killChromium(profile.path);
    await server.close();
    profile.remove();
  }
}
