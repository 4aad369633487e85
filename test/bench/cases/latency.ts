/** From a put to a subscriber in the same tab. */
import { alone, percentile, type Row } from "../measure.ts";
import { randomBytes } from "../payloads.ts";
import { openStream } from "./engines.ts";

const DATA_BYTES = 1024;
const PAUSE_MS = 5;
const WARM_UP_PUTS = 50;

async function latencies(storage: "memory" | "indexeddb", puts: number): Promise<number[]> {
  const { millrace, stream } = await openStream(`bench-latency-${storage}`, storage, 1);
  const sentMs: number[] = [];
  const elapsedMs: number[] = [];
  const leaving = new AbortController();
  const total = puts + WARM_UP_PUTS;
  // The position is resolved when this is called, so that the first put is not missed.
  const records = stream.read({ from: "TRIM_HORIZON", until: "live", signal: leaving.signal });
  const subscriber = (async (): Promise<void> => {
    for await (const record of records) {
      const number = new DataView(record.data.buffer, record.data.byteOffset).getUint32(0, true);
      if (number !== elapsedMs.length) throw new Error(`record ${number} came out of order`);
      elapsedMs.push(performance.now() - (sentMs[number] ?? Number.NaN));
      if (elapsedMs.length === total) return;
    }
  })();
  const data = randomBytes(DATA_BYTES);
  for (let number = 0; number < total; number++) {
    new DataView(data.buffer).setUint32(0, number, true);
    sentMs.push(performance.now());
    await stream.putRecord({ partitionKey: "subscriber", data });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await subscriber;
  leaving.abort();
  await millrace.close();
  return elapsedMs.slice(WARM_UP_PUTS);
}

/** Middle and slowest hundredth, on IndexedDB (committed, strict, before it is delivered) and in memory. */
export async function latencyRows(puts: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const storage of ["indexeddb", "memory"] as const) {
    const elapsedMs = await latencies(storage, puts);
    const durable = storage === "indexeddb";
    const common = { where: "chromium", unit: "ms" };
    const note = durable ? "the record is in the store, strict, before it is delivered" : undefined;
    const name = `put to subscriber, same tab, ${durable ? "durable" : "in memory"}`;
    rows.push(
      alone({
        ...common,
        name: `${name}, p50`,
        value: percentile(elapsedMs, 0.5),
        target: { atMost: 5 },
        note,
      }),
      alone({ ...common, name: `${name}, p99`, value: percentile(elapsedMs, 0.99), note }),
    );
  }
  return rows;
}
