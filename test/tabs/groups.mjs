/** Consumer groups over tabs that go in mid-batch: others go on from the checkpoints, soon, and nothing is lost. */
import { pause, Tabs, until } from "./tabs.mjs";

const STREAM = "orders";
const OUTPUT = "copies";
const SHARDS = 4;
/** What the issue asks for; in the short form, beside all other tests, the machine may be busy. */
const RESUME_MS_MAX = { long: 2_000, short: 6_000 };
const LOAD = { lanes: 16, batchRecords: 1, callsMax: 64, dataBytes: 60, pauseMs: 20 };
/** Batches take their time, so that there always is one under way. */
const GROUP = { group: "copiers", stream: STREAM, output: OUTPUT, workMs: 60, batchRecordsMax: 50 };

const ENDS = {
  "is closed": (tab) => tab.close(),
  crashes: async (tab) => {
    // A page that crashes does not answer.
    tab.send("Page.crash").catch(() => undefined);
    void pause(2_000).then(() => tab.close());
  },
};

/** What is wrong with the copies, held against what was acknowledged. */
export function problemsOfCopies(found, acknowledged) {
  const problems = [...found.problems];
  if (found.repeats > 0) problems.push(`${found.repeats} records are copied twice`);
  for (const [key, count] of Object.entries(acknowledged)) {
    const copied = found.counts[key] ?? 0;
    if (copied !== count) problems.push(`${copied} of ${count} records of ${key} are copied`);
  }
  return problems.map((text) => `group: ${text}`);
}

/** Reads the copies once as many are there as were acknowledged. */
export async function copiesOf(tab, output, acknowledged) {
  const total = Object.values(acknowledged).reduce((sum, count) => sum + count, 0);
  const read = async () => await tab.callFor(60_000, "readBack", output);
  const all = async () => (await read()).records >= total;
  // What is missing, or too much, is told when it is weighed.
  await until("everything is copied", all, 30_000).catch(() => undefined);
  return await read();
}

const shares = async (tabs) => {
  const reports = await Promise.all(tabs.map((tab) => tab.call("groupReport")));
  return reports.map(({ leases }) => leases.length);
};

/** The worker's tab with the lead, or one without. */
async function pick(tabs, leads) {
  return await until(`a worker's tab ${leads ? "leads" : "follows"}`, async () => {
    const found = await Promise.all(
      tabs.map(async (tab) => ({ tab, role: (await tab.call("member")).role })),
    );
    return found.find(({ role }) => (role === "leader") === leads)?.tab;
  });
}

/** Ends one of two workers' tabs in mid-batch; after how long the other has committed records of its shards, in ms. */
async function endOne(tabs, end, leads) {
  await until("both tabs have two leases", async () =>
    (await shares(tabs)).every((count) => count === SHARDS / 2),
  );
  const gone = await pick(tabs, leads);
  const left = tabs.find((tab) => tab !== gone);
  const { leases } = await gone.call("groupReport");
  await until("a batch is under way", async () => (await gone.call("groupReport")).underWay > 0);
  const endedMs = Date.now();
  const ending = ENDS[end](gone);
  if (leads)
    await until("the other tab leads", async () => (await left.call("member")).role === "leader");
  const ledMs = Date.now() - endedMs;
  await ending;
  const lastMs = await until("the other tab goes on with all shards", async () => {
    const { committedMs } = await left.call("groupReport");
    const times = leases.map((shardId) => committedMs[shardId] ?? 0);
    return times.every((atMs) => atMs > endedMs) && Math.max(...times);
  });
  return { left, ledMs, tookMs: lastMs - endedMs };
}

async function endInMidBatch(folders, turns, resumeMsMax) {
  const tabs = await Tabs.start(folders);
  try {
    let started = 0;
    const begin = async () => {
      const tab = await tabs.open({ worker: "worker" });
      await tab.call("makeStream", STREAM, SHARDS);
      await tab.call("makeStream", OUTPUT, 1);
      started += 1;
      await tab.call("startGroup", { ...GROUP, workerId: `worker-${started}` });
      return tab;
    };
    let workers = [await begin(), await begin()];
    const writer = await tabs.open({ worker: "parked" });
    await writer.call("produce", { stream: STREAM, producer: "writer", ...LOAD });
    const took = [];
    for (const { end, leads } of turns) {
      const { left, ledMs, tookMs } = await endOne(workers, end, leads);
      const who = leads
        ? `the leader's tab, which the other follows after ${ledMs} ms,`
        : "another tab";
      took.push({ what: `${who} ${end}`, tookMs });
      workers = [left, await begin()];
    }
    const { acknowledged, errors } = await writer.callFor(90_000, "stop", "writer");
    const found = await copiesOf(writer, OUTPUT, acknowledged);
    const slow = took.filter(({ tookMs }) => tookMs > resumeMsMax);
    const problems = [
      ...errors,
      ...problemsOfCopies(found, acknowledged),
      ...slow.map(({ what, tookMs }) => `${what}: the group goes on after ${tookMs} ms`),
    ];
    const figures =
      `${found.records} records copied; committed again after ` +
      took.map(({ what, tookMs }) => `${tookMs} ms (${what})`).join(", ");
    if (problems.length > 0) throw new Error(`${problems.slice(0, 12).join("\n  ")}\n  ${figures}`);
    return figures;
  } finally {
    await tabs.stop();
  }
}

/** Adds the groups to a suite. */
export async function groupTests(suite, folders, long) {
  const once = Object.keys(ENDS).flatMap((end) => [
    { end, leads: false },
    { end, leads: true },
  ]);
  const turns = long ? Array.from({ length: 5 }, () => once).flat() : once.slice(0, 2);
  await suite.test(`a group of which ${turns.length} tabs go in mid-batch`, () =>
    endInMidBatch(folders, turns, long ? RESUME_MS_MAX.long : RESUME_MS_MAX.short),
  );
}
