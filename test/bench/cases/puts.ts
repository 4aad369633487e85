/** Puts through the SDK and the worker, in memory: singles against a batch, and how many there can be. */
import { alone, compare, median, type Row, type Sample, timed } from "../measure.ts";
import { randomRecords } from "../payloads.ts";
import { pipelined } from "../worker-calls.ts";
import type { PeeredRow } from "./aws.ts";
import { openStream, putAll } from "./engines.ts";

const RECORDS = 500;
const DATA_BYTES = 1024;
const SHARDS = 4;
/** Batches on their way at once; the outbox holds 16 MiB. */
const DEPTH = 16;
const REPEATS = 20;
const TENTHS = 10;
/** Rate of kinesalite that ours must be a multiple of. */
const KINESALITE_TARGET = 100;

/** 500 concurrent calls of putRecord against one putRecords of the same records. */
export async function singlePutRows(rounds: number): Promise<Row[]> {
  const { millrace, stream } = await openStream("bench-singles", "memory", SHARDS);
  const records = randomRecords(RECORDS, DATA_BYTES);
  const row = await compare(
    {
      name: "500 concurrent putRecord, 1 KiB, in memory",
      where: "chromium",
      unit: "records/s",
      peer: "one putRecords of the 500",
      rounds,
      target: { atMost: 3 },
      ratioOf: "time",
      note: "ratio of times",
    },
    () =>
      timed(RECORDS * REPEATS, async () => {
        for (let i = 0; i < REPEATS; i++) {
          await Promise.all(records.map((record) => stream.putRecord(record)));
        }
      }),
    () =>
      timed(RECORDS * REPEATS, async () => {
        for (let i = 0; i < REPEATS; i++) await putAll(stream, records);
      }),
  );
  await millrace.close();
  return [row];
}

/**
 * putRecords in memory, and whether it slows down as the stream grows: the last tenth of the records
 * against the first.
 */
export async function memoryPutRows(batches: number): Promise<PeeredRow[]> {
  const records = Array.from({ length: 8 }, () => randomRecords(RECORDS, DATA_BYTES));
  const { millrace, stream } = await openStream("bench-memory", "memory", SHARDS);
  const put = async (i: number): Promise<void> => putAll(stream, records[i % records.length] ?? []);
  // Code that has just been compiled, and memory that is touched for the first time, are not the stream.
  await pipelined(2 * Math.ceil(batches / TENTHS), DEPTH, put);
  const tenths: Sample[] = [];
  const perTenth = Math.ceil(batches / TENTHS);
  for (let tenth = 0; tenth < TENTHS; tenth++) {
    tenths.push(await timed(perTenth * RECORDS, () => pipelined(perTenth, DEPTH, put)));
  }
  await millrace.close();
  const rates = tenths.map(({ work, elapsedMs }) => (work / elapsedMs) * 1000);
  const [first = Number.NaN] = rates;
  const last = rates.at(-1) ?? Number.NaN;
  return [
    {
      ...alone({
        name: "putRecords, 500 x 1 KiB, in memory",
        where: "chromium",
        unit: "records/s",
        value: median(rates),
        note: `${DEPTH} calls under way, ${SHARDS} shards; the peer is measured in Node`,
      }),
      peerMeasure: "puts 1 KiB",
      target: { atLeast: KINESALITE_TARGET },
    },
    {
      ...alone({
        name: `putRecords in memory, last tenth of ${(batches * RECORDS).toLocaleString("en")} records`,
        where: "chromium",
        unit: "records/s",
        value: last,
      }),
      peer: "first tenth",
      peerValue: first,
      ratio: last / first,
      target: { atLeast: 0.8 },
      reached: last / first >= 0.8,
      note: "no slowdown with the length of the stream",
    },
  ];
}
