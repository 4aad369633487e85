/**
 * Readers and a consumer group that stay open while the lead changes hands: every record once, in order, without a
 * gap; and what the group copies is there once and in order, too.
 */
import { Candidates, FAULTS } from "./faults.mjs";
import { copiesOf, problemsOfCopies } from "./groups.mjs";
import { pause, Tabs, until } from "./tabs.mjs";

const STREAM = "continuity";
const CONSUMER = "reader";
const OUTPUT = "continuity-copies";
const GROUP = {
  group: "copiers",
  stream: STREAM,
  output: OUTPUT,
  workMs: 0,
  batchRecordsMax: 1000,
};
/** What the issue asks for; in the short form, beside all other tests, the machine may be busy. */
const GAP_MS_MAX = { long: 1_000, short: 5_000 };
/** A group joins the new leader before it goes on. */
const GROUP_GAP_MS_MAX = { long: 2_000, short: 6_000 };
const BETWEEN_MS = 150;
const LOAD = { lanes: 4, batchRecords: 1, callsMax: 64, dataBytes: 60, pauseMs: 10 };

/** What is wrong with what a reader was given. */
function problemsOf({ reader, counts, problems, thrown, gapMs }, acknowledged, gapMsMax) {
  const found = problems.map((text) => `${reader}: ${text}`);
  if (thrown !== undefined) found.push(`${reader}: ${thrown}`);
  if (gapMs > gapMsMax) found.push(`${reader}: nothing for ${gapMs.toFixed(0)} ms`);
  for (const [key, count] of Object.entries(acknowledged)) {
    const given = counts[key] ?? 0;
    if (given !== count) found.push(`${reader}: ${given} of ${count} records of ${key}`);
  }
  return found;
}

async function prepare(tabs) {
  const candidates = new Candidates(tabs, { worker: "zombie" });
  await candidates.fill();
  const writer = await tabs.open({ worker: "parked" });
  await writer.call("makeStream", STREAM, 2);
  await writer.call("makeStream", OUTPUT, 1);
  await writer.call("registerConsumer", STREAM, CONSUMER);
  const reader = await tabs.open({ worker: "parked" });
  await writer.call("produce", { stream: STREAM, producer: "writer", ...LOAD });
  await reader.call("startReaders", STREAM, CONSUMER);
  await reader.call("startGroup", { ...GROUP, workerId: "copier" });
  await until("every reader reads", async () =>
    (await reader.call("readers")).every(({ records }) => records > 0),
  );
  return { candidates, writer, reader };
}

async function changeHands(folders, timesEach, form) {
  const gapMsMax = GAP_MS_MAX[form];
  const tabs = await Tabs.start(folders);
  try {
    const { candidates, writer, reader } = await prepare(tabs);
    let epoch = 0;
    for (let turn = 0; turn < timesEach * FAULTS.length; turn += 1) {
      epoch = await candidates.strike(FAULTS[turn % FAULTS.length]);
      await candidates.fill();
      await pause(BETWEEN_MS);
    }
    const { acknowledged, errors } = await writer.callFor(90_000, "stop", "writer");
    const total = Object.values(acknowledged).reduce((sum, count) => sum + count, 0);
    const given = async () => await reader.call("readers");
    await until("every reader has read everything", async () =>
      (await given()).every(({ records, thrown }) => records >= total || thrown !== undefined),
    ).catch(() => undefined);
    const reports = await given();
    const copies = await copiesOf(reader, OUTPUT, acknowledged);
    const { errors: uncaught } = await reader.call("told");
    const group = await reader.call("groupReport");
    if (group.gapMs > GROUP_GAP_MS_MAX[form])
      group.problems.push(`nothing for ${group.gapMs.toFixed(0)} ms`);
    const problems = [
      ...errors,
      ...uncaught,
      ...reports.flatMap((report) => problemsOf(report, acknowledged, gapMsMax)),
      ...group.problems.map((text) => `group: ${text}`),
      ...problemsOfCopies(copies, acknowledged),
    ];
    if (candidates.returns === 0) problems.push("no page came back from the back/forward cache");
    const figures =
      `${timesEach} changes of leader of each of ${FAULTS.length} kinds, epoch ${epoch}, ${total} records, ` +
      [...reports, { reader: "group", gapMs: group.gapMs }]
        .map((one) => `${one.reader}: longest gap ${one.gapMs.toFixed(0)} ms`)
        .join(", ") +
      ` (${group.failures} calls made again)`;
    if (problems.length > 0) throw new Error(`${problems.slice(0, 12).join("\n  ")}\n  ${figures}`);
    return figures;
  } finally {
    await tabs.stop();
  }
}

/** Adds the runs of the readers to a suite. */
export async function continuityTests(suite, folders, long) {
  const timesEach = long ? 20 : 4;
  await suite.test(`readers over ${timesEach} changes of leader of each kind`, () =>
    changeHands(folders, timesEach, long ? "long" : "short"),
  );
}
