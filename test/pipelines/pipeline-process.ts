/**
 * A process with the pipeline of the tests on a file store: `fill` puts the source's records from a number up to
 * another one, `run` runs the pipeline until it is done, or with `stay` until it is killed, and prints how far it is,
 * `check` holds the outputs against what must come. `deploy` has the stages run as jobs, and `host` hosts them as
 * `run` runs the pipeline.
 *
 *     node pipeline-process.js fill|run|deploy|host|check DIRECTORY CORE_WASM RECORDS [FROM|stay]
 */
import { writeSync } from "node:fs";
import { parseSequenceNumber } from "@millrace/engine";
import { openLocal } from "@millrace/engine/local";
import type { PipelineDescription } from "millrace";
import { Millrace } from "../../sdk/src/millrace.ts";
import { buildDag, problemsOf, putOrders, SOURCE } from "../../sdk/test/pipelines/dag.ts";

type Described = Pick<PipelineDescription, "edges">;

const PIPELINE = "shop";
const PUT_AT_ONCE = 2000;
const REPORT_MS = 50;
const SHARDS = 2;
const MEMORY_BUDGET_BYTES = 134_217_728;

function print(message: object): void {
  // Synchronous, so that what was printed has left the process when it is killed.
  writeSync(1, `${JSON.stringify(message)}\n`);
}

async function fill(engine: Millrace, from: number, records: number): Promise<void> {
  const source = await engine.streams.ensure(SOURCE);
  for (let put = from; put < records; put += PUT_AT_ONCE) {
    await putOrders(source, put, Math.min(records, put + PUT_AT_ONCE));
  }
}

/** How many records of the source its first reader has processed. */
function processedOf({ edges }: Described, firstIndex: number): number {
  const first = edges.find(({ from, operators }) => from === SOURCE && operators.includes("keyBy"));
  const checkpoint = first?.group?.leases[0]?.checkpoint;
  if (checkpoint === undefined || !("sequenceNumber" in checkpoint)) return 0;
  return parseSequenceNumber(checkpoint.sequenceNumber).sequenceIndex - firstIndex + 1;
}

/** Waits until nothing of the pipeline is left, or for ever, and says again and again how far it is. */
async function untilDone(describe: () => Promise<Described>): Promise<void> {
  const position = { type: "TRIM_HORIZON" } as const;
  const [first] = await client.call("resolvePosition", { name: SOURCE, position });
  const begunMs = performance.now();
  for (let done = false; !done || stay; ) {
    const description = await describe();
    done = description.edges.every(({ lagRecords, group }) => group && lagRecords === 0);
    const processed = processedOf(description, first?.nextIndex ?? 0);
    print({ processed, done, elapsedMs: performance.now() - begunMs });
    if (!done || stay) await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
  }
}

/** Runs the pipeline in this thread. */
async function run(engine: Millrace): Promise<void> {
  const pipeline = await buildDag(engine, SHARDS);
  pipeline.finished.catch((error: unknown) => print({ failed: String(error) }));
  pipeline.onEvent((event) => {
    if (event.kind !== "processing-failed") return;
    process.stderr.write(`${event.stage}: ${String(event.error)}\n`);
  });
  await pipeline.start({ workerId: "runner", batchRecordsMax: 2000 });
  await untilDone(() => pipeline.describe());
  await pipeline.stop();
}

/** Has the stages run as jobs from now on, whenever somebody hosts them. */
async function deploy(engine: Millrace): Promise<void> {
  const module = new URL("pipeline-modules.js", import.meta.url);
  await engine.pipelines.deploy(PIPELINE, {
    ...{ module, export: "shop", restart: { firstMs: 10, stallMs: 60_000 }, failoverMs: 1000 },
    worker: { batchRecordsMax: 2000 },
  });
}

/** Hosts the stages' jobs. */
async function host(engine: Millrace): Promise<void> {
  await engine.jobs.host(new URL("jobs-worker.js", import.meta.url));
  const told = new Set<string>();
  await untilDone(async () => {
    const description = await engine.pipelines.describe(PIPELINE);
    for (const { stage, job } of description.edges) {
      const { atMs, message } = job.lastError ?? {};
      const line = `${stage} at ${atMs}: ${message}\n`;
      if (message === undefined || told.has(line)) continue;
      told.add(line);
      process.stderr.write(line);
    }
    return description;
  });
}

const [, , mode, directory, wasm, records, extra] = process.argv;
/** It does not end by itself. */
const stay = extra === "stay";
const client = await openLocal({
  ...{ name: "dag", storage: "file", directory, wasm },
  ...{ quotas: "unlimited", memoryBudgetBytes: MEMORY_BUDGET_BYTES },
});
const engine = new Millrace(client, false);
if (mode === "fill") await fill(engine, Number(extra), Number(records));
else if (mode === "run") await run(engine);
else if (mode === "deploy") await deploy(engine);
else if (mode === "host") await host(engine);
else {
  const problems = await problemsOf(engine, Number(records));
  const losses = await engine.dataLoss();
  print({ problems: problems.slice(0, 10), count: problems.length, losses: losses.length });
}
await engine.close();
