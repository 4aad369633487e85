/** Packed reads, a slice and lazy records, against a structured clone of the same records as objects. */
import { decodeSlice } from "@millrace/engine";
import { browserPlatform } from "../../../engine/host/src/platform/browser-platform.ts";
import { createEngine } from "../../../engine/host/src/service/engine.ts";
import type {
  EngineService,
  ShardCursor,
} from "../../../engine/host/src/service/engine-service.ts";
import { buildBatch } from "../../../engine/host/test/support/batches.ts";
import { compare, type Row, type Sample, timed } from "../measure.ts";
import { randomRecords } from "../payloads.ts";

const RECORDS = 10_000;
const DATA_BYTES = 1024;
const SHARDS = 4;
const BATCH_RECORDS = 500;
const READ_BYTES_MAX = 10_485_760;
const REPEATS = 5;

/** A record with all its fields ready, its data a view of memory that it shares with the others. */
interface EagerRecord {
  readonly sequenceNumber: string;
  readonly shardId: string;
  readonly partitionKey: string;
  readonly arrivalMs: number;
  readonly data: Uint8Array;
}

async function fill(engine: EngineService): Promise<number> {
  const { uid } = await engine.call("createStream", {
    name: "reads",
    shards: SHARDS,
    retentionHours: 24,
    recordKibMax: 1024,
  });
  for (let batchNumber = 1; batchNumber <= RECORDS / BATCH_RECORDS; batchNumber++) {
    const records = randomRecords(BATCH_RECORDS, DATA_BYTES).map((one) => ({
      key: one.partitionKey,
      data: one.data,
    }));
    await engine.put(buildBatch({ streamUid: uid, batchNumber, records }));
  }
  return uid;
}

/** All slices from the beginning; one call holds 10 MiB at most. */
async function readAll(
  engine: EngineService,
  streamUid: number,
  start: readonly ShardCursor[],
  take: (slice: ArrayBuffer) => ReturnType<typeof decodeSlice>,
): Promise<void> {
  const { signal } = new AbortController();
  let cursors = start;
  for (let left = RECORDS; left > 0; ) {
    const slice = await engine.read(
      { streamUid, cursors, recordsMax: RECORDS, bytesMax: READ_BYTES_MAX, waitMs: 0 },
      signal,
    );
    const batch = take(slice);
    if (batch.length === 0) throw new Error(`${left} records are missing`);
    left -= batch.length;
    cursors = batch.parts.map(({ shardIndex, nextIndex }) => ({ shardIndex, nextIndex }));
  }
}

/** Touches the first byte of every record's data. */
function touch(records: Iterable<{ readonly data: Uint8Array }>): number {
  let sum = 0;
  for (const record of records) sum += record.data[0] ?? 0;
  return sum;
}

/** The same record with its data in a buffer of its own. */
function onItsOwn(record: EagerRecord): EagerRecord {
  return { ...record, data: record.data.slice() };
}

/** Reads of 10,000 records of 1 KiB from the engine in this thread, its slice transferred to itself. */
export async function readRows(wasm: BufferSource, rounds: number): Promise<Row[]> {
  const engine = await createEngine(browserPlatform(), wasm, {
    name: "bench-read",
    storage: "memory",
    quotas: "unlimited",
    memoryBudgetBytes: 268_435_456,
  });
  const streamUid = await fill(engine);
  const resolved = await engine.call("resolvePosition", {
    name: "reads",
    position: { type: "TRIM_HORIZON" },
  });
  const start = resolved.map(({ shardIndex, nextIndex }) => ({ shardIndex, nextIndex }));
  const eager: EagerRecord[] = [];
  await readAll(engine, streamUid, start, (slice) => {
    const batch = decodeSlice(slice);
    for (const { sequenceNumber, shardId, partitionKey, arrivalMs, data } of batch) {
      eager.push({ sequenceNumber, shardId, partitionKey, arrivalMs, data });
    }
    return batch;
  });
  if (eager.length !== RECORDS) throw new Error(`${eager.length} records were read`);
  const expected = touch(eager);
  const check = (sum: number): void => {
    if (sum !== expected) throw new Error("other records were read");
  };
  const ours = (): Promise<Sample> =>
    timed(RECORDS * REPEATS, async () => {
      for (let i = 0; i < REPEATS; i++) {
        let sum = 0;
        await readAll(engine, streamUid, start, (slice) => {
          const batch = decodeSlice(structuredClone(slice, { transfer: [slice] }));
          sum += touch(batch);
          return batch;
        });
        check(sum);
      }
    });
  const cloning = (objects: readonly EagerRecord[]) => (): Promise<Sample> =>
    timed(RECORDS * REPEATS, () => {
      for (let i = 0; i < REPEATS; i++) check(touch(structuredClone(objects)));
    });
  const common = {
    name: "read of 10,000 x 1 KiB",
    where: "chromium",
    unit: "records/s",
    rounds,
    note: "slice, transfer, lazy records, every record's data touched",
  };
  const rows = [
    await compare(
      { ...common, peer: "structured clone, data in shared buffers", target: { atLeast: 3.5 } },
      ours,
      cloning(eager),
    ),
    await compare(
      { ...common, peer: "structured clone, each record's data by itself" },
      ours,
      cloning(eager.map(onItsOwn)),
    ),
  ];
  await engine.close();
  return rows;
}
