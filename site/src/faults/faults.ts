/** The five faults: what each is, and what it really does to the engine. */
import { StoreFullError, type Stream } from "millrace";
import { formatBytes, formatMs, formatNumberOf } from "../live/format.ts";
import { formatMoment } from "../records/times.ts";
import { probe, setNetworkCut } from "./network-switch.ts";
import { numberedRecord } from "./numbered-record.ts";
import type { Running } from "./running.ts";

const MIB = 1_048_576;
const HOUR_MS = 3_600_000;

/** Times that a leader is crashed or robbed in one run. */
const TIMES = 3;
/** How long records flow between two faults, in ms. */
const BETWEEN_MS = 600;
/** Budget of the engine that is to be filled: the least there is would leave the producer no time. */
const BUDGET_BYTES = 24 * MIB;
/** What is put at most until the engine says that it is full: more would be a budget that is not kept. */
const BALLAST_BYTES_MAX = 3 * BUDGET_BYTES;
/** Calls that fill the store: what has no room for a large one may have some for a smaller one. */
const BALLAST_SIZES = [
  { records: 16, randomBytes: 65_536 },
  { records: 1, randomBytes: 32_768 },
  { records: 1, randomBytes: 1024 },
  { records: 1, randomBytes: 16 },
] as const;
/** Pause between two questions whether there is room again, in ms. */
const LOOK_MS = 50;
/** How long the store stays full, and the network cut, in ms. */
const LASTING_MS = 1500;

/** Name of a fault. */
export type FaultId = "crash" | "lead" | "fill" | "clock" | "network";

/** A fault that can befall the engine. */
export interface Fault {
  readonly id: FaultId;
  readonly heading: string;
  /** What is done, in a sentence or two. */
  readonly what: string;
  /** What its button says. */
  readonly action: string;
  /** Budget of the engine that it befalls; as much as the browser gives when absent. */
  readonly storageBudgetBytes?: number;
  /** Does it, and answers how many times. @throws the signal's reason. */
  strike(running: Running): Promise<number>;
}

async function crash(running: Running): Promise<number> {
  for (let i = 0; i < TIMES; i += 1) {
    await running.crashLeader();
    await running.flow(BETWEEN_MS);
  }
  return TIMES;
}

async function dropLead(running: Running): Promise<number> {
  for (let i = 0; i < TIMES; i += 1) {
    await running.dropLeader();
    await running.flow(BETWEEN_MS);
  }
  return TIMES;
}

/** A call of so many records with so many random bytes each. */
type PutSize = (typeof BALLAST_SIZES)[number];

/** Puts calls of one size until the engine refuses one; answers how many bytes it took. */
async function putUntilRefused(
  ballast: Stream,
  size: PutSize,
  signal: AbortSignal,
): Promise<number> {
  for (let bytes = 0; bytes < BALLAST_BYTES_MAX; ) {
    signal.throwIfAborted();
    const records = Array.from({ length: size.records }, (_, i) =>
      numberedRecord("ballast", i, size.randomBytes),
    );
    try {
      const { length, failedRecordCount } = await ballast.putRecords(records);
      bytes += (length - failedRecordCount) * size.randomBytes;
      if (failedRecordCount > 0) return bytes;
    } catch (error) {
      if (error instanceof StoreFullError) return bytes;
      throw error;
    }
  }
  throw new Error(`the engine took more than ${formatBytes(BALLAST_BYTES_MAX)}`);
}

/** Puts ever smaller calls, so that nothing has room any more; answers how many bytes went in. */
async function putUntilFull(ballast: Stream, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for (const size of BALLAST_SIZES) bytes += await putUntilRefused(ballast, size, signal);
  return bytes;
}

/** Reads everything from the oldest record on and notes how much and how long that was. */
async function readAll({ bench, trace, signal }: Running, heading: string): Promise<void> {
  const beganMs = trace.lastedMs;
  const { stream } = bench.seat("A");
  let records = 0;
  for await (const batch of stream.readBatches({ from: "TRIM_HORIZON", until: "end", signal })) {
    records += batch.length;
  }
  const tookMs = trace.lastedMs - beganMs;
  trace.mark("told", `${heading}: ${formatNumberOf(records, "record")} in ${formatMs(tookMs)}`);
}

