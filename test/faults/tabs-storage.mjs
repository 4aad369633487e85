/**
 * What befalls the store while tabs are open: a full quota, data that is cleared, a database
 * that another tab deletes, and a leader that is frozen. Nothing is lost but what was deleted, and that is told.
 */
import { BACKENDS } from "../harness/chromium-session.mjs";
import { Candidates } from "../tabs/faults.mjs";
import { weigh } from "../tabs/rotation.mjs";
import { commandLineOf, pause, processorTimeOf, Tabs, until } from "../tabs/tabs.mjs";

const MIB = 2 ** 20;
const STREAM = "storage";
const RECORD_BYTES = 500_000;
const SPINS_MAX = 10;
const LOAD = { lanes: 2, batchRecords: 2, callsMax: 2, dataBytes: 100, pauseMs: 5 };
/** Nobody whose data was deleted waits longer than this to be told, in ms. */
const TOLD_MS_MAX = 10_000;
/** A leader that is frozen for less than this is waited for, in ms. */
const SHORT_FREEZE_MS = 2_000;
/** Long freezes beside the usual ones while none of them has deposed anybody. */
const MORE_FREEZES_MAX = 3;
/**
 * A leader that is frozen for longer than this without a successor is woken, in ms: Chromium keeps others from
 * writing for a minute when it was frozen in the middle of a transaction.
 */
const BLOCKED_MS = 12_000;

function between(least, most) {
  return least + Math.random() * (most - least);
}

async function onBackend({ flags }, folders, work) {
  const tabs = await Tabs.start(folders, { flags });
  try {
    return await work(tabs);
  } finally {
    await tabs.stop();
  }
}

/** Puts until the quota refuses one; resolves with how many records were taken. */
async function fillUp(tab) {
  let stored = 0;
  const refused = await until("a put is refused", async () => {
    const code = await tab.call("putOnce", STREAM, RECORD_BYTES);
    if (code === "") stored += 1;
    return code;
  });
  if (refused !== "StoreFullException") throw new Error(`the put was refused with ${refused}`);
  return stored;
}

async function fullQuota(tabs, times) {
  // Chromium trusts what it knew of the space for half a minute: it must learn of the quota first.
  const keeper = await tabs.openEmpty();
  const override = async (quotaSize) =>
    await keeper.send("Storage.overrideQuotaForOrigin", {
      origin: tabs.origin,
      ...(quotaSize === undefined ? {} : { quotaSize }),
    });
  await override(8 * MIB);
  const tab = await tabs.open({ worker: "worker" });
  const other = await tabs.open({ worker: "worker" });
  await tab.call("makeStream", STREAM, 1);
  let [acknowledged, outageMs] = [0, 0];
  for (let time = 1; time <= times; time += 1) {
    acknowledged += await fillUp(other);
    const { full } = await tab.call("storage");
    if (!full) throw new Error("the storage report does not say that the store is full");
    const beganMs = performance.now();
    await override(time === times ? undefined : (time + 1) * 8 * MIB);
    await until("puts are taken again", async () => {
      return (await other.call("putOnce", STREAM, RECORD_BYTES)) === "";
    });
    acknowledged += 1;
    outageMs = Math.max(outageMs, performance.now() - beganMs);
  }
  const check = await tab.call("check");
  if (check.damage.length > 0) throw new Error(JSON.stringify(check.damage));
  const { records } = await tab.call("readBack", STREAM);
  if (records !== acknowledged) throw new Error(`${records} of ${acknowledged} records are there`);
  const told = await tab.call("told");
  if (!told.events.some((text) => text.includes("storage-full"))) {
    throw new Error("no event tells that the store is full");
  }
  return { times, acknowledged, lost: 0, reported: "StoreFullError", outageMs };
}

/** Losses that a tab was told of so far. */
async function lossesOf(tab) {
  const { events } = await tab.call("told");
  return events.filter((text) => text.includes('"data-loss"')).map((text) => JSON.parse(text));
}

