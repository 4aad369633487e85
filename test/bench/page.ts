/** The benchmarks that run in a browser, by name, for the script that drives the page. */
import { appendRows } from "./cases/append.ts";
import { awsRows, lengthRows, shardRows } from "./cases/aws.ts";
import { burstRows, sustainedRows } from "./cases/durable.ts";
import { CORE_URL } from "./cases/engines.ts";
import { groupRows } from "./cases/groups.ts";
import { latencyRows } from "./cases/latency.ts";
import { md5Rows } from "./cases/md5.ts";
import { producerRows } from "./cases/producer.ts";
import { memoryPutRows, singlePutRows } from "./cases/puts.ts";
import { readRows } from "./cases/read.ts";
import { replicationRows } from "./cases/replication.ts";
import { transferRows } from "./cases/transfer.ts";
import { triggerRows } from "./cases/triggers.ts";
import type { Row } from "./measure.ts";

/** How much is measured. */
export interface BenchSizes {
  readonly rounds: number;
  readonly memoryBatches: number;
  readonly sustainedSeconds: number;
  readonly latencyPuts: number;
  readonly streamRecordsMax: number;
}

async function bytesOf(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return await response.arrayBuffer();
}

const KERNEL_URL = "/bench.wasm";
const WHERE = "chromium";

const benchmarks: Readonly<Record<string, (sizes: BenchSizes) => Promise<Row[]>>> = {
  md5: async ({ rounds }) => md5Rows(await bytesOf(KERNEL_URL), WHERE, rounds),
  append: async ({ rounds }) =>
    appendRows(await bytesOf(CORE_URL), await bytesOf(KERNEL_URL), WHERE, rounds),
  transfer: ({ rounds }) => transferRows(rounds),
  read: async ({ rounds }) => readRows(await bytesOf(CORE_URL), rounds),
  singles: ({ rounds }) => singlePutRows(rounds),
  producer: ({ rounds }) => producerRows(rounds),
  groups: ({ rounds }) => groupRows(rounds),
  triggers: ({ rounds }) => triggerRows(rounds),
  replication: ({ rounds }) => replicationRows(rounds),
  memory: ({ memoryBatches }) => memoryPutRows(memoryBatches),
  burst: ({ rounds }) => burstRows(rounds),
  sustained: ({ sustainedSeconds }) => sustainedRows(sustainedSeconds),
  latency: ({ latencyPuts }) => latencyRows(latencyPuts),
  aws: ({ rounds }) => awsRows(rounds),
  length: ({ streamRecordsMax }) => lengthRows(streamRecordsMax),
  shards: ({ rounds }) => shardRows(rounds),
};

Object.assign(globalThis, {
  benchmarkNames: Object.keys(benchmarks),
  runBenchmark: async (name: string, sizes: BenchSizes): Promise<Row[]> => {
    if (!crossOriginIsolated) throw new Error("the page is not isolated: its clock is too coarse");
    const benchmark = benchmarks[name];
    if (benchmark === undefined) throw new Error(`there is no benchmark "${name}"`);
    return await benchmark(sizes);
  },
});
