/** A pipeline as a module exports it, so that the page and its jobs workers write down the same stages. */
import type { Flow } from "./flow.ts";
import type { SourceOptions } from "./pipeline-types.ts";

const KIND = "millrace:pipeline";

/** What stages are written down with: a pipeline of the page, or one that is to be deployed. */
export interface PipelineBuilder {
  /** See `Pipeline.from`. */
  from<Value = unknown>(streamName: string, options?: SourceOptions): Flow<Value>;
}

/** What `definePipeline` answers with. */
export interface PipelineDefinition {
  readonly kind: typeof KIND;
  /** Writes the stages down. Called in the page and in every jobs worker: it must write the same ones each time. */
  build(pipeline: PipelineBuilder): unknown;
}

/**
 * Stages for `millrace.pipelines.deploy()`, to be exported by a module. The same definition runs in a page as
 * `definition.build(await millrace.pipeline(name))` and `start()`.
 */
export function definePipeline(build: PipelineDefinition["build"]): PipelineDefinition {
  return { kind: KIND, build };
}

/** Whether a module's export is a pipeline. */
export function isPipelineDefinition(exported: unknown): exported is PipelineDefinition {
  if (typeof exported !== "object" || exported === null) return false;
  const { kind, build } = exported as Partial<PipelineDefinition>;
  return kind === KIND && typeof build === "function";
}
