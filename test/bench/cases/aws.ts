/** The official client in the page, through both protocols: puts, single puts, reads, long streams, many shards. */
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordCommand,
  PutRecordsCommand,
} from "@aws-sdk/client-kinesis";
import { type Millrace, open } from "millrace";
import { alone, median, type Row, timed } from "../measure.ts";
import { randomBytes, sizeText } from "../payloads.ts";
import { pipelined } from "../worker-calls.ts";
import { CORE_URL, WORKER_URL } from "./engines.ts";

const STREAM = "bench";
const RECORDS = 500;
/** Calls on their way at once; kinesalite is measured with as many as serve it best. */
const DEPTH = 4;
/** As many as it takes until the worker's memory is no longer touched for the first time. */
const WARM_UP_CALLS = 800;
const PROTOCOLS = ["direct", "json"] as const;
type Protocol = (typeof PROTOCOLS)[number];

/** What the peer is asked for, too: see `kinesalite.mjs`. */
export type PeerMeasure = "puts 1 KiB" | "puts 100 B" | "single put" | "reads 1 KiB";

/** A row whose peer is measured in Node, right after it. */
export interface PeeredRow extends Row {
  readonly peerMeasure?: PeerMeasure;
}

interface Opened {
  readonly millrace: Millrace;
  readonly client: KinesisClient;
}

async function openClient(name: string, protocol: Protocol, shardCount = 4): Promise<Opened> {
  const millrace = await open({ name, storage: "memory", worker: WORKER_URL, wasm: CORE_URL });
  const client = new KinesisClient(millrace.aws({ protocol }));
  await client.send(new CreateStreamCommand({ StreamName: STREAM, ShardCount: shardCount }));
  return { millrace, client };
}

function randomCall(dataBytes: number): PutRecordsCommand {
  return new PutRecordsCommand({
    StreamName: STREAM,
    Records: Array.from({ length: RECORDS }, () => ({
      PartitionKey: crypto.randomUUID(),
      Data: randomBytes(dataBytes),
    })),
  });
}

function missing(): never {
  throw new Error("there is no call to make");
}

async function putAll(client: KinesisClient, call: PutRecordsCommand): Promise<void> {
  const { FailedRecordCount = 0 } = await client.send(call);
  if (FailedRecordCount > 0) throw new Error(`${FailedRecordCount} records were refused`);
}

const TARGETS: Readonly<Record<Protocol, Partial<Record<PeerMeasure, number>>>> = {
  direct: { "puts 1 KiB": 50 },
  json: { "puts 1 KiB": 6 },
};

function rowOf(name: string, unit: string, value: number, protocol: Protocol, peer: PeerMeasure) {
  const atLeast = TARGETS[protocol][peer];
  const row = alone({
    name: `${name}, official client, ${protocol}`,
    where: "chromium",
    unit,
    value,
  });
  return {
    ...row,
    peerMeasure: peer,
    ...(atLeast === undefined ? {} : { target: { atLeast } }),
  };
}

async function putRow(protocol: Protocol, dataBytes: number, rounds: number): Promise<PeeredRow> {
  const { millrace, client } = await openClient(`aws-put-${protocol}-${dataBytes}`, protocol);
  const calls = Array.from({ length: 8 }, () => randomCall(dataBytes));
  const put = (i: number): Promise<void> => putAll(client, calls[i % calls.length] ?? missing());
  const callsPerRound = dataBytes > 500 ? 40 : 80;
  await pipelined(WARM_UP_CALLS, DEPTH, put);
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { work, elapsedMs } = await timed(callsPerRound * RECORDS, () =>
      pipelined(callsPerRound, DEPTH, put),
    );
    rates.push((work / elapsedMs) * 1000);
  }
  await millrace.close();
  const measure = dataBytes > 500 ? "puts 1 KiB" : "puts 100 B";
  const name = `PutRecords 500 x ${sizeText(dataBytes)}`;
  return rowOf(name, "records/s", median(rates), protocol, measure);
}

const SINGLES = 300;

async function singleRow(protocol: Protocol, rounds: number): Promise<PeeredRow> {
  const { millrace, client } = await openClient(`aws-single-${protocol}`, protocol);
  const call = new PutRecordCommand({
    StreamName: STREAM,
    PartitionKey: "one",
    Data: randomBytes(1024),
  });
  const rates: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const { work, elapsedMs } = await timed(SINGLES, () =>
      pipelined(SINGLES, 1, () => client.send(call)),
    );
    if (round >= 0) rates.push((work / elapsedMs) * 1000);
  }
  await millrace.close();
  return rowOf("PutRecord 1 KiB, one at a time", "calls/s", median(rates), protocol, "single put");
}

