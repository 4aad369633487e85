/** The pipelines of an engine whose stages are jobs. What they do is loaded when it is used. */
import type { EngineClient } from "@millrace/engine";
import type { Deployments } from "./deployments.ts";
import type { DeployedPipeline, PipelineDeployment, PipelineRemoval } from "./pipeline-types.ts";

/**
 * Pipelines that run beside the engine, in workers of their own, and are resumed by the page of the next leader. A
 * stage has the same group as with `millrace.pipeline()`, so that a pipeline moves from a page to jobs and back, and
 * each record counts once, also while both run.
 */
export class Pipelines {
  readonly #client: EngineClient;

  /** Made by `open`. */
  constructor(client: EngineClient) {
    this.#client = client;
  }

  /**
   * Loads the pipeline's module, creates the streams that its stages write and that there are not, and makes each
   * stage a job. Deployed again changed, the stages that went are deleted but for their groups, and the others begin
   * anew; the same again changes nothing. One that was stopped with `jobs.stop()` stays so.
   *
   * @throws InvalidArgumentError for a module that cannot be loaded or exports no pipeline, for stages that lead
   * back, or none; ResourceNotFoundError for a source that there is not; ResourceInUseError when another job or
   * another stream's group has a stage's name.
   */
  async deploy(name: string, definition: PipelineDeployment): Promise<DeployedPipeline> {
    return await (await this.#deployments()).deploy(name, definition);
  }

  /** Names of all pipelines with a stage that is a job. */
  async list(): Promise<string[]> {
    return await (await this.#deployments()).list();
  }

  /** A pipeline as a graph, with its jobs and how far each stage is. @throws ResourceNotFoundError. */
  async describe(name: string): Promise<DeployedPipeline> {
    return await (await this.#deployments()).describe(name);
  }

  /**
   * Deletes the jobs of a pipeline; the streams stay. Workers finish the delivery under way first, within 10 s
   * after this resolves. @throws ResourceNotFoundError.
   */
  async remove(name: string, options: PipelineRemoval = {}): Promise<void> {
    await (await this.#deployments()).remove(name, options);
  }

  async #deployments(): Promise<Deployments> {
    const { Deployments } = await import("./deployments.ts");
    return new Deployments(this.#client);
  }
}
