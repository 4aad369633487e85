/** One stage of a pipeline in its jobs worker, as the pipeline's module writes it down there. */
import { InvalidArgumentError } from "@millrace/engine";
import { show } from "../check.ts";
import type { JobInside } from "../jobs/job-inside.ts";
import type { JobParts } from "../jobs/job-types.ts";
import type { PipelineDefinition } from "./define-pipeline.ts";
import { checkGraph, type Stage } from "./stage-graph.ts";
import { StageList } from "./stage-list.ts";
import { StageProcessor } from "./stage-processor.ts";
import { checkStageSettings, type StageSettings } from "./stage-settings.ts";

/**
 * Makes the job of the stage that its settings name. @throws InvalidArgumentError when the module writes down no such
 * stage, or one between other streams than when the pipeline was deployed.
 */
export async function pipelineJob(
  definition: PipelineDefinition,
  { client, context, group }: JobInside,
): Promise<JobParts> {
  const settings = checkStageSettings(context.settings);
  const list = new StageList(settings.pipeline);
  await definition.build(list);
  checkGraph(list.stages);
  const stage = stageOf(list, settings, group.streamName);
  return {
    factory: ({ shardId }) => new StageProcessor(client, stage, shardId),
    // Its epochs are its checkpoints, whatever the job's definition says.
    worker: { checkpoints: "manual" },
  };
}

function stageOf({ name, stages }: StageList, settings: StageSettings, from: string): Stage {
  const stage = stages.find((one) => one.name === settings.stage);
  if (stage === undefined) {
    const limit = stages.map((one) => one.name).join(", ");
    throw new InvalidArgumentError(
      `the module's pipeline ${name} has no stage ${show(settings.stage)}; it has ${limit}`,
      { argument: "settings.stage", value: show(settings.stage), limit },
    );
  }
  if (stage.from === from && stage.to === settings.to) return stage;
  const [value, limit] = [`${from} to ${settings.to}`, `${stage.from} to ${stage.to}`];
  throw new InvalidArgumentError(
    `stage ${stage.name} was deployed from ${value}, and the module has it from ${limit}: deploy it again`,
    { argument: "settings.to", value, limit },
  );
}
