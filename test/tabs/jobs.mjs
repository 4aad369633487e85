/** A job whose hosting tab goes, in every way: the next one goes on, and each record is copied once. */
import { pause, Tabs, until } from "./tabs.mjs";

const QUERY = { worker: "worker", jobs: "jobs-worker" };
/** What the issue asks for; in the short form, beside all other tests, the machine may be busy. */
const GAP_MS_MAX = { long: 2_000, short: 5_000 };
const EVERY_MS = 10;
const BETWEEN_MS = 500;

/** Ways in which a tab goes. */
const WAYS = {
  close: async (tab) => await tab.close(),
  crash: async (tab) => {
    tab.send("Page.crash").catch(() => undefined);
    await pause(200);
    await tab.close();
  },
  leave: async (tab, tabs) => {
    await tab.goto(tabs.emptyUrl);
    await pause(1_000);
    await tab.close();
  },
  "lose its worker": async (tab) => await tab.call("endWorker"),
};

/** The tab that hosts the job, once its workers run. */
async function hostOf(tabs) {
  let found;
  await until("a tab hosts the job", async () => {
    const { state, hostId } = await tabs.at(-1).call("job", "copies");
    if (state !== "running") return false;
    for (const tab of tabs) {
      const { memberId, role } = await tab.call("member");
      if (memberId === hostId && role === "leader") found = tab;
    }
    return found !== undefined;
  });
  return found;
}

async function strike(folders, way, gapMsMax) {
  const tabs = await Tabs.start(folders);
  try {
    // The first tab leads, and hosts.
    const open = [await tabs.open(QUERY), await tabs.open(QUERY), await tabs.open(QUERY)];
    const producer = open[2];
    await producer.call("produceNumbers", EVERY_MS);
    for (let turn = 0; turn < 2; turn += 1) {
      const host = await hostOf(open);
      await pause(BETWEEN_MS);
      // The last one that is left is the producer.
      if (host === producer) break;
      if (way !== "lose its worker") open.splice(open.indexOf(host), 1);
      await WAYS[way](host, tabs);
      await pause(BETWEEN_MS);
    }
    await hostOf(open);
    await pause(BETWEEN_MS);
    const acknowledged = await producer.call("stopNumbers");
    let report;
    await until("all is copied", async () => {
      report = await producer.call("copies");
      return report.records >= acknowledged;
    });
    const { records, distinct, gapMs } = report;
    if (records !== acknowledged || distinct !== acknowledged) {
      throw new Error(
        `${records} copies of ${acknowledged} records, ${distinct} of them different`,
      );
    }
    const { errors } = await producer.call("told");
    if (errors.length > 0) throw new Error(errors.join("; "));
    if (gapMs > gapMsMax) throw new Error(`nothing was copied for ${gapMs} ms`);
    return `${acknowledged} records, each copied once; the longest pause ${gapMs} ms`;
  } finally {
    await tabs.stop();
  }
}

/** Adds the ways to a suite. */
export async function jobTests(suite, folders, long) {
  const gapMsMax = long ? GAP_MS_MAX.long : GAP_MS_MAX.short;
  for (const way of Object.keys(WAYS)) {
    await suite.test(`tabs that host a job ${way}`, () => strike(folders, way, gapMsMax));
  }
}
