/** Two tabs of a real Firefox: the one that leads is closed, and the one that is left is loaded again. */
import { temporaryProfile } from "../harness/chromium-session.mjs";
import { killFirefox, startFirefox } from "../harness/firefox-session.mjs";
import { servePages } from "../harness/page-server.mjs";

const STREAM = "clicks";
const PRODUCER = {
  ...{ stream: STREAM, producer: "one" },
  ...{ lanes: 3, batchRecords: 5, callsMax: 2, dataBytes: 500, pauseMs: 5 },
};
const PRODUCED_MIN = 100;
const PATIENCE_MS = 60_000;

async function openTab(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  await ready(page);
  return page;
}

async function ready(page) {
  await page.waitForFunction("globalThis.tab !== undefined", { timeout: PATIENCE_MS });
  await page.evaluate(() => globalThis.tab.opened());
}

/** Resolves once a tab's producers had so many more records acknowledged. */
async function produced(page, more) {
  const before = await page.evaluate(() => globalThis.tab.acknowledged());
  const deadlineMs = performance.now() + PATIENCE_MS;
  while ((await page.evaluate(() => globalThis.tab.acknowledged())) < before + more) {
    if (performance.now() > deadlineMs) throw new Error(`${more} records took too long`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function roleOf(page) {
  return (await page.evaluate(() => globalThis.tab.member())).role;
}

function same(what, actual, expected) {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (found !== wanted) throw new Error(`${what}: ${found} instead of ${wanted}`);
}

/** Every record that was acknowledged to the producers, each once and in order. */
function checkReport({ problems, counts, records }, reports) {
  same("problems", problems, []);
  for (const { acknowledged, errors } of reports) {
    same("errors of puts", errors, []);
    for (const [key, count] of Object.entries(acknowledged)) same(key, counts[key], count);
  }
  return records;
}

async function leaderCloses(browser, url) {
  const [first, second] = [await openTab(browser, url), await openTab(browser, url)];
  same("roles", [await roleOf(first), await roleOf(second)], ["leader", "follower"]);
  await first.evaluate((name) => globalThis.tab.makeStream(name, 2), STREAM);
  await second.evaluate((settings) => globalThis.tab.produce(settings), PRODUCER);
  await produced(second, PRODUCED_MIN);
  await first.close();
  await produced(second, PRODUCED_MIN);
  same("the role of the one that is left", await roleOf(second), "leader");
  const report = await second.evaluate(() => globalThis.tab.stop("one"));
  const records = checkReport(
    await second.evaluate((name) => globalThis.tab.readBack(name), STREAM),
    [report],
  );
  const outageMs = Math.round(report.outages[0]?.lastedMs ?? 0);
  return { second, report, remark: `${records} records, longest outage ${outageMs} ms` };
}

/** Adds the tests to a suite. `folders` hold the bundles of the runs with many tabs. */
export async function firefoxTabsTests(suite, folders) {
  const server = await servePages({ folders });
  const profile = temporaryProfile("firefox-tabs");
  const browser = await startFirefox(profile.path);
  const url = `${server.url}?engine=firefox`;
  try {
    let left;
    await suite.test(
      "Firefox: the tab that leads is closed; nothing lost, nothing twice",
      async () => {
        left = await leaderCloses(browser, url);
        return left.remark;
      },
    );
    await suite.test("Firefox: the last tab is loaded again and has everything", async () => {
      const { second, report } = left;
      await second.reload();
      await ready(second);
      const read = await second.evaluate((name) => globalThis.tab.readBack(name), STREAM);
      same("losses", await second.evaluate(() => globalThis.tab.dataLoss()), []);
      return `${checkReport(read, [report])} records`;
    });
  } finally {
    await browser.close().catch(() => undefined);
    await killFirefox(profile.path);
    await server.close();
    profile.remove();
  }
}
