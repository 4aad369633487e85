/** Engines as a page opens them, for the benchmarks that go through the SDK and the worker. */
import { type Millrace, open, type Stream } from "millrace";

/** Places of the worker and the core on the benchmarks' server. */
export const WORKER_URL = "/worker.js";
/** See {@link WORKER_URL}. */
export const CORE_URL = "/wasm/core.wasm";

/** An open engine with one stream of `shards` shards. */
export interface OpenedStream {
  readonly millrace: Millrace;
  readonly stream: Stream;
}

/** Opens an engine under a name of its own with one stream in it. */
export async function openStream(
  name: string,
  storage: "memory" | "indexeddb",
  shards: number,
  quotas: "unlimited" | "aws" = "unlimited",
): Promise<OpenedStream> {
  const millrace = await open({ name, storage, quotas, worker: WORKER_URL, wasm: CORE_URL });
  return { millrace, stream: await millrace.streams.create("bench", { shards }) };
}

/** Puts a batch and makes sure that all of it was taken. @throws Error when a record was refused. */
export async function putAll(
  stream: Stream,
  records: Parameters<Stream["putRecords"]>[0],
): Promise<void> {
  const { failedRecordCount } = await stream.putRecords(records);
  if (failedRecordCount > 0) throw new Error(`${failedRecordCount} records were refused`);
}
