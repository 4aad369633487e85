/**
 * A slow disk: every forcing of a file takes longer. How long puts and backlogs take then is printed beside
 * a model of it; what must hold is that nothing is lost and that what waits stays bounded.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import {
  BACKENDS,
  killChromium,
  startChromium,
  temporaryProfile,
} from "../harness/chromium-session.mjs";
import { openFaultPage } from "../harness/fault-page.mjs";
import { servePages } from "../harness/page-server.mjs";
import { buildRecorder, readJournals, recorded } from "./power-recorder.mjs";

const DELAYS_MS = { short: [5], long: [0, 5, 20] };
/** Single puts, one after the other in each lane. */
const PUTS = [
  { name: "100 B", recordBytes: 100, lanes: 1, times: 200 },
  { name: "48 KiB", recordBytes: 49_152, lanes: 1, times: 120 },
  { name: "200 KiB", recordBytes: 204_800, lanes: 1, times: 80 },
  { name: "1 MB", recordBytes: 1_000_000, lanes: 1, times: 60 },
  { name: "48 KiB, 3 at once", recordBytes: 49_152, lanes: 3, times: 240 },
];
/** Part of the puts that a short run makes. */
const SHORT_PART = 0.2;
/** The burst ends before anything is sealed; the load goes on through seals and checkpoints. In MiB. */
const BACKLOGS = [
  { name: "burst of 48 KiB records", recordBytes: 49_152, long: 20, short: 12 },
  { name: "load of 48 KiB records", recordBytes: 49_152, long: 96, short: 16 },
  { name: "load of 1 MB records", recordBytes: 1_000_000, long: 96, short: 16 },
];
/** Where Chromium keeps larger values in files of their own, in bytes. */
const FILE_BYTES_MIN = 65_536;
/** What the outbox holds, and a call that was let in beside it. */
const UNACKNOWLEDGED_BYTES_MAX = 16_777_216 + 1_048_576;
/** The page's memory budget. */
const CORE_MEMORY_BYTES_MAX = 268_435_456;
const MODEL = { fixedMs: 0.3, bytesPerMs: 400_000 };

/** How long a strict commit of so many bytes should take. */
function modelMs(backend, frameBytes, delayMs) {
  const syncs = backend.name === "LevelDB" && frameBytes >= FILE_BYTES_MIN ? 3 : 1;
  return MODEL.fixedMs + frameBytes / MODEL.bytesPerMs + syncs * delayMs;
}

function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

function rounded(value, digits = 1) {
  return Number(value.toFixed(digits));
}

/** A browser whose disk is slow, with one engine open. */
class SlowBrowser {
  #profile = temporaryProfile("slow");
  #journal = `${this.#profile.path}-journal`;
  #browser;
  #page;
  /** Times in ns of the syncs that befell IndexedDB. */
  #phases = [];

