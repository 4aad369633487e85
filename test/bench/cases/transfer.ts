/** Records from a page to a worker: packed with an outbox copy and transferred, against cloned objects. */
import { BatchEncoder, BUILD_ID, checkRecord, type EngineClient, VERSION } from "@millrace/engine";
import { connect } from "../../../engine/host/src/rpc/connect.ts";
import type { HelloAnswer } from "../../../engine/host/src/rpc/messages.ts";
import type { EngineThread } from "../../../engine/host/src/rpc/thread.ts";
import { PROTOCOL } from "../../../engine/host/src/rpc/version.ts";
import { compare, type Row, timed } from "../measure.ts";
import { type BenchRecord, randomRecords, sizeText } from "../payloads.ts";
import { pipelined, WorkerCalls } from "../worker-calls.ts";
import type { EchoAnswer, EchoRequest } from "../workers/echo-worker.ts";

const RECORDS = 500;
const RECORD_BYTES_MAX = 1_048_576;
const STREAM_UID = 1;
/** Batches on their way at once. */
const DEPTH = 4;
const BATCHES = 100;
const DEADLINE_MS = 60_000;
/** What a row needs besides key and data, roughly. */
const ROW_BYTES = 24;

/** The engine's own client, with a worker behind it that only looks at the batches. */
async function clientOf(worker: WorkerCalls<EchoRequest, EchoAnswer>): Promise<EngineClient> {
  let tell: (answer: HelloAnswer) => void = () => undefined;
  const thread: EngineThread = {
    url: "echo-worker.js",
    greet: ({ data }) => {
      worker.tell({ kind: "serve", port: data }, [data]);
      const build = { protocol: PROTOCOL, version: VERSION, buildId: BUILD_ID };
      tell({ millrace: "ready", ...build });
    },
    onMessage: (listener) => {
      tell = listener;
    },
    onFailure: () => undefined,
    terminate: () => worker.end(),
  };
  return await connect(
    thread,
    { simd: "none", scalar: "none" },
    {
      name: "bench-transfer",
      storage: "memory",
      quotas: "unlimited",
      memoryBudgetBytes: 67_108_864,
      limits: { callMs: DEADLINE_MS, outboxWaitMs: DEADLINE_MS },
    },
  );
}

/** Checks, packs and sends records; resolves with the bytes that the worker saw. */
async function sendPacked(client: EngineClient, records: readonly BenchRecord[]): Promise<number> {
  const [first] = records;
  const rowBytes = (first?.data.byteLength ?? 0) + (first?.partitionKey.length ?? 0) + ROW_BYTES;
  const encoder = new BatchEncoder(client.pool, rowBytes * (records.length + 1));
  let i = 0;
  const name = { toString: (): string => `records[${i}]` };
  for (const record of records) {
    if (!encoder.add(checkRecord(name, record), name, RECORD_BYTES_MAX)) {
      throw new RangeError("the records do not fit one batch");
    }
    i++;
  }
  const result = await client.put(encoder.finish(STREAM_UID));
  return result === undefined ? Number.NaN : (new Float64Array(result)[0] ?? Number.NaN);
}

async function transferRow(dataBytes: number, rounds: number): Promise<Row> {
  const records = randomRecords(RECORDS, dataBytes);
  const expected = RECORDS * (dataBytes + 36);
  const worker = new WorkerCalls<EchoRequest, EchoAnswer>("/echo-worker.js");
  const client = await clientOf(worker);
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
        pipelined(BATCHES, DEPTH, async () => check(await sendPacked(client, records))),
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
