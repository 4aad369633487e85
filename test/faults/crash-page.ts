/** Writes until the browser is killed, telling the server of every acknowledgement; reads it all back. */
import type { Millrace, Stream } from "millrace";
import { openInPage } from "./engine-in-page.ts";
import { numberOf, RandomBytes, RECORD_HEADER_BYTES, seal } from "./numbered-record.ts";

const ENGINE = "crash";
/** Small, so that segments are sealed and the log is trimmed many times in a short run. */
const MEMORY_BUDGET_BYTES = 33_554_432;
const SHARDS = 4;
/** Writers with a partition key each; every one waits for its acknowledgement before it goes on. */
const LANES = 12;
const BATCH_RECORDS_MAX = 8;

/** What was read back of one lane. */
export interface LaneReport {
  readonly records: number;
  /** What is wrong with it; empty when all is well. */
  readonly problems: string[];
}

/** What was read back. */
export interface ReadReport {
  readonly lanes: LaneReport[];
  readonly shards: number;
  readonly bytes: number;
  readonly dataLoss: number;
  /** Time in ms from the call of `open()` to a stream that can be read. */
  readonly openMs: number;
}

let engine: Millrace | undefined;

function laneKey(lane: number): string {
  return `lane-${lane}`;
}

async function openStream(): Promise<{ millrace: Millrace; stream: Stream }> {
  const millrace = await openInPage(ENGINE, MEMORY_BUDGET_BYTES);
  engine = millrace;
  return { millrace, stream: await millrace.streams.ensure("crash", { shards: SHARDS }) };
}

/** Mostly small records, some larger than a commit that is in no hurry, few larger than a segment. */
function randomLength(): number {
  const kind = Math.random();
  if (kind < 0.7) return Math.ceil(Math.random() * 2_000);
  if (kind < 0.98) return Math.ceil(Math.random() * 60_000);
  return Math.ceil(Math.random() * 900_000);
}

/** Returns once the server knows, so that an acknowledgement cannot be lost with the page. */
function report(lane: number, number: number): void {
  const request = new XMLHttpRequest();
  request.open("POST", "/acknowledged", false);
  request.send(JSON.stringify({ lane, number }));
  if (request.status !== 200) throw new Error(`the server answers ${request.status}`);
}

async function writeLane(
  stream: Stream,
  lane: number,
  from: number,
  random: RandomBytes,
  until: () => boolean,
): Promise<void> {
  for (let next = from; !until(); ) {
    const count = Math.ceil(Math.random() * BATCH_RECORDS_MAX);
    const records = Array.from({ length: count }, (_, i) => {
      const data = random.take(RECORD_HEADER_BYTES + randomLength());
      seal(data, next + i);
      return { partitionKey: laneKey(lane), data };
    });
    const { failedRecordCount } = await stream.putRecords(records);
    if (failedRecordCount > 0) throw new Error(`${failedRecordCount} records were refused`);
    next += count;
    report(lane, next - 1);
  }
}

/** Writes on every lane from the given numbers on, for so long or until the browser is killed. */
async function write(from: readonly number[], elapsedMsMax: number): Promise<void> {
  const { stream } = await openStream();
  const random = new RandomBytes();
  const endMs = performance.now() + elapsedMsMax;
  const over = (): boolean => performance.now() > endMs;
  await Promise.all(from.map((first, lane) => writeLane(stream, lane, first, random, over)));
}

/** Reads everything: whole, in order per lane and per shard, and dense. */
async function readBack(): Promise<ReadReport> {
  const startMs = performance.now();
  const { millrace, stream } = await openStream();
  const openMs = performance.now() - startMs;
  const lanes: LaneReport[] = Array.from({ length: LANES }, () => ({ records: 0, problems: [] }));
  const counts = new Array<number>(LANES).fill(0);
  const lastOfShard = new Map<string, bigint>();
  let bytes = 0;
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    const lane = Number(record.partitionKey.slice("lane-".length));
    const problems = lanes[lane]?.problems;
    if (problems === undefined) throw new Error(`${record.partitionKey} is no lane`);
    const expected = counts[lane] ?? 0;
    const number = numberOf(record.data);
    if (number === undefined) problems.push(`record ${expected} is torn`);
    else if (number !== expected) problems.push(`record ${number} stands where ${expected} should`);
    counts[lane] = expected + 1;
    const sequenceNumber = BigInt(record.sequenceNumber);
    if (sequenceNumber <= (lastOfShard.get(record.shardId) ?? -1n)) {
      problems.push(`the sequence number of record ${expected} does not grow`);
    }
    lastOfShard.set(record.shardId, sequenceNumber);
    bytes += record.data.byteLength;
  }
  const dataLoss = (await millrace.dataLoss()).length;
  await millrace.close();
  return {
    lanes: lanes.map(({ problems }, lane) => ({ records: counts[lane] ?? 0, problems })),
    shards: lastOfShard.size,
    bytes,
    dataLoss,
    openMs,
  };
}

async function close(): Promise<void> {
  await engine?.close();
}

Object.assign(globalThis, {
  faultPage: { lanes: LANES, batchMax: BATCH_RECORDS_MAX, write, readBack, close },
});
