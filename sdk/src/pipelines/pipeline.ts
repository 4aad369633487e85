/** A pipeline: stages from stream to stream, each a consumer group whose epochs hold what it puts out. */
import { type EngineClient, ResourceInUseError } from "@millrace/engine";
import { checkMembers } from "../check.ts";
import { WORKER_EVENT_KINDS } from "../groups/group-types.ts";
import type { GroupWorker } from "../groups/group-worker.ts";
import { Listeners } from "../listeners.ts";
import type { PipelineBuilder } from "./define-pipeline.ts";
import type { Flow } from "./flow.ts";
import type {
  PipelineDescription,
  PipelineEvent,
  PipelineStartOptions,
  SourceOptions,
} from "./pipeline-types.ts";
import { edgeOf, nodesOf } from "./stage-graph.ts";
import { deleteGroups, describeEdge, openStages } from "./stage-groups.ts";
import { StageList } from "./stage-list.ts";
import { StageProcessor } from "./stage-processor.ts";

const START_MEMBERS = [
  ...["workerId", "batchRecordsMax", "reads", "attemptsMax", "retryMs", "deadLetter"],
  ...["processMsMax", "signal", "failoverMs"],
];

/** See above. Its stages are written down with {@link from}; stop it before the engine is closed. */
export class Pipeline implements PipelineBuilder {
  readonly #client: EngineClient;
  readonly #list: StageList;
  readonly #listeners = new Listeners<PipelineEvent>(WORKER_EVENT_KINDS);
  #workers: readonly GroupWorker[] | undefined;
  /** A start that is under way, and how it is kept from starting workers. */
  #starting: { readonly settled: Promise<unknown>; readonly ending: AbortController } | undefined;

  /** Made by `millrace.pipeline()`. @throws InvalidArgumentError. */
  constructor(client: EngineClient, name: string) {
    this.#client = client;
    this.#list = new StageList(name);
  }

  /** Unique in its engine, without a dot: what stands before the first one in its groups' names. */
  get name(): string {
    return this.#list.name;
  }

  /** Whether it runs in this thread. */
  get running(): boolean {
    return this.#workers?.some(({ closed }) => !closed) === true;
  }

  /** Resolves when all stages have stopped. Rejects with what ended one of them otherwise. */
  get finished(): Promise<void> {
    return Promise.all((this.#workers ?? []).map((one) => one.finished)).then(() => undefined);
  }

  /**
   * Begins a flow at a stream. One that stages of the pipeline write is read from its beginning in their format.
   * @throws InvalidArgumentError.
   */
  from<Value = unknown>(streamName: string, options: SourceOptions = {}): Flow<Value> {
    return this.#list.from(streamName, options);
  }

  /**
   * Creates the streams that stages write and that there are not, and starts a worker for each stage, which goes
   * on from its checkpoint. Stopped meanwhile, it starts no worker.
   *
   * @throws InvalidArgumentError for stages that lead back, or none, and for an aggregation of a stream whose
   * distribution is AUTO; ResourceNotFoundError for a source that there is not; ResourceInUseError when it runs,
   * or another stream has a group of a stage's name.
   */
  async start(options: PipelineStartOptions = {}): Promise<void> {
    checkMembers("options", options, START_MEMBERS);
    if (this.#starting !== undefined || this.running) {
      throw new ResourceInUseError(`pipeline ${this.name} is running`, {
        ...{ argument: "pipeline", value: this.name },
      });
    }
    const ending = new AbortController();
    const started = this.#start(options, ending.signal);
    this.#starting = { settled: started.catch(() => undefined), ending };
    try {
      await started;
    } finally {
      this.#starting = undefined;
    }
  }

  async #start(
    { failoverMs, ...options }: PipelineStartOptions,
    ending: AbortSignal,
  ): Promise<void> {
    const groups = await openStages(this.#client, this.#list.stages, failoverMs);
    if (ending.aborted) return;
    this.#workers = groups.map(({ stage, group }) => {
      const factory = ({ shardId }: { readonly shardId: string }) =>
        new StageProcessor(this.#client, stage, shardId);
      const worker = group.start(factory, { ...options, checkpoints: "manual" });
      const told = { stage: stage.name };
      for (const kind of WORKER_EVENT_KINDS) {
        worker.on(kind, (event) => this.#listeners.tell({ ...event, ...told }));
      }
      return worker;
    });
  }

  /**
   * Stops all stages, also while they are being started; see `GroupWorker.stop`. What is not processed waits for
   * the next start.
   */
  async stop(options: { readonly graceful?: boolean } = {}): Promise<void> {
    this.#starting?.ending.abort();
    await this.#starting?.settled;
    await Promise.all((this.#workers ?? []).map((worker) => worker.stop(options)));
  }

  /** Stops it and deletes its groups with checkpoints and state; the streams stay. */
  async delete(): Promise<void> {
    await this.stop();
    const names = this.#list.stages.map(({ groupName }) => groupName);
    await deleteGroups(this.#client, names);
  }

  /** The pipeline as a graph, with how far each stage is over all threads. */
  async describe(): Promise<PipelineDescription> {
    const { stages } = this.#list;
    const edges = await Promise.all(
      stages.map((stage) => describeEdge(this.#client, edgeOf(stage))),
    );
    const { name, running } = this;
    return { name, running, nodes: nodesOf(stages), edges };
  }

  /** Calls back with every event of all stages' workers from now on. Returns how to end that. */
  onEvent(listener: (event: PipelineEvent) => void): () => void {
    const ends = WORKER_EVENT_KINDS.map((kind) => this.#listeners.on(kind, listener));
    return () => {
      for (const end of ends) end();
    };
  }
}