/** Everything that the tabs put is wiped out once, by `wipe`. */
async function wipeOnce(tabs, { tab, other }, { wipe, busy, round }) {
  await tab.call("makeStream", STREAM, 2);
  const first = await other.call("tryPut", STREAM);
  const names = [`first-${round}`, `second-${round}`];
  const producers = [tab, other].map((one, i) => ({ tab: one, producer: names[i] }));
  for (const { tab: one, producer } of producers) {
    if (busy) await one.call("produce", { stream: STREAM, producer, ...LOAD });
  }
  await pause(between(300, 1_500));
  const before = await tab.call("storage");
  const known = await Promise.all([tab, other].map(lossesOf));
  const beganMs = performance.now();
  await wipe(tabs, tab);
  await until(
    `both tabs tell of the loss while they ${busy ? "put" : "are idle"} (round ${round + 1})`,
    async () => {
      const now = await Promise.all([tab, other].map(lossesOf));
      return now.every((losses, i) => losses.length > known[i].length);
    },
    TOLD_MS_MAX,
  );
  const reports = [];
  for (const { tab: one, producer } of producers) {
    if (busy) reports.push(await one.callFor(60_000, "stop", producer));
  }
  await tab.call("makeStream", STREAM, 2);
  const again = await other.call("tryPut", STREAM);
  const outageMs = performance.now() - beganMs;
  if (!again.done) throw new Error(`a put after the loss: ${JSON.stringify(again)}`);
  if (again.sequenceNumber.padStart(64, "0") <= first.sequenceNumber.padStart(64, "0")) {
    throw new Error(`${again.sequenceNumber} was given out after ${first.sequenceNumber}`);
  }
  const after = await tab.call("storage");
  if (after.incarnation === before.incarnation) throw new Error("the incarnation is the same");
  const { records } = await other.call("readBack", STREAM);
  const errors = reports.flatMap((report) => report.errors);
  const untyped = errors.filter((text) => !/ (ResourceNotFound|Indeterminate)Error:/.test(text));
  if (untyped.length > 0) throw new Error(untyped.join("; "));
  const told = (await lossesOf(other)).slice(known[1].length);
  const lost =
    1 + reports.flatMap((one) => Object.values(one.acknowledged)).reduce((a, b) => a + b, 0);
  return { lost, kept: records, told, outageMs };
}

async function wipedOut(tabs, { wipe, times }) {
  const tab = await tabs.open({ worker: "worker" });
  const other = await tabs.open({ worker: "worker" });
  const rounds = [];
  for (let round = 0; round < times; round += 1) {
    // Every second time nobody puts anything: the loss is told all the same.
    rounds.push(await wipeOnce(tabs, { tab, other }, { wipe, busy: round % 2 === 0, round }));
  }
  const uncaught = (await Promise.all([tab, other].map((one) => one.call("told")))).flatMap(
    ({ errors }) => errors,
  );
  if (uncaught.length > 0) throw new Error(uncaught.join("; "));
  const lost = rounds.reduce((sum, one) => sum + one.lost, 0);
  const [{ told }] = rounds;
  return {
    ...{
      times,
      acknowledged: lost,
      lost: `${lost.toLocaleString("en")}, deleted`,
      reported: "data-loss",
    },
    outageMs: Math.max(...rounds.map((one) => one.outageMs)),
    remark: told
      .map(({ report }) => `${report.kind}: ${report.where}: ${report.reason}`)
      .join("; "),
  };
}

/** Clears data as the browser's settings do. */
function clearing(storageTypes) {
  return async (tabs, tab) =>
    await tab.send("Storage.clearDataForOrigin", { origin: tabs.origin, storageTypes });
}

/** Deletes the database from a page on which no engine runs. */
async function deleteDatabase(tabs) {
  const stranger = await tabs.openEmpty();
  const gone = await until("the page is there", () =>
    stranger
      .evaluate(
        `new Promise((resolve, reject) => {
          const request = indexedDB.deleteDatabase("millrace:tabs");
          request.onsuccess = () => resolve(true);
          request.onerror = () => reject(request.error);
        })`,
      )
      .catch(() => undefined),
  );
  await stranger.close();
  if (!gone) throw new Error("the database was not deleted");
}

