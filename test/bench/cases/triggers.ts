/** Stream triggers by the batch, against the deliveries of a bare consumer group. */
import type { Millrace, Stream } from "millrace";
import { compare, type Row, type Sample, timed } from "../measure.ts";
import { randomRecords } from "../payloads.ts";
import { openStream, putAll } from "./engines.ts";

const DATA_BYTES = 128;
const PER_CALL = 500;
const SHARDS = 4;
const TRIGGER_RECORDS = 20_000;
const BATCH_SIZE = 100;

async function fill(stream: Stream, count: number): Promise<void> {
  const records = randomRecords(count, DATA_BYTES);
  for (let at = 0; at < count; at += PER_CALL) {
    await putAll(stream, records.slice(at, at + PER_CALL));
  }
}

/** Resolves when a number of records was counted. */
class Counter {
  #left: number;
  #finish: () => void = () => undefined;
  readonly finished: Promise<void>;

  constructor(records: number) {
    this.#left = records;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  count(records: number): void {
    this.#left -= records;
    if (this.#left <= 0) this.#finish();
  }
}

/** All records through a trigger of its own. Work is in batches. */
async function throughTrigger(stream: Stream, name: string): Promise<Sample> {
  const counter = new Counter(TRIGGER_RECORDS);
  let batches = 0;
  const sample = await timed(0, async () => {
    const handler = async ({
      Records,
    }: {
      readonly Records: readonly unknown[];
    }): Promise<void> => {
      batches += 1;
      counter.count(Records.length);
    };
    const options = { name, startingPosition: "TRIM_HORIZON", batchSize: BATCH_SIZE } as const;
    const trigger = await stream.trigger(handler, options);
    await counter.finished;
    await trigger.stop();
    await trigger.delete();
  });
  return { ...sample, work: batches };
}

/** All records through a group of its own. Work is in deliveries. */
async function throughGroup(stream: Stream, name: string): Promise<Sample> {
  const counter = new Counter(TRIGGER_RECORDS);
  let deliveries = 0;
  const sample = await timed(0, async () => {
    const group = await stream.group(name, { from: "TRIM_HORIZON" });
    const processor = {
      processRecords: ({ records: some }: { readonly records: readonly unknown[] }): void => {
        deliveries += 1;
        counter.count(some.length);
      },
    };
    const worker = group.start(() => processor, { batchRecordsMax: BATCH_SIZE });
    await counter.finished;
    await worker.stop();
    await group.delete();
  });
  return { ...sample, work: deliveries };
}

async function triggerRow(millrace: Millrace, rounds: number): Promise<Row> {
  const stream = await millrace.streams.create("trigger", { shards: SHARDS });
  await fill(stream, TRIGGER_RECORDS);
  let number = 0;
  return await compare(
    {
      ...{ name: `trigger, batches of ${BATCH_SIZE} x ${DATA_BYTES} B, 4 shards, IndexedDB` },
      ...{ where: "chromium", unit: "batches/s", rounds },
      peer: "a consumer group's deliveries of as many records",
      note: "events as Lambda's with base64, and checkpoints without a pause between them",
    },
    () => throughTrigger(stream, `trigger-${++number}`),
    () => throughGroup(stream, `plain-${++number}`),
  );
}

/** All comparisons. */
export async function triggerRows(rounds: number): Promise<Row[]> {
  const { millrace } = await openStream("bench-triggers", "indexeddb", 1);
  const rows = [await triggerRow(millrace, rounds)];
  await millrace.close();
  return rows;
}