const READ_RECORDS = 1000;

async function readRow(protocol: Protocol, rounds: number): Promise<PeeredRow> {
  const { millrace, client } = await openClient(`aws-read-${protocol}`, protocol, 1);
  for (let i = 0; i < 20; i++) await putAll(client, randomCall(1024));
  const { ShardIterator } = await client.send(
    new GetShardIteratorCommand({
      StreamName: STREAM,
      ShardId: "shardId-000000000000",
      ShardIteratorType: "TRIM_HORIZON",
    }),
  );
  const call = new GetRecordsCommand({ ShardIterator, Limit: READ_RECORDS });
  const read = async (): Promise<void> => {
    const { Records = [] } = await client.send(call);
    if (Records.length !== READ_RECORDS) throw new Error(`read ${Records.length} records`);
  };
  const rates: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const { work, elapsedMs } = await timed(20 * READ_RECORDS, () => pipelined(20, 1, read));
    if (round >= 0) rates.push((work / elapsedMs) * 1000);
  }
  await millrace.close();
  const name = `GetRecords ${READ_RECORDS} x 1 KiB`;
  return rowOf(name, "records/s", median(rates), protocol, "reads 1 KiB");
}

/** Puts and reads of the official client through both protocols. */
export async function awsRows(rounds: number): Promise<PeeredRow[]> {
  const rows: PeeredRow[] = [];
  for (const protocol of PROTOCOLS) {
    rows.push(await putRow(protocol, 1024, rounds));
    rows.push(await putRow(protocol, 100, rounds));
    rows.push(await singleRow(protocol, rounds));
    rows.push(await readRow(protocol, rounds));
  }
  return rows;
}

const LENGTHS = [10_000, 100_000, 1_000_000] as const;

/** PutRecords of 500 x 100 B when the stream holds so many records already, against when it was short. */
export async function lengthRows(longest: number): Promise<Row[]> {
  const { millrace, client } = await openClient("aws-length", "direct");
  const calls = Array.from({ length: 8 }, () => randomCall(100));
  const put = (i: number): Promise<void> => putAll(client, calls[i % calls.length] ?? missing());
  const rates: { readonly held: number; readonly rate: number }[] = [];
  let held = 0;
  for (const length of LENGTHS.filter((one) => one <= longest)) {
    const missing = Math.max(0, Math.ceil((length - held) / RECORDS));
    await pipelined(missing, DEPTH, put);
    held += missing * RECORDS;
    const { work, elapsedMs } = await timed(100 * RECORDS, () => pipelined(100, DEPTH, put));
    held += work;
    rates.push({ held: length, rate: (work / elapsedMs) * 1000 });
  }
  await millrace.close();
  const [first, ...later] = rates;
  return later.map(({ held: length, rate }) => ({
    ...alone({
      name: `PutRecords 500 x 100 B, direct, ${length.toLocaleString("en")} records in the stream`,
      where: "chromium",
      unit: "records/s",
      value: rate,
    }),
    peer: `${LENGTHS[0].toLocaleString("en")} records in it`,
    peerValue: first?.rate ?? Number.NaN,
    ratio: rate / (first?.rate ?? Number.NaN),
    target: { atLeast: 0.8 },
    reached: rate / (first?.rate ?? Number.NaN) >= 0.8,
  }));
}

/** PutRecords of 500 x 1 KiB over 500 shards, against 4. */
export async function shardRows(rounds: number): Promise<Row[]> {
  const rateOver = async (shardCount: number): Promise<number> => {
    const { millrace, client } = await openClient(`aws-shards-${shardCount}`, "direct", shardCount);
    const calls = Array.from({ length: 8 }, () => randomCall(1024));
    const put = (i: number): Promise<void> => putAll(client, calls[i % calls.length] ?? missing());
    await pipelined(40, DEPTH, put);
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { work, elapsedMs } = await timed(40 * RECORDS, () => pipelined(40, DEPTH, put));
      rates.push((work / elapsedMs) * 1000);
    }
    await millrace.close();
    return median(rates);
  };
  const few = await rateOver(4);
  const many = await rateOver(500);
  return [
    {
      ...alone({
        name: "PutRecords 500 x 1 KiB, direct, 500 shards",
        where: "chromium",
        unit: "records/s",
        value: many,
      }),
      peer: "4 shards",
      peerValue: few,
      ratio: many / few,
    },
  ];
}