/** The renderer of a tab: the one whose processor time grows while the tab's page is busy. */
async function rendererOf(tabs, tab) {
  const renderers = tabs.processes.filter((pid) => commandLineOf(pid).includes("--type=renderer"));
  for (let spins = 0; spins < SPINS_MAX; spins += 1) {
    const before = new Map(renderers.map((pid) => [pid, processorTimeOf(pid)]));
    await tab.call("spin", 1_000);
    const [most, next] = renderers
      .map((pid) => ({ pid, ticks: processorTimeOf(pid) - before.get(pid) }))
      .toSorted((a, b) => b.ticks - a.ticks);
    if (most !== undefined && most.ticks >= 10 && most.ticks > 3 * (next?.ticks ?? 0)) {
      return most.pid;
    }
  }
  throw new Error("no renderer was the busy one");
}

/** Freezes whoever leads for a short while. */
async function freezeShortly(pid) {
  process.kill(pid, "SIGSTOP");
  try {
    await pause(between(100, SHORT_FREEZE_MS));
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

/** Freezes whoever leads until it is deposed; it follows when it wakes. Resolves with whether it was. */
async function freezeLong(candidates, { tab, status }, pid) {
  process.kill(pid, "SIGSTOP");
  let next;
  try {
    next = await candidates.leader(status.epoch, BLOCKED_MS).catch(() => undefined);
    await pause(between(0, 1_500));
  } finally {
    process.kill(pid, "SIGCONT");
  }
  if (next === undefined) return false;
  await until("the old leader follows", async () => {
    const now = await tab.call("member");
    return now.role === "follower" && now.epoch > status.epoch;
  });
  return true;
}

async function frozenLeader(tabs, times) {
  const candidates = new Candidates(tabs, { worker: "worker" });
  await candidates.fill();
  // While nobody is busy yet.
  const renderers = new Map();
  for (const tab of candidates.tabs) renderers.set(tab.name, await rendererOf(tabs, tab));
  const writer = await tabs.open({ worker: "parked" });
  await writer.call("makeStream", STREAM, 2);
  await writer.call("produce", { stream: STREAM, producer: "writer", ...LOAD });
  let [deposed, blocked, time] = [0, 0, 0];
  // The browser may let nobody else write while one process is frozen; then it is tried again.
  for (; time < times || (deposed === 0 && time < times + MORE_FREEZES_MAX); time += 1) {
    const leader = await candidates.leader();
    const pid = renderers.get(leader.tab.name);
    await pause(between(0, 1_000));
    if (time < times && time % 2 !== 0) await freezeShortly(pid);
    else if (await freezeLong(candidates, leader, pid)) deposed += 1;
    else blocked += 1;
  }
  await pause(500);
  const report = await writer.callFor(90_000, "stop", "writer");
  const found = await writer.callFor(60_000, "readBack", STREAM);
  const { problems, acknowledged } = weigh(found, [report]);
  problems.push(...(await candidates.complaints()));
  if (deposed === 0) problems.push("no frozen leader was deposed");
  if (problems.length > 0) throw new Error(problems.join("\n  "));
  const outageMs = report.outages[0]?.lastedMs;
  const remark = `deposed ${deposed} times; ${blocked} times the browser let nobody else write`;
  return { times: time, acknowledged, lost: 0, reported: "nothing", outageMs, remark };
}

/** The faults: each resolves with its row of the table. */
function faults(long) {
  const times = long ? 6 : 2;
  return [
    { fault: "full quota", run: (tabs) => fullQuota(tabs, long ? 3 : 1) },
    {
      fault: "IndexedDB cleared",
      run: (tabs) => wipedOut(tabs, { wipe: clearing("indexeddb"), times }),
    },
    {
      fault: "all site data cleared",
      run: (tabs) => wipedOut(tabs, { wipe: clearing("all"), times }),
    },
    {
      fault: "database deleted by another tab",
      run: (tabs) => wipedOut(tabs, { wipe: deleteDatabase, times }),
    },
    { fault: "leader frozen (SIGSTOP)", run: (tabs) => frozenLeader(tabs, long ? 8 : 2) },
  ];
}

/** Adds the faults of storage to a suite, in the long form on each back end. */
export async function tabStorageTests(suite, folders, { long, table }) {
  for (const backend of long ? BACKENDS : BACKENDS.slice(0, 1)) {
    for (const { fault, run } of faults(long)) {
      await suite.test(`${fault}, ${backend.name}`, async () => {
        const { remark, ...row } = await onBackend(backend, folders, run);
        table.add({ fault, where: backend.name, ...row });
        return `${JSON.stringify(row)}${remark === undefined ? "" : `\n  ${remark}`}`;
      });
    }
  }
}
