/** Jobs that the package makes itself of what a module exports: stages of pipelines, triggers, and replications. */
import { isPipelineDefinition } from "../pipelines/define-pipeline.ts";
import { pipelineJob } from "../pipelines/pipeline-job.ts";
import { isReplicationDefinition } from "../replication/define-replication.ts";
import { isTriggerDefinition } from "../triggers/define-trigger.ts";
import { triggerJob } from "../triggers/trigger-job.ts";
import type { JobInside, SelfStartingJob } from "./job-inside.ts";
import type { JobParts } from "./job-types.ts";

/** Makes the job of a module's export; undefined when that declares none. @throws what making it throws. */
export async function declaredJob(
  exported: unknown,
  inside: JobInside,
): Promise<JobParts | SelfStartingJob | undefined> {
  if (isPipelineDefinition(exported)) return await pipelineJob(exported, inside);
  if (isTriggerDefinition(exported)) return await triggerJob(exported, inside);
  if (isReplicationDefinition(exported)) {
    const { replicationJob } = await import("../replication/replication-job.ts");
    return replicationJob(exported, inside);
  }
  return undefined;
}
