/** Jobs that the package makes itself of what a module exports: stages of pipelines, and triggers. */
import { isPipelineDefinition } from "../pipelines/define-pipeline.ts";
import { pipelineJob } from "../pipelines/pipeline-job.ts";
import { isTriggerDefinition } from "../triggers/define-trigger.ts";
import { triggerJob } from "../triggers/trigger-job.ts";
import type { JobInside } from "./job-inside.ts";
import type { JobParts } from "./job-types.ts";

/** Makes the job of a module's export; undefined when that declares none. @throws what making it throws. */
export async function declaredJob(
  exported: unknown,
  inside: JobInside,
): Promise<JobParts | undefined> {
  if (isPipelineDefinition(exported)) return await pipelineJob(exported, inside);
  if (isTriggerDefinition(exported)) return await triggerJob(exported, inside);
  return undefined;
}
