/** A consumer group against reading raw, and what committing its epochs every 100 ms costs. */
import type { ConsumerGroup, Stream, UserRecord, WorkerOptions } from "millrace";
import { compare, type Row, type Sample, timed } from "../measure.ts";
import { randomRecords } from "../payloads.ts";
import { pipelined } from "../worker-calls.ts";
import { openStream, putAll } from "./engines.ts";

const SHARDS = 4;
const DATA_BYTES = 128;
const PER_CALL = 500;
const RECORDS = 400_000;
/** Puts on their way at once while the stream is filled. */
const DEPTH = 8;
const COMMIT_MS = 100;

/** Touches the first byte of every record's data. */
function touch(records: Iterable<Pick<UserRecord, "data">>): number {
  let sum = 0;
  for (const { data } of records) sum += data[0] ?? 0;
  return sum;
}

async function fill(stream: Stream): Promise<void> {
  const batches = Array.from({ length: 8 }, () => randomRecords(PER_CALL, DATA_BYTES));
  await pipelined(RECORDS / PER_CALL, DEPTH, (i) => putAll(stream, batches[i % 8] ?? []));
}

/** Reads everything in packed batches. */
async function raw(stream: Stream): Promise<Sample> {
  return await timed(RECORDS, async () => {
    let left = RECORDS;
    for await (const batch of stream.readBatches({ from: "TRIM_HORIZON", until: "end" })) {
      touch(batch);
      left -= batch.length;
    }
    if (left !== 0) throw new Error(`${left} records were not read`);
  });
}

/** One worker takes all shards of a new group and processes everything, from its start to the last record. */
async function grouped(group: ConsumerGroup, options: WorkerOptions): Promise<Sample> {
  let processed: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    processed = resolve;
  });
  let left = RECORDS;
  const processRecords = ({ records }: { readonly records: readonly UserRecord[] }): void => {
    touch(records);
    left -= records.length;
    if (left === 0) processed();
  };
  const stop = new AbortController();
  const sample = await timed(RECORDS, async () => {
    group.start(() => ({ processRecords }), { ...options, signal: stop.signal });
    await all;
  });
  stop.abort();
  await group.delete();
  return sample;
}

/** The rows of groups: all over one stream in IndexedDB. */
export async function groupRows(rounds: number): Promise<Row[]> {
  const { millrace, stream } = await openStream("bench-groups", "indexeddb", SHARDS);
  await fill(stream);
  let groups = 0;
  const side = (options: WorkerOptions) => async (): Promise<Sample> => {
    groups += 1;
    const group = await stream.group(`group-${groups}`, { from: "TRIM_HORIZON" });
    return await grouped(group, { batchRecordsMax: 10_000, ...options });
  };
  const committing = side({ checkpoints: "batch", checkpointIntervalMs: COMMIT_MS });
  const count = `${RECORDS.toLocaleString("en")} x ${DATA_BYTES} B, ${SHARDS} shards`;
  const common = { where: "chromium", unit: "records/s", rounds };
  const rows = [
    await compare(
      {
        ...common,
        name: `consumer group, ${count}`,
        peer: "readBatches of the same",
        note: "one worker, checkpoints every 100 ms, every record's data touched",
      },
      committing,
      () => raw(stream),
    ),
    await compare(
      {
        ...common,
        name: `consumer group with epochs every ${COMMIT_MS} ms, ${count}`,
        peer: "the same group without commits",
        ratioOf: "time",
        note: "ratio of times: what is above 1 is the overhead",
      },
      committing,
      side({ checkpoints: "manual" }),
    ),
  ];
  await millrace.close();
  return rows;
}
