/**
 * A process with an engine on a file store: `write` writes until it is killed and prints every
 * acknowledgement, `read` reads all back and prints a report.
 *
 *     node file-writer.js write|read DIRECTORY CORE_WASM
 */
import { writeSync } from "node:fs";
import {
  BatchEncoder,
  BatchResult,
  checkRecord,
  decodeSlice,
  type EngineClient,
  ResourceNotFoundError,
  type StreamDescription,
} from "@millrace/engine";
import { openLocal } from "@millrace/engine/local";
import { numberOf, RandomBytes, RECORD_HEADER_BYTES, seal } from "./numbered-record.ts";

const STREAM = { name: "crash", shards: 3, retentionHours: 24, recordKibMax: 1024 };
/** Writers with a partition key each; every one waits for its acknowledgement before it goes on. */
const LANES = 6;
const BATCH_RECORDS_MAX = 8;
/** Small, so that segments are sealed and the log is trimmed many times in a short run. */
const MEMORY_BUDGET_BYTES = 33_554_432;

function print(message: object): void {
  // Synchronous, so that an acknowledgement that was printed has left the process.
  writeSync(1, `${JSON.stringify(message)}\n`);
}

async function ensureStream(client: EngineClient): Promise<StreamDescription> {
  try {
    return await client.call("describeStream", { name: STREAM.name });
  } catch (error) {
    if (!(error instanceof ResourceNotFoundError)) throw error;
    return await client.call("createStream", STREAM);
  }
}

/** Mostly small records, few larger than a commit that is in no hurry. */
function randomLength(): number {
  return Math.ceil(Math.random() * (Math.random() < 0.9 ? 2_000 : 200_000));
}

async function writeLane(
  client: EngineClient,
  stream: StreamDescription,
  lane: number,
  from: number,
  random: RandomBytes,
): Promise<never> {
  for (let next = from; ; ) {
    const encoder = new BatchEncoder(client.pool);
    const wanted = Math.ceil(Math.random() * BATCH_RECORDS_MAX);
    let count = 0;
    while (count < wanted) {
      const data = random.take(RECORD_HEADER_BYTES + randomLength());
      seal(data, next + count);
      const record = checkRecord("record", { partitionKey: `lane-${lane}`, data });
      if (!encoder.add(record, "record", STREAM.recordKibMax * 1024)) break;
      count += 1;
    }
    const packed = await client.put(encoder.finish(stream.uid));
    if (packed === undefined) throw new Error("a batch was not sent");
    const result = new BatchResult(packed, stream.name);
    if (result.failedCount > 0) throw new Error(`${result.failedCount} records were refused`);
    next += count;
    print({ lane, number: next - 1 });
  }
}

async function write(client: EngineClient, stream: StreamDescription): Promise<void> {
  const { lanes } = await readBack(client, stream);
  print({ started: true });
  const random = new RandomBytes();
  await Promise.all(
    lanes.map(({ records }, lane) => writeLane(client, stream, lane, records, random)),
  );
}

interface LaneReport {
  records: number;
  /** What is wrong with it; empty when all is well. */
  readonly problems: string[];
}

/** Reads everything: whole, in order and dense per lane, sequence numbers growing per shard. */
async function readBack(
  client: EngineClient,
  stream: StreamDescription,
): Promise<{ lanes: LaneReport[]; bytes: number; dataLoss: number }> {
  const lanes: LaneReport[] = Array.from({ length: LANES }, () => ({ records: 0, problems: [] }));
  let bytes = 0;
  const resolved = await client.call("resolvePosition", {
    name: stream.name,
    position: { type: "TRIM_HORIZON" },
  });
  for (const { shardIndex, nextIndex, endIndex } of resolved) {
    let lastNumber = -1n;
    for (let cursor = nextIndex; cursor < endIndex; ) {
      const slice = await client.read({
        streamUid: stream.uid,
        cursors: [{ shardIndex, nextIndex: cursor }],
        recordsMax: 10_000,
        bytesMax: 4_194_304,
        waitMs: 0,
      });
      const batch = decodeSlice(slice);
      for (const record of batch) {
        const report = lanes[Number(record.partitionKey.slice("lane-".length))];
        if (report === undefined) throw new Error(`${record.partitionKey} is no lane`);
        const number = numberOf(record.data);
        if (number !== report.records) {
          report.problems.push(`${number ?? "a torn one"} stands where ${report.records} should`);
        }
        report.records += 1;
        const sequenceNumber = BigInt(record.sequenceNumber);
        if (sequenceNumber <= lastNumber) report.problems.push("a sequence number does not grow");
        lastNumber = sequenceNumber;
        bytes += record.data.byteLength;
      }
      cursor = batch.parts[0]?.nextIndex ?? endIndex;
    }
  }
  return { lanes, bytes, dataLoss: (await client.call("dataLoss", {})).length };
}

const [, , mode, directory, wasm] = process.argv;
const client = await openLocal({
  name: "crash",
  storage: "file",
  directory,
  wasm,
  quotas: "unlimited",
  memoryBudgetBytes: MEMORY_BUDGET_BYTES,
});
const stream = await ensureStream(client);
if (mode === "write") await write(client, stream);
else print(await readBack(client, stream));
await client.close();
