/** A log of 1 GiB under a memory budget of 64 MiB. */
import { killChromium, startChromium, temporaryProfile } from "../harness/chromium-session.mjs";
import { servePages } from "../harness/page-server.mjs";

const MIB = 2 ** 20;
const BUDGET_BYTES = 64 * MIB;
/** What the worker may hold in all: Wasm memory, other buffers and the heap of its JavaScript. */
const LIMIT_BYTES = 128 * MIB;
/**
 * A checkpoint is due at a quarter of the arena; while it is made the WAL goes on growing, on a slow disk
 * by more. One that never ends would leave all that was written.
 */
const WAL_LIMIT_BYTES = 2 * BUDGET_BYTES;
const RECORD_BYTES = 4096;
const RECORDS = (1024 * MIB) / RECORD_BYTES;
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

/** Adds the memory tests to a suite. */
export async function memoryTests(suite, folders) {
  const server = await servePages({ folders });
  const profile = temporaryProfile("memory");
  const browser = await startChromium(profile.path);
  let memory;
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    await page.waitForFunction("globalThis.faultPage !== undefined");
    memory = new WorkerMemory(page);
    const peaks = [];
    const readBack = async () => {
      const start = performance.now();
      const problem = await page.evaluate((count) => globalThis.faultPage.readBack(count), RECORDS);
      if (problem !== undefined && problem !== null) throw new Error(problem);
      peaks.push(await memory.take("reading"));
      return `${((performance.now() - start) / 1000).toFixed(1)} s`;
    };
    await suite.test("1 GiB over 8 shards is written under a budget of 64 MiB", async () => {
      const start = performance.now();
      await page.evaluate(
        (...sizes) => globalThis.faultPage.write(...sizes),
        BUDGET_BYTES,
        RECORDS,
        RECORD_BYTES,
      );
      peaks.push(await memory.take("writing"));
      return `${((performance.now() - start) / 1000).toFixed(1)} s`;
    });
    await suite.test("it is read back from TRIM_HORIZON, whole and in order", readBack);
    await suite.test("it is read back after the engine was opened again", async () => {
      const { closed, opened, walFrames, walBytes } = await page.evaluate(
        (bytes) => globalThis.faultPage.reopen(bytes),
        BUDGET_BYTES,
      );
      peaks.push(await memory.take("opening"));
      const read = await readBack();
      const wal = `${walFrames} WAL frames of ${inMiB(walBytes)} MiB`;
      return `closed in ${closed.toFixed(1)} s, opened over ${wal} in ${opened.toFixed(1)} s, read in ${read}`;
    });
    await suite.test("the WAL was trimmed meanwhile", async () => {
      const found = peaks
        .map(({ name, walBytes }) => `${inMiB(walBytes)} MiB after ${name}`)
        .join(", ");
      if (peaks.length < 4) throw new Error(`too little was seen: ${found}`);
      if (peaks.some(({ walBytes }) => walBytes >= WAL_LIMIT_BYTES)) throw new Error(found);
      return found;
    });
    await suite.test("Wasm memory and heap of the worker stay under 128 MiB", async () => {
      const found = `${peaks.map(describePeak).join(", ")}; ${memory.samples} samples`;
      if (peaks.length < 4 || memory.samples < 50) throw new Error(`too little was seen: ${found}`);
      if (peaks.some(({ total }) => total >= LIMIT_BYTES)) throw new Error(found);
      return found;
    });
  } finally {
    memory?.stop();
    await killChromium(profile.path);
    await browser.disconnect();
    await server.close();
    profile.remove();
  }
}
