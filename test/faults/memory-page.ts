/** Writes and reads far more than the engine may hold in memory. */
import type { Millrace, StorageReport, Stream } from "millrace";
import { openInPage } from "./engine-in-page.ts";
import { keyInTurn, TurnCheck } from "./key-turns.ts";
import { RandomBytes, seal } from "./numbered-record.ts";

const ENGINE = "memory";
const SHARDS = 8;
/** Partition keys in turn; the records of each must come back in their order. */
const KEYS = 64;
const BATCH_RECORDS = 200;
/** Calls under way at once. */
const DEPTH = 8;

let engine: Millrace | undefined;

async function openStream(memoryBudgetBytes: number): Promise<Stream> {
  engine = await openInPage(ENGINE, memoryBudgetBytes);
  return await engine.streams.ensure("memory", { shards: SHARDS });
}

/** Writes so many records of `recordBytes` bytes, random and with their number and a checksum. */
async function write(
  memoryBudgetBytes: number,
  recordCount: number,
  recordBytes: number,
): Promise<void> {
  const stream = await openStream(memoryBudgetBytes);
  const random = new RandomBytes();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < recordCount) {
      const first = next;
      next = Math.min(recordCount, first + BATCH_RECORDS);
      const records = Array.from({ length: next - first }, (_, i) => {
        const data = random.take(recordBytes);
        seal(data, first + i);
        return { partitionKey: keyInTurn(first + i, KEYS), data };
      });
      const { failedRecordCount } = await stream.putRecords(records);
      if (failedRecordCount > 0) throw new Error(`${failedRecordCount} records were refused`);
    }
  };
  await Promise.all(Array.from({ length: DEPTH }, lane));
}

/** Reads everything from the oldest record; returns what is wrong, or nothing. */
async function readBack(recordCount: number): Promise<string | undefined> {
  const stream = await engine?.streams.get("memory");
  if (stream === undefined) return "the engine is not open";
  const check = new TurnCheck(KEYS);
  const shards = new Set<string>();
  for await (const batch of stream.readBatches({ from: "TRIM_HORIZON", until: "end" })) {
    for (const shard of batch.shards) shards.add(shard.shardId);
    for (const record of batch) {
      const problem = check.take(record);
      if (problem !== undefined) return problem;
    }
  }
  if (shards.size !== SHARDS) return `${shards.size} of ${SHARDS} shards have records`;
  const { count } = check;
  return count === recordCount ? undefined : `${count} of ${recordCount} records came back`;
}

/** What opening the engine again took, and what it found. */
interface Reopening {
  /** In seconds. */
  readonly closed: number;
  /** In seconds. */
  readonly opened: number;
  /** WAL frames that were there to be scanned. */
  readonly walFrames: number;
  readonly walBytes: number;
}

/** Opens the engine again, as a later visit does. */
async function reopen(memoryBudgetBytes: number): Promise<Reopening> {
  const { walFrames = 0, walBytes = 0 } = (await engine?.storage()) ?? {};
  const start = performance.now();
  await engine?.close();
  const closedMs = performance.now();
  await openStream(memoryBudgetBytes);
  const openedMs = performance.now();
  const [closed, opened] = [(closedMs - start) / 1000, (openedMs - closedMs) / 1000];
  return { closed, opened, walFrames, walBytes };
}

async function storage(): Promise<StorageReport | undefined> {
  return await engine?.storage();
}

async function close(): Promise<void> {
  await engine?.close();
}

Object.assign(globalThis, { faultPage: { write, readBack, reopen, storage, close } });
