/** From a put to a subscriber in the same tab: one that polls, and a registered consumer of AWS's client. */
import {
  KinesisClient,
  PutRecordCommand,
  SubscribeToShardCommand,
  type SubscribeToShardEventStream,
} from "@aws-sdk/client-kinesis";
import { alone, percentile, type Row } from "../measure.ts";
import { randomBytes } from "../payloads.ts";
import { type OpenedStream, openStream } from "./engines.ts";

const DATA_BYTES = 1024;
const PAUSE_MS = 5;
const WARM_UP_PUTS = 50;
const TARGET_MS = 5;

/** One way from a put to whoever reads. */
interface Way {
  readonly name: string;
  put(data: Uint8Array<ArrayBuffer>): Promise<unknown>;
  /** Data of each record in its order. */
  readonly records: AsyncIterable<Uint8Array>;
  readonly leave: () => void;
}

function polled({ stream }: OpenedStream): Way {
  const leaving = new AbortController();
  // The position is resolved when this is called, so that the first put is not missed.
  const records = stream.read({ from: "TRIM_HORIZON", until: "live", signal: leaving.signal });
  async function* data(): AsyncGenerator<Uint8Array> {
    for await (const record of records) yield record.data;
  }
  return {
    name: "put to subscriber",
    put: (bytes) => stream.putRecord({ partitionKey: "subscriber", data: bytes }),
    records: data(),
    leave: () => leaving.abort(),
  };
}

async function* dataOf(events: AsyncIterable<SubscribeToShardEventStream>) {
  for await (const { SubscribeToShardEvent: event } of events) {
    for (const { Data } of event?.Records ?? []) if (Data !== undefined) yield Data;
  }
}

async function pushed({ millrace, stream }: OpenedStream): Promise<Way> {
  const client = new KinesisClient(millrace.aws());
  const { arn: ConsumerARN } = await stream.registerConsumer("bench");
  const { EventStream } = await client.send(
    new SubscribeToShardCommand({
      ConsumerARN,
      ShardId: "shardId-000000000000",
      StartingPosition: { Type: "LATEST" },
    }),
  );
  if (EventStream === undefined) throw new Error("the subscription has no events");
  return {
    name: "put to SubscribeToShard event, official client",
    put: (Data) =>
      client.send(
        new PutRecordCommand({ StreamName: stream.name, PartitionKey: "subscriber", Data }),
      ),
    records: dataOf(EventStream),
    leave: () => undefined,
  };
}

/** Time of every put's way in ms, from the call to the record's arrival. */
async function latencies(way: Way, puts: number): Promise<number[]> {
  const sentMs: number[] = [];
  const elapsedMs: number[] = [];
  const total = puts + WARM_UP_PUTS;
  const subscriber = (async (): Promise<void> => {
    for await (const data of way.records) {
      const number = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
      if (number !== elapsedMs.length) throw new Error(`record ${number} came out of order`);
      elapsedMs.push(performance.now() - (sentMs[number] ?? Number.NaN));
      if (elapsedMs.length === total) return;
    }
  })();
  const data = randomBytes(DATA_BYTES);
  for (let number = 0; number < total; number++) {
    new DataView(data.buffer).setUint32(0, number, true);
    sentMs.push(performance.now());
    await way.put(data);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await subscriber;
  way.leave();
  return elapsedMs.slice(WARM_UP_PUTS);
}

function rowsOf(way: Way, storage: "memory" | "indexeddb", elapsedMs: readonly number[]): Row[] {
  const durable = storage === "indexeddb";
  const common = { where: "chromium", unit: "ms" };
  const note = durable ? "the record is in the store, strict, before it is delivered" : undefined;
  const name = `${way.name}, same tab, ${durable ? "durable" : "in memory"}`;
  const median = percentile(elapsedMs, 0.5);
  return [
    alone({ ...common, name: `${name}, p50`, value: median, target: { atMost: TARGET_MS }, note }),
    alone({ ...common, name: `${name}, p99`, value: percentile(elapsedMs, 0.99), note }),
  ];
}

/** Middle and slowest hundredth, on IndexedDB (committed, strict, before it is delivered) and in memory. */
export async function latencyRows(puts: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const begin of [polled, pushed]) {
    for (const storage of ["indexeddb", "memory"] as const) {
      const opened = await openStream(`bench-latency-${begin.name}-${storage}`, storage, 1);
      const way = await begin(opened);
      rows.push(...rowsOf(way, storage, await latencies(way, puts)));
      await opened.millrace.close();
    }
  }
  return rows;
}
