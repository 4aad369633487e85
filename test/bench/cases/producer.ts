/** The producer with and without aggregation, and against putRecords: small records, as aggregation is for. */
import type { Millrace, Stream } from "millrace";
import { compare, type Row, type Sample, timed } from "../measure.ts";
import { type BenchRecord, randomRecords } from "../payloads.ts";
import { openStream, putAll } from "./engines.ts";

const RECORDS = 20_000;
const DATA_BYTES = 128;
const SHARDS = 4;
const PER_CALL = 500;
/** Records of 164 bytes that four shards take at once by their quotas for bytes, and some for a second more. */
const QUOTA_RECORDS = 30_000;

function throughProducer(stream: Stream, records: BenchRecord[], aggregation: boolean) {
  return timed(records.length, async () => {
    const producer = await stream.producer({ aggregation });
    const puts = records.map((record) => producer.put(record));
    await producer.close();
    await Promise.all(puts);
  });
}

function throughPutRecords(stream: Stream, records: readonly BenchRecord[]): Promise<Sample> {
  return timed(records.length, async () => {
    const calls: Promise<void>[] = [];
    for (let at = 0; at < records.length; at += PER_CALL) {
      calls.push(putAll(stream, records.slice(at, at + PER_CALL)));
    }
    await Promise.all(calls);
  });
}

async function unlimitedRows(rounds: number): Promise<Row[]> {
  const { millrace, stream } = await openStream("bench-producer", "indexeddb", SHARDS);
  const records = randomRecords(RECORDS, DATA_BYTES);
  const comparison = { where: "chromium", unit: "records/s", rounds, warmUps: 2 };
  const against = await compare(
    {
      ...comparison,
      name: "producer, 20,000 x 128 B, IndexedDB, without quotas",
      peer: "the same without aggregation",
    },
    () => throughProducer(stream, records, true),
    () => throughProducer(stream, records, false),
  );
  const plain = await compare(
    {
      ...comparison,
      name: "producer, 20,000 x 128 B, IndexedDB, without quotas",
      peer: "putRecords of 500 each",
      note: "the producer copies each record, hashes its key, and has a promise for it",
    },
    () => throughProducer(stream, records, true),
    () => throughPutRecords(stream, records),
  );
  await millrace.close();
  return [against, plain];
}

/** A stream whose quotas nobody used yet. */
async function freshStream(millrace: Millrace, number: number): Promise<Stream> {
  return await millrace.streams.create(`quota-${number}`, { shards: SHARDS });
}

async function quotaRow(rounds: number): Promise<Row> {
  const { millrace } = await openStream("bench-producer-quotas", "indexeddb", SHARDS, "aws");
  const records = randomRecords(QUOTA_RECORDS, DATA_BYTES);
  let streams = 0;
  const side = (aggregation: boolean) => async () => {
    const stream = await freshStream(millrace, ++streams);
    return await throughProducer(stream, records, aggregation);
  };
  const row = await compare(
    {
      name: `producer, ${QUOTA_RECORDS.toLocaleString("en")} x 128 B, ${SHARDS} shards with AWS's quotas`,
      where: "chromium",
      unit: "records/s",
      peer: "the same without aggregation",
      rounds,
      warmUps: 0,
      note: "a shard takes 1,000 records and 1 MiB per second",
    },
    side(true),
    side(false),
  );
  await millrace.close();
  return row;
}

/** All comparisons; those under quotas take seconds each, so that there are three of them. */
export async function producerRows(rounds: number): Promise<Row[]> {
  return [...(await unlimitedRows(rounds)), await quotaRow(Math.min(3, rounds))];
}
