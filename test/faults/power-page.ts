/**
 * Writes frames of all sizes until the power is cut, telling the server of every acknowledgement, to a stream
 * that waits for the disk and to one that does not; reads it all back.
 */
import type { Millrace, Stream } from "millrace";
import { openInPage } from "./engine-in-page.ts";
import { numberOf, RandomBytes, RECORD_HEADER_BYTES, seal } from "./numbered-record.ts";

const ENGINE = "power";
/** Small, so that segments are sealed and the log is trimmed many times in a short run. */
const MEMORY_BUDGET_BYTES = 33_554_432;
const SHARDS = 4;
/** Writers with a partition key each; every one waits for its acknowledgement before it goes on. */
const LANES = 10;
const BATCH_RECORDS_MAX = 6;
/** Records of each size class and the share of batches that has it; one batch of the largest is a large frame. */
const SIZES = [
  { share: 0.6, recordBytes: 1_500, records: BATCH_RECORDS_MAX },
  { share: 0.22, recordBytes: 49_152, records: 1 },
  { share: 0.12, recordBytes: 200_000, records: 1 },
  { share: 0.06, recordBytes: 1_000_000, records: 1 },
] as const;
/** A lane that does not wait for the disk would fill it. */
const RELAXED_SIZES = [
  { share: 0.8, recordBytes: 1_500, records: BATCH_RECORDS_MAX },
  { share: 0.2, recordBytes: 49_152, records: 1 },
] as const;
const PAUSE_MS_MAX = 25;

/** The streams, by how they are kept. */
type Keeping = "strict" | "relaxed";
type Numbers = Record<Keeping, readonly number[]>;

/** What was read back of a lane. */
export interface LaneReport {
  /** First and last number of each run of numbers without a gap. */
  readonly runs: [number, number][];
  /** What is wrong with it; empty when all is well. */
  readonly problems: string[];
}

/** What was read back. */
export interface PowerReport {
  readonly streams: Record<Keeping, LaneReport[]>;
  readonly losses: { readonly kind: string; readonly where: string; readonly reason: string }[];
  readonly openMs: number;
}

let millrace: Millrace | undefined;

async function opened(): Promise<Millrace> {
  millrace ??= await openInPage(ENGINE, MEMORY_BUDGET_BYTES);
  return millrace;
}

async function streamOf(durability: Keeping): Promise<Stream> {
  return await (await opened()).streams.ensure(durability, { shards: SHARDS, durability });
}

/** Returns once the server knows, so that an acknowledgement cannot be lost with the page. */
function report(stream: Keeping, lane: number, number: number): void {
  const request = new XMLHttpRequest();
  request.open("POST", "/acknowledged", false);
  request.send(JSON.stringify({ stream, lane, number }));
  if (request.status !== 200) throw new Error(`the server answers ${request.status}`);
}

function randomSize(sizes: typeof SIZES | typeof RELAXED_SIZES): { bytes: number; count: number } {
  let left = Math.random();
  for (const { share, recordBytes, records } of sizes) {
    left -= share;
    if (left > 0) continue;
    const bytes = Math.ceil(recordBytes * (0.7 + 0.3 * Math.random()));
    return { bytes, count: Math.ceil(Math.random() * records) };
  }
  return { bytes: 1, count: 1 };
}

/** Writes on every lane of a stream from the given numbers on, at least once and for so long, in ms. */
async function writeStream(
  keeping: Keeping,
  from: readonly number[],
  random: RandomBytes,
  forMs: number,
): Promise<void> {
  if (from.length === 0) return;
  const stream = await streamOf(keeping);
  const endMs = performance.now() + forMs;
  const lanes = from.map(async (first, lane) => {
    for (let next = first; next === first || performance.now() < endMs; ) {
      const { bytes, count } = randomSize(keeping === "strict" ? SIZES : RELAXED_SIZES);
      const records = Array.from({ length: count }, (_, i) => {
        const data = random.take(RECORD_HEADER_BYTES + bytes);
        seal(data, next + i);
        return { partitionKey: `lane-${lane}`, data };
      });
      const { failedRecordCount } = await stream.putRecords(records);
      if (failedRecordCount > 0) throw new Error(`${failedRecordCount} records were refused`);
      next += count;
      report(keeping, lane, next - 1);
      // So that frames of one batch occur beside those of many.
      if (Math.random() < 0.3) {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE_MS_MAX));
      }
    }
  });
  await Promise.all(lanes);
}

/** Writes for so long, in ms, to each stream, from the given numbers on; a stream without numbers is left alone. */
async function write(from: Numbers, forMs: Record<Keeping, number>): Promise<void> {
  const random = new RandomBytes();
  const writing = (["strict", "relaxed"] as const).map((keeping) =>
    writeStream(keeping, from[keeping], random, forMs[keeping]),
  );
  await Promise.all(writing);
}

async function readStream(keeping: Keeping): Promise<LaneReport[]> {
  const lanes = Array.from({ length: LANES }, (): LaneReport => ({ runs: [], problems: [] }));
  const lastOfShard = new Map<string, bigint>();
  const stream = await streamOf(keeping);
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    const lane = lanes[Number(record.partitionKey.slice("lane-".length))];
    if (lane === undefined) throw new Error(`${record.partitionKey} is no lane`);
    const run = lane.runs.at(-1);
    const expected = (run?.[1] ?? -1) + 1;
    const number = numberOf(record.data);
    if (number === undefined) lane.problems.push(`what should be record ${expected} is torn`);
    else if (number < expected)
      lane.problems.push(`record ${number} stands behind ${expected - 1}`);
    else if (run !== undefined && number === expected) run[1] = number;
    else lane.runs.push([number, number]);
    const sequenceNumber = BigInt(record.sequenceNumber);
    if (sequenceNumber <= (lastOfShard.get(record.shardId) ?? -1n)) {
      lane.problems.push(`the sequence number of record ${expected} does not grow`);
    }
    lastOfShard.set(record.shardId, sequenceNumber);
  }
  return lanes;
}

/** Opens the engine and reads everything. */
async function readBack(): Promise<PowerReport> {
  const startMs = performance.now();
  const engine = await opened();
  const openMs = performance.now() - startMs;
  const streams = { strict: await readStream("strict"), relaxed: await readStream("relaxed") };
  return { streams, losses: await engine.dataLoss(), openMs };
}

async function close(): Promise<void> {
  await millrace?.close();
}

Object.assign(globalThis, {
  faultPage: { lanes: LANES, batchMax: BATCH_RECORDS_MAX, write, readBack, close },
});
