/** Logs far larger than the memory that the engine may use: 1 GiB under 64 MiB, and 256 MiB under 16 MiB. */
import { killChromium, startChromium, temporaryProfile } from "../harness/chromium-session.mjs";
import { openFaultPage } from "../harness/fault-page.mjs";
import { servePages } from "../harness/page-server.mjs";

const MIB = 2 ** 20;
const RECORD_BYTES = 4096;
/**
 * A memory budget, what is written under it, and what the worker may hold in all: Wasm memory, other
 * buffers and the heap of its JavaScript.
 *
 * A checkpoint is due at a quarter of the arena; while it is made the WAL goes on growing, on a slow disk
 * by more. One that never ends would leave all that was written: the WAL must stay under `walBytesMax`.
 */
const CASES = [
  { budget: 64, stored: 1024, limit: 128 },
  { budget: 16, stored: 256, limit: 64 },
].map(({ budget, stored, limit }) => ({
  name: `${stored} MiB under a budget of ${budget} MiB`,
  budgetBytes: budget * MIB,
  records: (stored * MIB) / RECORD_BYTES,
  limitBytes: limit * MIB,
  walBytesMax: 2 * budget * MIB,
}));
const SAMPLE_INTERVAL_MS = 50;

/**
 * Watches the buffers and the heap of a page's worker through the debugger, which sees what the page
 * cannot. Wasm memory is not among them; the engine tells its size, which never shrinks in a worker's
 * life.
 */
class WorkerMemory {
  #page;
  #timer;
  #asking = false;
  #error;
  samples = 0;
  /** Largest sum since the last {@link take}. */
  #peak = { heap: 0, buffers: 0 };

  constructor(page) {
    this.#page = page;
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_INTERVAL_MS);
  }

  async #sample() {
    const [worker] = this.#page.workers();
    if (this.#asking || worker === undefined) return;
    this.#asking = true;
    try {
      const usage = await worker.client.send("Runtime.getHeapUsage");
      const heap = usage.usedSize + usage.embedderHeapUsedSize;
      const buffers = usage.backingStorageSize;
      this.samples += 1;
      if (heap + buffers > this.#peak.heap + this.#peak.buffers) this.#peak = { heap, buffers };
    } catch (error) {
      // A worker that ends while it is asked gives no answer; the next one is asked instead.
      if (!/closed|destroyed|detached/i.test(String(error))) this.#error = error;
    } finally {
      this.#asking = false;
    }
  }

  /** The most that the worker held since the last call, its Wasm memory included. */
  async take(name) {
    if (this.#error !== undefined) throw this.#error;
    const { coreMemoryBytes, walBytes } = await this.#page.evaluate(() =>
      globalThis.faultPage.storage(),
    );
    const { heap, buffers } = this.#peak;
    this.#peak = { heap: 0, buffers: 0 };
    const total = coreMemoryBytes + buffers + heap;
    return { name, core: coreMemoryBytes, buffers, heap, total, walBytes };
  }

  stop() {
    clearInterval(this.#timer);
  }
}

const inMiB = (bytes) => (bytes / MIB).toFixed(0);

function describePeak({ name, total, core, buffers, heap }) {
  return `${name} ${inMiB(total)} MiB (core ${inMiB(core)}, buffers ${inMiB(buffers)}, heap ${inMiB(heap)})`;
}

/** Writes, reads, opens anew and reads again; the peaks of each step. */
async function runCase(suite, { page, memory, settings }) {
  const { name, budgetBytes, records } = settings;
  const peaks = [];
  const readBack = async () => {
    const start = performance.now();
    const problem = await page.evaluate((count) => globalThis.faultPage.readBack(count), records);
    if (problem !== undefined && problem !== null) throw new Error(problem);
    peaks.push(await memory.take("reading"));
    return `${((performance.now() - start) / 1000).toFixed(1)} s`;
  };
  await suite.test(`${name} is written over 8 shards`, async () => {
    const start = performance.now();
    await page.evaluate(
      (...sizes) => globalThis.faultPage.write(...sizes),
      budgetBytes,
      records,
      RECORD_BYTES,
    );
    peaks.push(await memory.take("writing"));
    return `${((performance.now() - start) / 1000).toFixed(1)} s`;
  });
  await suite.test(`${name} is read back from TRIM_HORIZON, whole and in order`, readBack);
  await suite.test(`${name} is read back after the engine was opened again`, async () => {
    const { closed, opened, walFrames, walBytes } = await page.evaluate(
      (bytes) => globalThis.faultPage.reopen(bytes),
      budgetBytes,
    );
    peaks.push(await memory.take("opening"));
    const read = await readBack();
    const wal = `${walFrames} WAL frames of ${inMiB(walBytes)} MiB`;
    return `closed in ${closed.toFixed(1)} s, opened over ${wal} in ${opened.toFixed(1)} s, read in ${read}`;
  });
  return peaks;
}

/** What the peaks must have stayed under. */
async function judgePeaks(suite, { memory, settings, peaks }) {
  const { name, limitBytes, walBytesMax } = settings;
  await suite.test(`${name}: the WAL was trimmed meanwhile`, async () => {
    const found = peaks.map((peak) => `${inMiB(peak.walBytes)} MiB after ${peak.name}`).join(", ");
    if (peaks.length < 4) throw new Error(`too little was seen: ${found}`);
    if (peaks.some(({ walBytes }) => walBytes >= walBytesMax)) throw new Error(found);
    return found;
  });
  await suite.test(`${name}: the worker stays under ${inMiB(limitBytes)} MiB`, async () => {
    const found = `${peaks.map(describePeak).join(", ")}; ${memory.samples} samples`;
    if (peaks.length < 4 || memory.samples < 50) throw new Error(`too little was seen: ${found}`);
    if (peaks.some(({ total }) => total >= limitBytes)) throw new Error(found);
    return found;
  });
}

async function memoryCase(suite, { url, settings, table }) {
  const profile = temporaryProfile("memory");
  const browser = await startChromium(profile.path);
  let memory;
  try {
    const { page } = await openFaultPage(browser, url);
    memory = new WorkerMemory(page);
    const failedBefore = suite.failed;
    const peaks = await runCase(suite, { page, memory, settings });
    await judgePeaks(suite, { memory, settings, peaks });
    const most = Math.max(...peaks.map(({ total }) => total));
    table.add({
      fault: `memory budget of ${inMiB(settings.budgetBytes)} MiB`,
      where: "LevelDB",
      times: 1,
      acknowledged: settings.records,
      lost: suite.failed === failedBefore ? 0 : "see above",
      reported: `the worker held ${inMiB(most)} MiB at most`,
    });
  } finally {
    memory?.stop();
    await killChromium(profile.path);
    await browser.disconnect();
    profile.remove();
  }
}

/** Adds the memory tests to a suite: the small budget always, the large store only in the `long` run. */
export async function memoryTests(suite, folders, { long, table }) {
  const server = await servePages({ folders });
  try {
    for (const settings of long ? CASES : CASES.slice(-1)) {
      await memoryCase(suite, { url: server.url, settings, table });
    }
  } finally {
    await server.close();
  }
}
