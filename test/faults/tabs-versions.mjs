/**
 * Tabs of different builds at one engine: the older one yields to the newer one, works
 * through it after it upgraded the store, and says what is wrong when nobody is there who can lead.
 */
import { BACKENDS } from "../harness/chromium-session.mjs";
import { weigh } from "../tabs/rotation.mjs";
import { pause, Tabs, until } from "../tabs/tabs.mjs";
import { bundleNewerBuilds, pageOf } from "./tabs-builds.mjs";

const STREAM = "versions";
const LOAD = { lanes: 2, batchRecords: 2, callsMax: 2, dataBytes: 100, pauseMs: 5 };
const OLD = { worker: "worker" };
/** Nobody waits longer than this for the news that this build is too old, in ms. */
const TOO_OLD_MS_MAX = 15_000;

async function roleOf(tab) {
  return (await tab.call("member")).role;
}

async function becomes(tab, role) {
  return await until(`${tab.name} becomes ${role}`, async () => (await roleOf(tab)) === role);
}

/** Ends a producer and weighs what is there against what was acknowledged. */
async function settle(tab, producer) {
  const report = await tab.callFor(60_000, "stop", producer);
  const { problems, acknowledged } = weigh(await tab.call("readBack", STREAM), [report]);
  if (problems.length > 0) throw new Error(problems.join("\n  "));
  return { acknowledged, outageMs: report.outages[0]?.lastedMs ?? 0 };
}

async function noneUncaught(...all) {
  const told = await Promise.all(all.map((tab) => tab.call("told")));
  const problems = told.flatMap(({ errors, events }) => [...errors, ...events]);
  if (problems.length > 0) throw new Error(problems.join("; "));
}

/** An old tab leads and puts; a newer build comes, leads, and goes again: each time nothing is lost. */
async function yields(tabs, times) {
  const old = await tabs.open(OLD);
  await old.call("makeStream", STREAM, 2);
  await old.call("produce", { stream: STREAM, producer: "old", ...LOAD });
  for (let time = 0; time < times; time += 1) {
    await becomes(old, "leader");
    const newer = await tabs.open(pageOf("newer"));
    await becomes(newer, "leader");
    await becomes(old, "follower");
    const second = await tabs.open(OLD);
    await becomes(second, "follower");
    await pause(300);
    await noneUncaught(newer, second);
    await second.close();
    await newer.close();
  }
  await becomes(old, "leader");
  const settled = await settle(old, "old");
  await noneUncaught(old);
  return { times, ...settled, reported: "nothing" };
}

/** A newer build upgrades the store under an old tab, which puts on through it. */
async function upgradedUnder(tabs, old) {
  await old.call("produce", { stream: STREAM, producer: "old", ...LOAD });
  await pause(300);
  const newer = await tabs.open(pageOf("upgraded"));
  await becomes(newer, "leader");
  await becomes(old, "follower");
  const late = await tabs.open(OLD);
  await becomes(late, "follower");
  const put = await late.call("tryPut", STREAM);
  if (!put.done) throw new Error(`an old tab that came later: ${JSON.stringify(put)}`);
  await late.close();
  await pause(300);
  const report = await old.callFor(60_000, "stop", "old");
  if (report.errors.length > 0) throw new Error(report.errors.join("; "));
  return { newer, report };
}

/** Nobody leads any more: whoever is too old says so. */
async function judgeTooOld(tabs, old) {
  const put = await old.call("tryPut", STREAM);
  const visitor = await tabs.visit(OLD);
  const outcome = await visitor.call("outcome");
  await visitor.close();
  for (const told of [put, outcome]) {
    const text = JSON.stringify(told);
    const { name = "", message = "", cause = "", tookMs, atMs } = told;
    const tooOld = name === "UnsupportedFormatError" || cause.startsWith("UnsupportedFormatError");
    if (!tooOld || !`${message}${cause}`.includes("newer build")) throw new Error(text);
    if ((tookMs ?? atMs) > TOO_OLD_MS_MAX) throw new Error(`${text}: too late`);
  }
  const { role, why } = await old.call("member");
  if (role !== "client" || !why.includes("newer build")) throw new Error(`${role}: ${why}`);
  return put.tookMs;
}

