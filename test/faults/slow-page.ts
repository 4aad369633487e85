/** Times puts and backlogs of an engine whose disk is slow, and reads back all that it put. */
import type { Millrace, Stream } from "millrace";
import { openInPage } from "./engine-in-page.ts";
import { keyInTurn, TurnCheck } from "./key-turns.ts";
import { RandomBytes, RECORD_HEADER_BYTES, seal } from "./numbered-record.ts";

const ENGINE = "slow";
const MEMORY_BUDGET_BYTES = 268_435_456;
const SHARDS = 4;
/** Partition keys in turn; the records of each must come back in their order. */
const KEYS = 32;
/** Calls under way at once under backlog: more than the outbox has room for. */
const BACKLOG_CALLS = 48;
/** Bytes that one call of a backlog puts, about. */
const BACKLOG_CALL_BYTES = 524_288;
const SAMPLE_MS = 100;
const PAUSE_MS_MAX = 4;

let millrace: Millrace | undefined;
let stream: Stream | undefined;
/** Number of the next record. */
let next = 0;
const random = new RandomBytes();

async function open(): Promise<void> {
  millrace = await openInPage(ENGINE, MEMORY_BUDGET_BYTES);
  stream = await millrace.streams.ensure("slow", { shards: SHARDS });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function put(recordBytes: number, count: number): Promise<void> {
  if (stream === undefined) throw new Error("the engine is not open");
  const records = Array.from({ length: count }, () => {
    const number = next++;
    const data = random.take(Math.max(recordBytes, RECORD_HEADER_BYTES));
    seal(data, number);
    return { partitionKey: keyInTurn(number, KEYS), data };
  });
  const { failedRecordCount } = await stream.putRecords(records);
  if (failedRecordCount > 0) throw new Error(`${failedRecordCount} records were refused`);
}

/** What was put in a while. */
interface Timing {
  /** Duration of each put, in ms. */
  readonly latenciesMs: number[];
  readonly elapsedMs: number;
  readonly bytes: number;
  /** Frames that were committed meanwhile. */
  readonly commits: number;
}

async function commits(): Promise<number> {
  return (await millrace?.storage())?.commits ?? 0;
}

/** Puts single records, each lane one after the other, `count` in all. */
async function latencies(recordBytes: number, lanes: number, count: number): Promise<Timing> {
  const latenciesMs: number[] = [];
  const before = await commits();
  const startMs = performance.now();
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      // What several lanes put in one task would be one request.
      if (lanes > 1) await pause(Math.random() * PAUSE_MS_MAX);
      const putMs = performance.now();
      await put(recordBytes, 1);
      latenciesMs.push(performance.now() - putMs);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const elapsedMs = performance.now() - startMs;
  return {
    latenciesMs,
    elapsedMs,
    bytes: count * recordBytes,
    commits: (await commits()) - before,
  };
}

/** What a backlog took, and how much of it was in memory at most. */
interface Backlog extends Timing {
  readonly unacknowledgedBytesMax: number;
  readonly coreMemoryBytesMax: number;
}

/** Puts so many bytes as fast as the engine takes them. */
async function backlog(recordBytes: number, byteLength: number): Promise<Backlog> {
  const latenciesMs: number[] = [];
  const perCall = Math.max(1, Math.min(500, Math.floor(BACKLOG_CALL_BYTES / recordBytes)));
  const calls = Math.ceil(byteLength / (perCall * recordBytes));
  const most = { unacknowledged: 0, memory: 0 };
  const before = await commits();
  const startMs = performance.now();
  let left = calls;
  let over = false;
  const sample = async (): Promise<void> => {
    while (!over) {
      const report = await millrace?.storage();
      most.unacknowledged = Math.max(most.unacknowledged, report?.unacknowledgedBytes ?? 0);
      most.memory = Math.max(most.memory, report?.coreMemoryBytes ?? 0);
      await pause(SAMPLE_MS);
    }
  };
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const putMs = performance.now();
      await put(recordBytes, perCall);
      latenciesMs.push(performance.now() - putMs);
    }
  };
  const sampling = sample();
  await Promise.all(Array.from({ length: BACKLOG_CALLS }, lane));
  const elapsedMs = performance.now() - startMs;
  over = true;
  await sampling;
  return {
    ...{ latenciesMs, elapsedMs, bytes: calls * perCall * recordBytes },
    commits: (await commits()) - before,
    unacknowledgedBytesMax: most.unacknowledged,
    coreMemoryBytesMax: most.memory,
  };
}

/** Reads everything that was put; returns what is wrong with it, or the number of records. */
async function readBack(): Promise<number | string> {
  if (stream === undefined) return "the engine is not open";
  const check = new TurnCheck(KEYS);
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    const problem = check.take(record);
    if (problem !== undefined) return problem;
  }
  const { count } = check;
  return count === next ? count : `${count} of ${next} records came back`;
}

async function close(): Promise<void> {
  await millrace?.close();
}

Object.assign(globalThis, { faultPage: { open, latencies, backlog, readBack, close } });
