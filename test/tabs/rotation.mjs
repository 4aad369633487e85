/** Rotating faults of the leader under two producers: nothing acknowledged is lost, nothing is there twice. */
import { Candidates, FAULTS } from "./faults.mjs";
import { pause, Tabs } from "./tabs.mjs";

const STREAM = "rotation";
/** What the issue asks for; in the short form, beside all other tests, the machine may be busy. */
const OUTAGE_MS_MAX = { long: 1_000, short: 5_000 };
const BETWEEN_MS = 250;
const PRODUCERS = [
  { producer: "follows", worker: "parked" },
  { producer: "sticks", worker: "sticky" },
];
const LOAD = { lanes: 4, batchRecords: 8, callsMax: 2, dataBytes: 100, pauseMs: 0 };
/** A leader's own records: a zombie goes on committing them. */
const OWN_LOAD = { lanes: 1, batchRecords: 1, callsMax: 1, dataBytes: 100, pauseMs: 10 };

/** What is wrong with what was read, held against what was acknowledged. */
export function weigh(found, reports) {
  const problems = [...found.problems];
  let acknowledged = 0;
  for (const { acknowledged: lanes, errors } of reports) {
    problems.push(...errors);
    for (const [key, count] of Object.entries(lanes)) {
      acknowledged += count;
      const there = found.counts[key] ?? 0;
      if (there < count) problems.push(`${key}: ${count - there} acknowledged records are gone`);
      if (there > count) problems.push(`${key}: ${there - count} records too many`);
    }
  }
  return { problems, acknowledged };
}

function describe(fault) {
  return ({ beganMs, lastedMs }) => {
    const before = fault.findLast(({ atMs }) => atMs <= beganMs + lastedMs);
    return `${lastedMs.toFixed(0)} ms (${before?.name ?? "before any fault"})`;
  };
}

/**
 * Strikes until the time is over and each fault has struck twice: a page only comes back when the next one goes.
 * Resolves with the faults and when they struck.
 */
async function strikeFor(candidates, forMs, producers) {
  const struck = [];
  const endMs = performance.now() + forMs;
  for (let turn = 0; turn < 2 * FAULTS.length || performance.now() < endMs; turn += 1) {
    const name = FAULTS[turn % FAULTS.length];
    const fault = { name, atMs: Date.now() };
    struck.push(fault);
    await candidates.strike(name);
    fault.tookMs = Date.now() - fault.atMs;
    fault.ways = await Promise.all(
      producers.map(async ({ tab }) => (await tab.call("member")).transport),
    );
    if (process.env.MILLRACE_TABS_VERBOSE === "1")
      process.stdout.write(`  ${JSON.stringify(fault)}\n`);
    await candidates.fill();
    await pause(BETWEEN_MS);
  }
  return struck;
}

async function rotate(folders, forMs, outageMsMax) {
  const tabs = await Tabs.start(folders);
  try {
    let own = 0;
    const candidates = new Candidates(tabs, { worker: "zombie" }, async (tab) => {
      own += 1;
      await tab.call("produce", { stream: STREAM, producer: `own-${own}`, ...OWN_LOAD });
    });
    const first = await tabs.open({ worker: "worker" });
    await first.call("makeStream", STREAM, 4);
    await first.close();
    await candidates.fill();
    const producers = [];
    for (const { producer, worker } of PRODUCERS) {
      const tab = await tabs.open({ worker });
      producers.push({ producer, tab });
    }
    for (const { producer, tab } of producers) {
      await tab.call("produce", { stream: STREAM, producer, ...LOAD });
    }
    const struck = await strikeFor(candidates, forMs, producers);
    const reports = [];
    for (const { producer, tab } of producers) {
      reports.push(await tab.callFor(90_000, "stop", producer));
    }
    const complaints = await candidates.complaints();
    const reader = await tabs.open({ worker: "parked" });
    const found = await reader.callFor(120_000, "readBack", STREAM);
    const { problems, acknowledged } = weigh(found, reports);
    problems.push(...complaints);
    const outages = reports.flatMap((report) => report.outages);
    const worst = outages.toSorted((a, b) => b.lastedMs - a.lastedMs).slice(0, 4);
    const worstMs = worst[0]?.lastedMs ?? 0;
    const figures =
      `${acknowledged} records acknowledged, ${found.records} read, ${struck.length} faults, ` +
      `${candidates.returns} returns from the back/forward cache (${candidates.notKept} not kept), ` +
      `worst outages ${worst.map(describe(struck)).join(", ")}, ` +
      reports
        .map(
          ({ p50Ms, p99Ms }, i) =>
            `${PRODUCERS[i].producer}: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
        )
        .join("; ");
    if (worstMs > outageMsMax) problems.push(`an outage of ${worstMs.toFixed(0)} ms`);
    if (candidates.returns === 0) problems.push("no page came back from the back/forward cache");
    if (problems.length > 0) throw new Error(`${problems.slice(0, 12).join("\n  ")}\n  ${figures}`);
    return figures;
  } finally {
    await tabs.stop();
  }
}

/** Adds the rotation to a suite. */
export async function rotationTests(suite, folders, long) {
  const seconds = long ? 60 : 15;
  await suite.test(`${seconds} s of rotating faults of the leader`, () =>
    rotate(folders, seconds * 1_000, long ? OUTAGE_MS_MAX.long : OUTAGE_MS_MAX.short),
  );
}
