/**
 * A process with the pipeline of the tests on a file store: `fill` puts the source's records, `run` runs the
 * pipeline until it is done or killed and prints how far it is, `check` holds the outputs against what must come.
 *
 *     node pipeline-process.js fill|run|check DIRECTORY CORE_WASM RECORDS
 */
import { writeSync } from "node:fs";
import { parseSequenceNumber } from "@millrace/engine";
import { openLocal } from "@millrace/engine/local";
import type { PipelineDescription } from "millrace";
import { Millrace } from "../../sdk/src/millrace.ts";
import { buildDag, problemsOf, putOrders, SOURCE } from "../../sdk/test/pipelines/dag.ts";

const PUT_AT_ONCE = 2000;
const REPORT_MS = 50;
const SHARDS = 2;
const MEMORY_BUDGET_BYTES = 134_217_728;

function print(message: object): void {
  // Synchronous, so that what was printed has left the process when it is killed.
  writeSync(1, `${JSON.stringify(message)}\n`);
}

async function fill(engine: Millrace, records: number): Promise<void> {
  const source = await engine.streams.ensure(SOURCE);
  for (let put = 0; put < records; put += PUT_AT_ONCE) {
    await putOrders(source, put, Math.min(records, put + PUT_AT_ONCE));
  }
}

/** How many records of the source its first reader has processed. */
function processedOf({ edges }: PipelineDescription, firstIndex: number): number {
  const checkpoint = edges[0]?.group?.leases[0]?.checkpoint;
  if (checkpoint === undefined || !("sequenceNumber" in checkpoint)) return 0;
  return parseSequenceNumber(checkpoint.sequenceNumber).sequenceIndex - firstIndex + 1;
}

/** Runs the pipeline until nothing is left, and says again and again how far it is. */
async function run(engine: Millrace): Promise<void> {
  const position = { type: "TRIM_HORIZON" } as const;
  const [first] = await client.call("resolvePosition", { name: SOURCE, position });
  const pipeline = await buildDag(engine, SHARDS);
  pipeline.finished.catch((error: unknown) => print({ failed: String(error) }));
  pipeline.onEvent((event) => {
    if (event.kind !== "processing-failed") return;
    process.stderr.write(`${event.stage}: ${String(event.error)}\n`);
  });
  const begunMs = performance.now();
  await pipeline.start({ workerId: "runner", batchRecordsMax: 2000 });
  for (let done = false; !done; ) {
    const description = await pipeline.describe();
    done = description.edges.every(({ lagRecords, group }) => group && lagRecords === 0);
    const processed = processedOf(description, first?.nextIndex ?? 0);
    print({ processed, done, elapsedMs: performance.now() - begunMs });
    if (!done) await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
  }
  await pipeline.stop();
}

const [, , mode, directory, wasm, records] = process.argv;
const client = await openLocal({
  ...{ name: "dag", storage: "file", directory, wasm },
  ...{ quotas: "unlimited", memoryBudgetBytes: MEMORY_BUDGET_BYTES },
});
const engine = new Millrace(client, false);
if (mode === "fill") await fill(engine, Number(records));
else if (mode === "run") await run(engine);
else {
  const problems = await problemsOf(engine, Number(records));
  const losses = await engine.dataLoss();
  print({ problems: problems.slice(0, 10), count: problems.length, losses: losses.length });
}
await engine.close();
