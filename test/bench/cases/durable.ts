/** Durable puts on IndexedDB, strict, against the same bytes written to IndexedDB with nothing around. */
import type { Millrace, Stream } from "millrace";
import { compare, type Row, type Sample } from "../measure.ts";
import { type BenchRecord, randomRecords } from "../payloads.ts";
import { pipelinedWhile, WorkerCalls } from "../worker-calls.ts";
import type { RawWriteAnswer, RawWriteRequest } from "../workers/raw-store-worker.ts";
import { openStream, putAll } from "./engines.ts";

const RECORDS = 500;
const DATA_BYTES = 1024;
const KEY_BYTES = 36;
const SHARDS = 4;
const DEPTH = 16;
const VALUE_BYTES = 1_048_576;
const BURST_BYTES = 33_554_432;
const BATCH_BYTES = RECORDS * (DATA_BYTES + KEY_BYTES);
/** Batches of different records in turn. */
const BATCHES = 64;

/** Bytes of keys and data as work, put until so many bytes or so much time is spent. */
async function putFor(
  stream: Stream,
  batches: readonly (readonly BenchRecord[])[],
  bytesMax: number,
  elapsedMsMax: number,
): Promise<Sample> {
  const start = performance.now();
  const more = (next: number): boolean =>
    next * BATCH_BYTES < bytesMax && performance.now() - start < elapsedMsMax;
  let put = 0;
  await pipelinedWhile(more, DEPTH, async (i) => {
    await putAll(stream, batches[i % batches.length] ?? []);
    put += BATCH_BYTES;
  });
  return { work: put, elapsedMs: performance.now() - start };
}

/** Waits until the engine has sealed what it will, so that the other side has the disk for itself. */
async function settle(millrace: Millrace): Promise<void> {
  let before = "";
  for (let calm = 0; calm < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { dirtyBytes, walFrames, segments } = await millrace.storage();
    const now = `${dirtyBytes} ${walFrames} ${segments}`;
    calm = now === before ? calm + 1 : 0;
    before = now;
  }
}

async function writeRaw(
  worker: WorkerCalls<RawWriteRequest, RawWriteAnswer>,
  bytesMax: number,
  elapsedMsMax: number,
): Promise<Sample> {
  const { bytes, elapsedMs } = await worker.ask({
    valueBytes: VALUE_BYTES,
    bytesMax,
    elapsedMsMax,
  });
  return { work: bytes, elapsedMs };
}

/** Bursts of 32 MiB, in turn. */
export async function burstRows(rounds: number): Promise<Row[]> {
  const { millrace, stream } = await openStream("bench-burst", "indexeddb", SHARDS);
  const worker = new WorkerCalls<RawWriteRequest, RawWriteAnswer>("/raw-store-worker.js");
  const batches = Array.from({ length: BATCHES }, () => randomRecords(RECORDS, DATA_BYTES));
  const row = await compare(
    {
      name: "durable putRecords, 500 x 1 KiB, bursts of 32 MiB",
      where: "chromium",
      unit: "B/s",
      peer: "raw IndexedDB, 1 MiB values, strict",
      rounds,
      target: { atLeast: 0.7 },
      note: "strict on both sides; the engine rests before each raw burst",
    },
    async () => {
      const sample = await putFor(stream, batches, BURST_BYTES, Number.POSITIVE_INFINITY);
      await settle(millrace);
      return sample;
    },
    () => writeRaw(worker, BURST_BYTES, Number.POSITIVE_INFINITY),
  );
  worker.end();
  await millrace.close();
  return [row];
}

/** Puts for a stretch of time, with half that of raw writes before and after. */
export async function sustainedRows(seconds: number): Promise<Row[]> {
  const worker = new WorkerCalls<RawWriteRequest, RawWriteAnswer>("/raw-store-worker.js");
  const batches = Array.from({ length: BATCHES }, () => randomRecords(RECORDS, DATA_BYTES));
  const unbounded = Number.MAX_SAFE_INTEGER;
  const before = await writeRaw(worker, unbounded, seconds * 500);
  const { millrace, stream } = await openStream("bench-sustained", "indexeddb", SHARDS);
  const ours = await putFor(stream, batches, unbounded, seconds * 1000);
  await millrace.close();
  const after = await writeRaw(worker, unbounded, seconds * 500);
  worker.end();
  const rate = ({ work, elapsedMs }: Sample): number => (work / elapsedMs) * 1000;
  const peerValue = rate({
    work: before.work + after.work,
    elapsedMs: before.elapsedMs + after.elapsedMs,
  });
  const ratio = rate(ours) / peerValue;
  const byPeer = [rate(ours) / rate(before), rate(ours) / rate(after)];
  const target = { atLeast: 0.4 };
  return [
    {
      name: `durable putRecords, 500 x 1 KiB, ${seconds} s`,
      where: "chromium",
      unit: "B/s",
      value: rate(ours),
      peer: "raw IndexedDB, 1 MiB values, strict",
      peerValue,
      ratio,
      ratioRange: [Math.min(...byPeer), Math.max(...byPeer)],
      target,
      reached: ratio >= target.atLeast,
      note: "strict; sealing writes everything a second time; raw writes half before, half after",
    },
  ];
}
