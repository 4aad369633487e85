/** Records from a page to a worker: packed with an outbox copy and transferred, against cloned objects. */
import { BatchEncoder, checkRecord } from "@millrace/engine";
import { stampBatch } from "../../../engine/host/src/rpc/batch-encoder.ts";
import { BufferPool } from "../../../engine/host/src/rpc/buffer-pool.ts";
import { compare, type Row, timed } from "../measure.ts";
import { type BenchRecord, randomBytes, randomRecords, sizeText } from "../payloads.ts";
import { pipelined, WorkerCalls } from "../worker-calls.ts";
import type { EchoAnswer, EchoRequest } from "../workers/echo-worker.ts";

const RECORDS = 500;
const RECORD_BYTES_MAX = 1_048_576;
const STREAM_UID = 1;
/** Batches on their way at once. */
const DEPTH = 4;
const BATCHES = 100;

async function sendPacked(
  worker: WorkerCalls<EchoRequest, EchoAnswer>,
  pool: BufferPool,
  producerId: Uint8Array,
  records: readonly BenchRecord[],
  batchNumber: number,
): Promise<number> {
  const encoder = new BatchEncoder(pool);
  for (const [i, record] of records.entries()) {
    const argument = `records[${i}]`;
    if (!encoder.add(checkRecord(argument, record), argument, RECORD_BYTES_MAX)) {
      throw new RangeError("the records do not fit one batch");
    }
  }
  const batch = encoder.finish(STREAM_UID);
  stampBatch(batch, producerId, batchNumber);
  // The original stays in the outbox until the batch is acknowledged.
  const buffer = batch.buffer.slice(0, batch.byteLength);
  const { bytes, recycled } = await worker.ask({ kind: "packed", buffer }, [buffer]);
  if (recycled !== undefined) pool.give(recycled);
  pool.give(batch.buffer);
  return bytes;
}

async function transferRow(dataBytes: number, rounds: number): Promise<Row> {
  const records = randomRecords(RECORDS, dataBytes);
  const expected = records.reduce((sum, one) => sum + one.partitionKey.length + one.data.byteLength, 0);
  const worker = new WorkerCalls<EchoRequest, EchoAnswer>("/echo-worker.js");
  const pool = new BufferPool();
  const producerId = randomBytes(16);
  const check = (bytes: number): void => {
    if (bytes !== expected) throw new Error(`the worker saw ${bytes} bytes of ${expected}`);
  };
  const row = await compare(
    {
      name: `page to worker, ${RECORDS} x ${sizeText(dataBytes)}`,
      where: "chromium",
      unit: "records/s",
      peer: "structured clone of the records",
      rounds,
      target: { atLeast: 4 },
      note: "checking, packing and the outbox copy included; four batches under way",
    },
    () =>
      timed(BATCHES * RECORDS, () =>
        pipelined(BATCHES, DEPTH, async (i) =>
          check(await sendPacked(worker, pool, producerId, records, i + 1)),
        ),
      ),
    () =>
      timed(BATCHES * RECORDS, () =>
        pipelined(BATCHES, DEPTH, async () =>
          check((await worker.ask({ kind: "objects", records })).bytes),
        ),
      ),
  );
  worker.end();
  return row;
}

/** Batches of 500 records of two sizes. */
export async function transferRows(rounds: number): Promise<Row[]> {
  return [await transferRow(100, rounds), await transferRow(1024, rounds)];
}
