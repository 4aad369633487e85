/** Fills streams with random bytes, measures how fast, and looks for what is first to work after a start. */
import type { Millrace, Stream } from "millrace";

const POOL_BYTES = 8_388_608;
const RANDOM_CALL_BYTES = 65_536;
const CALLS_MAX = 4;

let pool: Uint8Array<ArrayBuffer> | undefined;

/** Random bytes, which no store can compress: cut from a pool at a place of their own. */
function randomBytes(byteLength: number): Uint8Array<ArrayBuffer> {
  if (pool === undefined) {
    pool = new Uint8Array(POOL_BYTES);
    for (let at = 0; at < POOL_BYTES; at += RANDOM_CALL_BYTES) {
      crypto.getRandomValues(pool.subarray(at, at + RANDOM_CALL_BYTES));
    }
  }
  const at = Math.floor(Math.random() * (POOL_BYTES - byteLength));
  return pool.slice(at, at + byteLength);
}

/** How a stream is filled. */
export interface FillSettings {
  readonly bytes: number;
  readonly recordBytes: number;
  /** Records of one call. */
  readonly batchRecords: number;
  /** Calls under way at a time; 4 when absent. */
  readonly callsMax?: number;
}

/** Puts random records until so many bytes are acknowledged; resolves with the time that it took, in ms. */
export async function fill(stream: Stream, settings: FillSettings): Promise<number> {
  const { bytes, recordBytes, batchRecords, callsMax = CALLS_MAX } = settings;
  const batches = Math.ceil(bytes / (recordBytes * batchRecords));
  const beganMs = performance.now();
  let next = 0;
  const lane = async (name: string): Promise<void> => {
    while (next < batches) {
      next += 1;
      const records = Array.from({ length: batchRecords }, (_, i) => ({
        partitionKey: `${name}-${i}`,
        data: randomBytes(recordBytes),
      }));
      const { failedRecordCount } = await stream.putRecords(records);
      if (failedRecordCount > 0) throw new Error(`${failedRecordCount} records were refused`);
    }
  };
  await Promise.all(Array.from({ length: callsMax }, (_, i) => lane(`lane-${i}`)));
  return performance.now() - beganMs;
}

/** Times from the beginning of a page, in ms. */
export interface StartReport {
  readonly openMs: number;
  readonly putMs: number;
  readonly readMs: number;
}

/** How long after `beganMs` an engine is open, has a record durable, and gives the oldest record. */
export async function measureStart(
  beganMs: number,
  opening: Promise<Millrace>,
  name: string,
): Promise<StartReport> {
  const millrace = await opening;
  const openMs = performance.now() - beganMs;
  const stream = await millrace.streams.get(name);
  const put = stream
    .putRecord({ partitionKey: "first", data: "first" })
    .then(() => performance.now() - beganMs);
  const read = (async () => {
    for await (const { data } of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
      if (data.byteLength > 0) break;
    }
    return performance.now() - beganMs;
  })();
  return { openMs, putMs: await put, readMs: await read };
}

/** Puts records that hold a marker, each between random bytes. */
export async function putMarked(stream: Stream, marker: string, count: number): Promise<void> {
  const mark = new TextEncoder().encode(marker);
  for (let number = 0; number < count; number += 1) {
    const data = randomBytes(4096 + mark.byteLength);
    data.set(mark, 1024);
    await stream.putRecord({ partitionKey: `marked-${number % 4}`, data });
  }
}

/** Number of records whose text holds a marker. */
export async function countMarked(stream: Stream, marker: string): Promise<number> {
  let count = 0;
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    if (record.text().includes(marker)) count += 1;
  }
  return count;
}