async function upgrades(tabs) {
  const old = await tabs.open(OLD);
  await old.call("makeStream", STREAM, 2);
  const { newer, report } = await upgradedUnder(tabs, old);
  await newer.close();
  const outageMs = await judgeTooOld(tabs, old);
  const newest = await tabs.open(pageOf("upgraded"));
  await until("the old tab puts again", async () => (await old.call("tryPut", STREAM)).done);
  if ((await roleOf(old)) !== "client") throw new Error("the old tab is no client");
  const found = await newest.call("readBack", STREAM);
  // The records that were put one by one bear no numbers.
  const problems = found.problems.filter((text) => !text.startsWith("tried"));
  const acknowledged = Object.values(report.acknowledged).reduce((a, b) => a + b, 0);
  for (const [key, count] of Object.entries(report.acknowledged)) {
    if (found.counts[key] !== count) problems.push(`${key}: ${found.counts[key]} of ${count}`);
  }
  if (problems.length > 0) throw new Error(problems.join("; "));
  return { times: 1, acknowledged, lost: 0, reported: "UnsupportedFormatError", outageMs };
}

/** Somebody who is no tab of the engine upgrades the database under the old tab that leads. */
async function upgradedByStranger(tabs) {
  const old = await tabs.open(OLD);
  await old.call("makeStream", STREAM, 2);
  await old.call("produce", { stream: STREAM, producer: "old", ...LOAD });
  await pause(300);
  const stranger = await tabs.openEmpty();
  await until("the database is upgraded", () =>
    stranger
      .evaluate(
        `new Promise((resolve, reject) => {
          const request = indexedDB.open("millrace:tabs", 2);
          request.onsuccess = () => { request.result.close(); resolve(true); };
          request.onerror = () => reject(request.error);
        })`,
      )
      .catch(() => false),
  );
  const beganMs = performance.now();
  // Puts must be made after the upgrade, too.
  await pause(1_000);
  const report = await old.callFor(60_000, "stop", "old");
  const outageMs = performance.now() - beganMs;
  const untyped = report.errors.filter(
    (text) => !/(UnsupportedFormat|Indeterminate)Error/.test(text),
  );
  if (untyped.length > 0 || report.errors.length === 0) throw new Error(`errors: ${report.errors}`);
  await judgeTooOld(tabs, old);
  const newest = await tabs.open(pageOf("upgraded"));
  const found = await newest.call("readBack", STREAM);
  const problems = [...found.problems];
  let [acknowledged, undecided] = [0, 0];
  for (const [key, count] of Object.entries(report.acknowledged)) {
    acknowledged += count;
    undecided += found.counts[key] - count;
    if (found.counts[key] < count) problems.push(`${key}: ${count - found.counts[key]} are gone`);
  }
  if (problems.length > 0) throw new Error(problems.join("; "));
  const remark = `${undecided} records of puts that failed as indeterminate are there`;
  const reported = "UnsupportedFormatError, IndeterminateError";
  return { times: 1, acknowledged, lost: 0, reported, outageMs, remark };
}

function faults(long) {
  return [
    { fault: "newer build comes and goes", run: (tabs) => yields(tabs, long ? 6 : 1) },
    { fault: "newer build upgrades the store", run: upgrades },
    { fault: "database upgraded by a stranger", run: upgradedByStranger },
  ];
}

/** Adds the runs with two builds to a suite, in the long form on each back end. */
export async function versionTests(suite, folders, { long, table }) {
  const all = [...folders, await bundleNewerBuilds()];
  for (const { name, flags } of long ? BACKENDS : BACKENDS.slice(0, 1)) {
    for (const { fault, run } of faults(long)) {
      await suite.test(`${fault}, ${name}`, async () => {
        const tabs = await Tabs.start(all, { flags });
        try {
          const { remark, ...row } = await run(tabs);
          table.add({ fault, where: name, lost: 0, ...row });
          return `${JSON.stringify(row)}${remark === undefined ? "" : `\n  ${remark}`}`;
        } finally {
          await tabs.stop();
        }
      });
    }
  }
}
