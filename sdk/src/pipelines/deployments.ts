/** Pipelines whose stages are jobs: made, changed, described and removed. */
import {
  type EngineClient,
  InvalidArgumentError,
  ResourceInUseError,
  ResourceNotFoundError,
} from "@millrace/engine";
import { checkBoolean, checkMembers, checkName, refuse, show } from "../check.ts";
import { JobDirectory } from "../jobs/job-directory.ts";
import { checkExport, checkJob, checkModule } from "../jobs/job-settings.ts";
import type { JobDefinition, JobSummary } from "../jobs/job-types.ts";
import { isPipelineDefinition, type PipelineDefinition } from "./define-pipeline.ts";
import type { DeployedPipeline, PipelineDeployment, PipelineRemoval } from "./pipeline-types.ts";
import { checkGraph, nodesOf, type Stage } from "./stage-graph.ts";
import { deleteGroups, describeEdge, groupOptions, openStages } from "./stage-groups.ts";
import { StageList } from "./stage-list.ts";
import { readStageSettings, type StageSettings, settingsOf } from "./stage-settings.ts";

const WORKER_MEMBERS = [
  ...["batchRecordsMax", "reads", "attemptsMax", "retryMs", "deadLetter", "processMsMax"],
];

/** A stage as it was deployed. */
interface StageJob {
  readonly job: JobSummary;
  readonly settings: StageSettings;
}

/** The pipelines of one engine that run as jobs, whoever hosts them. */
export class Deployments {
  readonly #client: EngineClient;
  readonly #jobs: JobDirectory;

  constructor(client: EngineClient) {
    this.#client = client;
    this.#jobs = new JobDirectory(client);
  }

  /** See `Pipelines.deploy`. */
  async deploy(name: string, deployment: PipelineDeployment): Promise<DeployedPipeline> {
    checkMembers("definition", deployment, [
      ...["module", "export", "worker", "failoverMs", "workers", "restart"],
    ]);
    checkMembers("definition.worker", deployment.worker ?? {}, WORKER_MEMBERS);
    const list = new StageList(name);
    const module = checkModule(deployment.module);
    const definition = await loadDefinition(module, checkExport(deployment.export ?? "default"));
    await definition.build(list);
    checkGraph(list.stages);
    const jobs = list.stages.map((stage) => {
      const job = jobOf(name, stage, { ...deployment, module });
      // Before anything is made.
      checkJob(stage.groupName, job);
      return { jobName: stage.groupName, job };
    });
    const before = await this.#before(name, list.stages);
    await openStages(this.#client, list.stages, deployment.failoverMs);
    const names = new Set(jobs.map(({ jobName }) => jobName));
    await this.#deleteJobs(before.filter((one) => !names.has(one)));
    for (const { jobName, job } of jobs) await this.#jobs.define(jobName, job);
    return await this.describe(name);
  }

  /** See `Pipelines.list`. */
  async list(): Promise<string[]> {
    const names = (await this.#stageJobs()).map(({ settings }) => settings.pipeline);
    return [...new Set(names)].sort();
  }

  /** See `Pipelines.describe`. */
  async describe(name: string): Promise<DeployedPipeline> {
    const stages = await this.#require(name);
    const edges = await Promise.all(
      stages.map(async ({ job, settings: { stage, to, operators } }) => {
        const { streamName: from, groupName } = job;
        const edge = { stage, from, to, operators, groupName };
        return { ...(await describeEdge(this.#client, edge)), job };
      }),
    );
    return { name, nodes: nodesOf(edges), edges };
  }

  /** See `Pipelines.remove`. */
  async remove(name: string, options: PipelineRemoval): Promise<void> {
    checkMembers("options", options, ["groups"]);
    const groups = checkBoolean("options.groups", options.groups ?? false);
    const jobs = (await this.#require(name)).map(({ job }) => job);
    await this.#deleteJobs(jobs.map((job) => job.name));
    if (!groups) return;
    const names = jobs.map(({ groupName }) => groupName);
    await deleteGroups(this.#client, names);
  }

  /** Names of the jobs that are stages of a pipeline already. @throws ResourceInUseError for one that is none. */
  async #before(pipeline: string, stages: readonly Stage[]): Promise<string[]> {
    const own = (await this.#stageJobs(pipeline)).map(({ job }) => job.name);
    const wanted = new Set(stages.map(({ groupName }) => groupName));
    for (const { name } of await this.#jobs.list()) {
      if (!wanted.has(name) || own.includes(name)) continue;
      throw new ResourceInUseError(`there is a job ${name}, and it is no stage of ${pipeline}`, {
        ...{ argument: "name", value: name },
      });
    }
    return own;
  }

  /** The stages of a pipeline, by name. @throws ResourceNotFoundError. */
  async #require(name: string): Promise<StageJob[]> {
    checkName("name", name);
    const found = await this.#stageJobs(name);
    if (found.length > 0) return found;
    throw new ResourceNotFoundError(`no stage of a pipeline ${name} is a job`, {
      ...{ argument: "name", value: name },
    });
  }

  /** All jobs that are stages, or those of one pipeline. */
  async #stageJobs(pipeline?: string): Promise<StageJob[]> {
    return (await this.#jobs.list()).flatMap((job) => {
      const settings = readStageSettings(job.settings);
      if (settings === undefined || job.name !== `${settings.pipeline}.${settings.stage}`)
        return [];
      return pipeline === undefined || pipeline === settings.pipeline ? [{ job, settings }] : [];
    });
  }

  /** None of them needs to be there: another tab may remove the same ones. */
  async #deleteJobs(names: readonly string[]): Promise<void> {
    for (const name of names) {
      try {
        await this.#jobs.delete(name);
      } catch (error) {
        if (!(error instanceof ResourceNotFoundError)) throw error;
      }
    }
  }
}

/** The job of a stage. */
function jobOf(pipeline: string, stage: Stage, deployment: PipelineDeployment): JobDefinition {
  const { failoverMs, worker = {}, ...rest } = deployment;
  const { groupName: name, from: streamName } = stage;
  return {
    ...rest,
    settings: settingsOf(pipeline, stage),
    group: { streamName, name, options: groupOptions(stage, failoverMs) },
    worker: { ...worker, checkpoints: "manual" },
  };
}

/** What a module exports, loaded here, where its functions are not called. @throws InvalidArgumentError. */
async function loadDefinition(module: string, exportName: string): Promise<PipelineDefinition> {
  let loaded: Record<string, unknown>;
  try {
    loaded = await import(/* @vite-ignore */ /* webpackIgnore: true */ module);
  } catch (cause) {
    const limit = "a module that can be loaded";
    throw new InvalidArgumentError(`definition.module must be ${limit}, but ${show(cause)}`, {
      ...{ argument: "definition.module", value: show(module), limit, cause },
    });
  }
  const exported = loaded[exportName];
  if (isPipelineDefinition(exported)) return exported;
  const must = "the name of an export that definePipeline made";
  return refuse("definition.export", must, exportName, "what definePipeline answers with");
}
