/** The pipeline of three stages and a branch as jobs whose threads die at random, over several engines: nothing twice, nothing lost. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeployedPipeline, Millrace } from "millrace";
import { afterAll, assert, beforeAll, it } from "vitest";
import { bundleWorker, openHost, removeWorker } from "../jobs/support.ts";
import { problemsOf, putOrders, SOURCE } from "./dag.ts";
import { bundlePipelines, deploymentOf, removePipelines, untilPipeline } from "./jobs-support.ts";

const RECORDS = 20_000;
const KILLS = 16;
const PUT_AT_ONCE = 500;
/** So many deaths of threads lie between two engines. */
const KILLS_PER_ENGINE = 5;

beforeAll(async () => {
  await bundleWorker();
  await bundlePipelines();
}, 60_000);
afterAll(async () => {
  await removeWorker();
  await removePipelines();
});

function restartsOf({ edges }: DeployedPipeline): number {
  return edges.reduce((sum, { job }) => sum + job.restarts, 0);
}

it(`puts out what an uninterrupted one does, ${RECORDS} records and ${KILLS} deaths of threads`, async () => {
  const directory = await mkdtemp(join(tmpdir(), "millrace-pipeline-jobs-"));
  const start = (): Promise<Millrace> =>
    openHost({ name: "dag", storage: "file", directory, quotas: "unlimited" });
  let engine = await start();
  try {
    await engine.streams.ensure(SOURCE);
    const worker = { batchRecordsMax: 200 };
    await engine.pipelines.deploy(
      "shop",
      await deploymentOf("shop", { variant: "dies=150", worker }),
    );
    let put = 0;
    for (let kills = 0; kills < KILLS; kills++) {
      if (kills > 0 && kills % KILLS_PER_ENGINE === 0) {
        await engine.close();
        engine = await start();
      }
      const source = await engine.streams.get(SOURCE);
      const before = restartsOf(await engine.pipelines.describe("shop"));
      const until = Math.ceil((RECORDS * (kills + 1)) / (KILLS + 1));
      for (; put < until; put += PUT_AT_ONCE) {
        await putOrders(source, put, Math.min(RECORDS, put + PUT_AT_ONCE));
      }
      await untilPipeline(engine, "shop", (one) => restartsOf(one) > before);
    }
    await engine.pipelines.deploy("shop", await deploymentOf("shop", { worker }));
    const source = await engine.streams.get(SOURCE);
    for (; put < RECORDS; put += PUT_AT_ONCE) {
      await putOrders(source, put, Math.min(RECORDS, put + PUT_AT_ONCE));
    }
    await untilPipeline(engine, "shop", ({ edges }) =>
      edges.every(({ lagRecords }) => lagRecords === 0),
    );
    assert.deepEqual(await problemsOf(engine, RECORDS), []);
  } finally {
    await engine.close();
    await rm(directory, { recursive: true, force: true });
  }
}, 180_000);
