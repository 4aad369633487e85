/** Jobs in Node for the tests: real threads, over a bundle of the jobs worker's sources. */
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  type JobDefinition,
  type JobDescription,
  type Millrace,
  type OpenOptions,
  open,
} from "millrace";
import { rolldown } from "rolldown";
import { until } from "../groups/support.ts";
import { openEngine, readAll } from "../support.ts";

/** URL of the module with the tests' jobs. */
export const JOBS_MODULE = new URL("job-modules.mjs", import.meta.url).href;
const SOURCE = fileURLToPath(new URL("../../src/jobs-worker.ts", import.meta.url));
/** One per process: files of tests run at the same time. */
const WORKER = new URL(`../../../build/jobs/jobs-worker-${process.pid}.js`, import.meta.url);

/** Bundles sources into one file, because Node's threads take no TypeScript. */
export async function bundleFile(input: string, file: URL, external: RegExp[] = []): Promise<void> {
  const bundle = await rolldown({
    input,
    external: [/^node:/, ...external],
    platform: "node",
    resolve: { conditionNames: ["@millrace/source", "node", "import"] },
    // The engine's own URLs of its worker and core mean nothing here.
    onLog: () => undefined,
  });
  await bundle.write({ file: fileURLToPath(file), format: "esm", codeSplitting: false });
  await bundle.close();
}

/** Bundles the jobs worker's sources. */
export async function bundleWorker(): Promise<void> {
  await bundleFile(SOURCE, WORKER);
  // What the first engine has to load counts in no test.
  await (await open({ name: "first", storage: "memory" })).close();
}

/** Removes the bundle. */
export async function removeWorker(): Promise<void> {
  await rm(WORKER, { force: true });
}

/** An engine that hosts jobs, and is closed after the test. */
export async function openHost(options: Partial<OpenOptions> = {}): Promise<Millrace> {
  return await openEngine({ jobs: true, jobsWorker: WORKER, ...options });
}

/** The definition of one of the tests' jobs, over stream `in`. */
export function job(name: string, more: Partial<JobDefinition> = {}): JobDefinition {
  const group = {
    streamName: "in",
    options: { from: "TRIM_HORIZON", failoverMs: 60_000 },
  } as const;
  return {
    ...{ module: JOBS_MODULE, export: name, group },
    ...{ settings: { to: "out" }, restart: { firstMs: 50, stallMs: 15_000 } },
    ...more,
  };
}

/** Makes the streams `in` and `out`. */
export async function makeStreams(engine: Millrace, shards = 1) {
  const input = await engine.streams.ensure("in", { shards });
  return { input, output: await engine.streams.ensure("out", { shards: 1 }) };
}

/** Waits until what is described is as wanted. */
export async function untilDescribed<Description>(
  describe: () => Promise<Description>,
  holds: (description: Description) => boolean,
  patienceMs?: number,
): Promise<Description> {
  let last: { readonly description: Description } | undefined;
  await until(async () => {
    last = { description: await describe() };
    return holds(last.description);
  }, patienceMs);
  if (last === undefined) throw new Error("nothing was described");
  return last.description;
}

/** Waits until a job is described as wanted. */
export async function untilJob(
  engine: Millrace,
  name: string,
  holds: (job: JobDescription) => boolean,
): Promise<JobDescription> {
  return await untilDescribed(() => engine.jobs.describe(name), holds);
}

/** Waits until the stream `out` holds so many records, and gives all their texts. */
export async function untilOut(engine: Millrace, records: number): Promise<string[]> {
  const output = await engine.streams.get("out");
  let found: string[] = [];
  await until(async () => {
    found = (await readAll(output)).map((record) => record.text());
    return found.length >= records;
  });
  return found;
}