async function fill(running: Running): Promise<number> {
  const { bench, producer, trace, signal } = running;
  const { millrace } = bench.seat("A");
  const ballast = await millrace.streams.create("ballast", { shards: 1 });
  running.did("Another stream is filled with random records");
  const bytes = await putUntilFull(ballast, signal);
  running.did(`Nothing more goes in after ${formatBytes(bytes)}`);
  const before = producer.refusals;
  await readAll(running, "Reads go on");
  await running.flow(LASTING_MS);
  const refused = formatNumberOf(producer.refusals - before, "put");
  trace.mark("told", `Meanwhile ${refused} of the producer refused, to be made again`);
  await millrace.streams.delete("ballast");
  running.did("The other stream is deleted: there is room");
  await running.recovered();
  // Small records may find room before the engine has looked whether there is some again.
  while ((await millrace.storage()).full) await running.flow(LOOK_MS);
  return 1;
}

/** Clocks go wrong in these steps, by ms from the true time. In the third, a new leader begins so. */
const CLOCK_STEPS = [
  { skewMs: HOUR_MS, text: "The clocks go an hour ahead" },
  { skewMs: -HOUR_MS, text: "The clocks go two hours back" },
  { skewMs: -HOUR_MS, text: undefined },
  { skewMs: 48 * HOUR_MS, text: "The clocks go two days ahead, past the retention" },
  { skewMs: 0, text: "The clocks are right again" },
] as const;

async function skew(running: Running): Promise<number> {
  const { bench, trace } = running;
  const { millrace } = bench.seat("A");
  for (const { skewMs, text } of CLOCK_STEPS) {
    if (text === undefined) {
      await running.crashLeader();
    } else {
      bench.setClocks(skewMs);
      running.did(text);
      const engineMs = await millrace.time.now();
      trace.mark("told", `The engine's time is ${formatMoment(engineMs).slice(0, 19)}`);
    }
    await running.flow(BETWEEN_MS);
    if (skewMs > HOUR_MS) await readAll(running, "Nothing expires by it");
  }
  return CLOCK_STEPS.length;
}

async function cutNetwork(running: Running): Promise<number> {
  const { trace } = running;
  await setNetworkCut(true);
  try {
    running.did("The service worker refuses every request of this page");
    trace.mark("told", `A request for a file of this site: ${await probe()}`);
    const before = trace.acknowledged;
    await running.flow(LASTING_MS);
    const during = trace.acknowledged - before;
    trace.mark("told", `Meanwhile ${formatNumberOf(during, "record")} acknowledged`);
    await readAll(running, "Reads go on");
  } finally {
    await setNetworkCut(false);
  }
  running.did("The switch is off");
  trace.mark("told", `The same request: ${await probe()}`);
  return 1;
}

/** The faults in the order in which the page offers them. */
export const FAULTS: readonly Fault[] = [
  {
    id: "crash",
    heading: "Crash the worker",
    what:
      `Terminates the worker that writes the log, ${TIMES} times, in the middle of its puts. ` +
      "The other one takes over, and the page starts a new one.",
    action: "Crash it",
    strike: crash,
  },
  {
    id: "lead",
    heading: "Drop the leader",
    what:
      `Steals the Web Lock from the worker that writes, ${TIMES} times. It lives on, finds itself ` +
      "deposed, and must not write another record.",
    action: "Drop it",
    strike: dropLead,
  },
  {
    id: "fill",
    heading: "Fill the storage",
    what:
      "Puts random records until nothing more goes in. A page cannot set the browser's quota, so it is the " +
      `engine's own budget that is used up: ${formatBytes(BUDGET_BYTES)}. Then room is made again.`,
    action: "Fill it",
    storageBudgetBytes: BUDGET_BYTES,
    strike: fill,
  },
  {
    id: "clock",
    heading: "Skew the clock",
    what:
      "Sets the time of the workers wrong, as somebody may do to the machine's: an hour ahead, two back, " +
      "two days ahead. Meanwhile a new leader begins while its clock is behind the log.",
    action: "Skew it",
    strike: skew,
  },
  {
    id: "network",
    heading: "Cut the network",
    what:
      "The site's service worker answers every request of this page with a network error, for " +
      `${LASTING_MS / 1000} s. The engine makes none.`,
    action: "Cut it",
    strike: cutNetwork,
  },
];
