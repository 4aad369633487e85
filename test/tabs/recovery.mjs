/** Time from the start of a page to the first put and the first read over a large log. */
import { pause, Tabs, until } from "./tabs.mjs";

const MIB = 2 ** 20;
const STREAM = "large";
const SEGMENTS = 1_000;
const WAL_BYTES = 31 * MIB;
const TARGET_MS = 1_000;
const ROUNDS = 5;
const RECORDS = { recordBytes: 32_768, batchRecords: 32, callsMax: 4 };

/** Segments and a WAL as long as a WAL gets: filled up until the next checkpoint is near. */
async function fillLog(tab) {
  await tab.call("makeStream", STREAM, 2);
  let beganMs = performance.now();
  let bytes = 0;
  for (let report; (report?.segments ?? 0) < SEGMENTS; report = await tab.call("storage")) {
    await tab.callFor(120_000, "fill", STREAM, { bytes: 64 * MIB, ...RECORDS });
    bytes += 64 * MIB;
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  beganMs = performance.now();
  const report = await until(
    "the WAL is long",
    async () => {
      const { walBytes } = await tab.call("storage");
      if (walBytes > 40 * MIB || walBytes < WAL_BYTES - 2 * MIB) {
        const more = Math.max(MIB, (WAL_BYTES - walBytes) / 2);
        await tab.call("fill", STREAM, { bytes: more, ...RECORDS, callsMax: 1 });
        await pause(50);
      }
      const now = await tab.call("storage");
      return now.walBytes >= WAL_BYTES - 2 * MIB && now.walBytes <= 40 * MIB ? now : undefined;
    },
    180_000,
  );
  return { report, bytes, seconds };
}

async function recover(folders) {
  const tabs = await Tabs.start(folders);
  try {
    const query = { worker: "worker", memory: "256" };
    const filler = await tabs.open(query);
    const { report, bytes, seconds } = await fillLog(filler);
    const starts = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await tabs.killAndRestart();
      const tab = await tabs.open(query);
      starts.push(await tab.callFor(120_000, "measureStart", STREAM));
      const loss = await tab.call("dataLoss");
      if (loss.length > 0) throw new Error(JSON.stringify(loss));
    }
    const middle = (member) =>
      starts.map((start) => start[member]).toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)];
    const figures =
      `${(bytes / MIB).toFixed(0)} MiB in ${report.segments} segments and ${(report.walBytes / MIB).toFixed(1)} MiB of WAL ` +
      `(written in ${seconds.toFixed(0)} s); after a kill, from the start of the page, median of ${ROUNDS}: open ` +
      `${middle("openMs").toFixed(0)} ms, first put ${middle("putMs").toFixed(0)} ms, first read ${middle("readMs").toFixed(0)} ms`;
    const slowest = Math.max(middle("putMs"), middle("readMs"));
    return slowest <= TARGET_MS ? figures : `${figures} (above the target of ${TARGET_MS} ms)`;
  } finally {
    await tabs.stop();
  }
}

/** Adds the recovery of a large log to a suite. */
export async function recoveryTests(suite, folders) {
  await suite.test("recovery of 1 GiB in 1,000 segments and 32 MiB of WAL", () => recover(folders));
}