  async open(backend, delayMs, library, url) {
    mkdirSync(this.#journal);
    const environment = recorded(library, {
      root: this.#profile.path,
      journal: this.#journal,
      counted: true,
      delayMs,
    });
    this.#browser = await startChromium(this.#profile.path, backend.flags, environment);
    ({ page: this.#page } = await openFaultPage(this.#browser, url));
    await this.call("open");
    return await this.#browser.version();
  }

  async call(name, ...settings) {
    return await this.#page.evaluate(
      (called, ...values) => globalThis.faultPage[called](...values),
      name,
      ...settings,
    );
  }

  /** Calls a function of the page and resolves with what it returns and where in the journal it stands. */
  async timed(name, ...settings) {
    const from = process.hrtime.bigint();
    const timing = await this.call(name, ...settings);
    this.#phases.push({ timing, from, to: process.hrtime.bigint() });
    return timing;
  }

  /** Adds to everything that was timed how many syncs it took. */
  countSyncs() {
    const syncs = readJournals(this.#journal).filter(
      ({ kind, path }) => kind === "sync" && path.includes("/IndexedDB/"),
    );
    for (const { timing, from, to } of this.#phases) {
      timing.syncs = syncs.filter(({ timeNs }) => timeNs >= from && timeNs <= to).length;
    }
  }

  async close() {
    await this.#browser?.close();
    await killChromium(this.#profile.path);
    this.#profile.remove();
    rmSync(this.#journal, { recursive: true, force: true });
  }
}

/** Figures of one back end with one delay. */
async function measure(backend, delayMs, { library, url, long }) {
  const part = long ? 1 : SHORT_PART;
  const browser = new SlowBrowser();
  try {
    const version = await browser.open(backend, delayMs, library, url);
    const puts = [];
    for (const { name, recordBytes, lanes, times } of PUTS) {
      // So that the engine has seen what this costs.
      await browser.call("latencies", recordBytes, lanes, Math.ceil(times * part * 0.2));
      const timing = await browser.timed("latencies", recordBytes, lanes, Math.ceil(times * part));
      puts.push({ name, recordBytes, lanes, timing });
    }
    const backlogs = [];
    for (const { name, recordBytes, ...mebibytes } of BACKLOGS) {
      const byteLength = (long ? mebibytes.long : mebibytes.short) * 2 ** 20;
      const timing = await browser.timed("backlog", recordBytes, byteLength);
      checkBounds(name, timing);
      backlogs.push({ name, recordBytes, timing });
    }
    const records = await browser.call("readBack");
    if (typeof records === "string") throw new Error(records);
    await browser.call("close");
    browser.countSyncs();
    return {
      version,
      records,
      rows: [
        ...puts.map((row) => putRow(backend, delayMs, row)),
        ...backlogs.map((row) => backlogRow(backend, delayMs, row)),
      ],
    };
  } finally {
    await browser.close();
  }
}

function checkBounds(name, { unacknowledgedBytesMax, coreMemoryBytesMax }) {
  if (unacknowledgedBytesMax > UNACKNOWLEDGED_BYTES_MAX) {
    throw new Error(`${name}: ${unacknowledgedBytesMax} bytes were taken and not acknowledged`);
  }
  if (coreMemoryBytesMax > CORE_MEMORY_BYTES_MAX) {
    throw new Error(`${name}: the core has ${coreMemoryBytesMax} bytes`);
  }
}

/** What every load is told by. */
function commonRow(backend, delayMs, { name, timing }) {
  const sorted = timing.latenciesMs.toSorted((a, b) => a - b);
  return {
    backend: backend.name,
    delayMs,
    load: name,
    p50Ms: rounded(quantile(sorted, 0.5)),
    p99Ms: rounded(quantile(sorted, 0.99)),
    syncsPerCommit: rounded(timing.syncs / timing.commits, 2),
    commits: timing.commits,
    megabytesPerSecond: rounded(timing.bytes / timing.elapsedMs / 1000),
  };
}

function putRow(backend, delayMs, row) {
  return {
    ...commonRow(backend, delayMs, row),
    // Several at once are one frame in the model.
    modelMs: rounded(modelMs(backend, row.recordBytes * row.lanes, delayMs)),
  };
}

function backlogRow(backend, delayMs, row) {
  const { bytes, commits, unacknowledgedBytesMax } = row.timing;
  const frameBytes = bytes / commits;
  return {
    ...commonRow(backend, delayMs, row),
    mebibytesPerCommit: rounded(frameBytes / 2 ** 20, 2),
    // Of frames as large as they were, and of nothing else.
    modelMegabytesPerSecond: rounded(frameBytes / modelMs(backend, frameBytes, delayMs) / 1000),
    unacknowledgedMebibytesMax: rounded(unacknowledgedBytesMax / 2 ** 20),
  };
}

function lineOf({ load, p50Ms, p99Ms, ...row }) {
  const { megabytesPerSecond, modelMegabytesPerSecond, syncsPerCommit, commits } = row;
  const latency = `p50 ${p50Ms} ms, p99 ${p99Ms} ms`;
  const cost = `${commits} commits of ${syncsPerCommit} syncs`;
  if (modelMegabytesPerSecond === undefined) {
    return `  ${load}: ${latency} (model ${row.modelMs} ms); ${cost}`;
  }
  const frames = `frames of ${row.mebibytesPerCommit} MiB`;
  const rate = `${megabytesPerSecond} MB/s (model of the log alone ${modelMegabytesPerSecond})`;
  return `  ${load}: ${rate}; ${latency}; ${cost}, ${frames}`;
}

/** Adds the slow disks to a suite; a long run writes its figures to the file `figures`, when that is given. */
export async function slowTests(suite, folders, { long, table, figures }) {
  const library = buildRecorder();
  const server = await servePages({ folders });
  const rows = [];
  let browserVersion;
  const [loadBefore] = loadavg();
  try {
    for (const backend of BACKENDS) {
      for (const delayMs of long ? DELAYS_MS.long : DELAYS_MS.short) {
        await suite.test(`${backend.name} on a disk of ${delayMs} ms`, async () => {
          const settings = { library, url: server.url, long };
          const { version, records, rows: measured } = await measure(backend, delayMs, settings);
          browserVersion = version;
          rows.push(...measured);
          const slowestMs = Math.max(...measured.map(({ p99Ms }) => p99Ms));
          table.add({
            fault: `each fsync ${delayMs} ms`,
            where: backend.name,
            times: 1,
            acknowledged: records,
            lost: 0,
            reported: 0,
            outageMs: slowestMs,
          });
          return [`${records} records, all there`, ...measured.map(lineOf)].join("\n");
        });
      }
    }
  } finally {
    await server.close();
  }
  if (figures === undefined || rows.length === 0) return;
  // Other work on the machine lengthens everything; whoever reads the figures must know.
  const load = { before: rounded(loadBefore), after: rounded(loadavg()[0]) };
  const all = { browser: browserVersion, load, model: MODEL, rows };
  writeFileSync(figures, `${JSON.stringify(all, null, 2)}\n`);
}
