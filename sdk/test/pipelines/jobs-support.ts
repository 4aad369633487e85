/** Pipelines as jobs in Node for the tests: the tests' modules bundled for threads, and ways to wait for stages. */
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { DeployedPipeline, DeployedStage, Millrace, PipelineDeployment } from "millrace";
import { rolldown } from "rolldown";
import { untilDescribed } from "../jobs/support.ts";

const SOURCE = fileURLToPath(new URL("pipeline-modules.ts", import.meta.url));
const PARENT = fileURLToPath(new URL("../../../build/jobs/", import.meta.url));
/** One per file of tests: they run at the same time. */
let folder = "";

/** Bundles the tests' pipelines, because Node's threads take no TypeScript. */
export async function bundlePipelines(): Promise<void> {
  await mkdir(PARENT, { recursive: true });
  folder = await mkdtemp(join(PARENT, "pipelines-"));
  const bundle = await rolldown({
    input: SOURCE,
    external: [/^node:/],
    platform: "node",
    resolve: { conditionNames: ["@millrace/source", "node", "import"] },
    onLog: () => undefined,
  });
  await bundle.write({ file: join(folder, "as it is.mjs"), format: "esm", codeSplitting: false });
  await bundle.close();
}

/** Removes the bundle and its copies. */
export async function removePipelines(): Promise<void> {
  await rm(folder, { force: true, recursive: true });
}

/**
 * The deployment of one of the tests' pipelines. `variant` says what the module does besides, as in `second=third`:
 * another one is another file, because the loader of the tests takes no query for another module.
 */
export async function deploymentOf(
  name: string,
  { variant, ...more }: Partial<PipelineDeployment> & { readonly variant?: string } = {},
): Promise<PipelineDeployment> {
  const file = join(folder, `${variant ?? "as it is"}.mjs`);
  if (variant !== undefined) await copyFile(join(folder, "as it is.mjs"), file);
  const restart = { firstMs: 10, longestMs: 50, stallMs: 15_000 };
  const module = pathToFileURL(file);
  return { module, export: name, failoverMs: 60_000, restart, ...more };
}

/** Waits until a pipeline is described as wanted. */
export async function untilPipeline(
  engine: Millrace,
  name: string,
  holds: (pipeline: DeployedPipeline) => boolean,
): Promise<DeployedPipeline> {
  return await untilDescribed(() => engine.pipelines.describe(name), holds, 60_000);
}

/** The stage of that name. */
export function stageOf({ edges }: DeployedPipeline, name: string): DeployedStage {
  const found = edges.find(({ stage }) => stage === name);
  if (found === undefined) throw new Error(`there is no stage ${name}`);
  return found;
}
