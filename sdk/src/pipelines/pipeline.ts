/** A pipeline: stages from stream to stream, each a consumer group whose epochs hold what it puts out. */
import {
  type EngineClient,
  type GroupDescription,
  ResourceInUseError,
  ResourceNotFoundError,
  type StreamDescription,
} from "@millrace/engine";
import { checkInteger, checkMembers, checkName, checkOneOf, refuse } from "../check.ts";
import { getGroup, openGroup } from "../groups/consumer-group.ts";
import type { WorkerEvent } from "../groups/group-types.ts";
import type { GroupWorker } from "../groups/group-worker.ts";
import { completeSpec } from "../stream-spec.ts";
import { Flow, type FlowStart, type StageEnd } from "./flow.ts";
import type { Operator } from "./operators.ts";
import type {
  PipelineDescription,
  PipelineEdge,
  PipelineEvent,
  PipelineStartOptions,
  RekeyOptions,
  SourceOptions,
} from "./pipeline-types.ts";
import { nodesOf, refuseCycles, type Stage } from "./stage-graph.ts";
import { StageProcessor } from "./stage-processor.ts";
import { VALUE_FORMATS } from "./value-format.ts";

const SHARDS_MAX = 500;
const START_MEMBERS = [
  ...["workerId", "batchRecordsMax", "reads", "attemptsMax", "retryMs", "deadLetter"],
  ...["processMsMax", "signal", "failoverMs"],
];
const KINDS = [
  ...(["lease-taken", "lease-lost", "shard-ended", "processing-failed"] as const),
  ...(["dead-letter", "aggregate-dropped", "stalled"] as const),
] satisfies readonly WorkerEvent["kind"][];

/** See above. Its stages are written down with {@link from}; stop it before the engine is closed. */
export class Pipeline {
  readonly #client: EngineClient;
  readonly #stages: Stage[] = [];
  readonly #listeners = new Set<(event: PipelineEvent) => void>();
  #betweenCount = 0;
  #workers: readonly GroupWorker[] | undefined;
  /** A start that is under way, and how it is kept from starting workers. */
  #starting: { readonly settled: Promise<unknown>; readonly ending: AbortController } | undefined;
  /** Unique in its engine, without a dot: what stands before the first one in its groups' names. */
  readonly name: string;

  /** Made by `millrace.pipeline()`. @throws InvalidArgumentError. */
  constructor(client: EngineClient, name: string) {
    this.#client = client;
    this.name = checkName("name", name);
    // Groups are called PIPELINE.STAGE, and stages may have dots: no two pipelines may share a group.
    if (name.includes(".")) refuse("name", "a name without a dot", name, "a-z, A-Z, 0-9, _ and -");
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
    checkName("streamName", streamName);
    checkMembers("options", options, ["format", "startingPosition"]);
    const { format = this.#formatOf(streamName), startingPosition = "TRIM_HORIZON" } = options;
    checkOneOf("options.format", format, VALUE_FORMATS);
    const builder = {
      add: (from: FlowStart, operators: readonly Operator[], to: StageEnd) =>
        this.#add(from, operators, to),
      between: (rekey: RekeyOptions) => this.#between(rekey),
    };
    return new Flow<Value>(builder, { streamName, format, position: startingPosition });
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
    if (this.#stages.length === 0) refuse("pipeline", "of one stage or more", "none", "1 or more");
    refuseCycles(this.#stages);
    const streams = new Map<string, StreamDescription>();
    for (const { streamName, role } of nodesOf(this.#stages)) {
      streams.set(streamName, await this.#stream(streamName, role === "source"));
    }
    const groups = [];
    for (const stage of this.#stages) {
      const stream = streams.get(stage.from);
      if (stream === undefined) continue;
      refuseScattered(stage, stream);
      const limited = failoverMs === undefined ? {} : { failoverMs };
      const settings = { from: stage.position, ...limited };
      const group = await openGroup(this.#client, stream, stage.groupName, settings);
      groups.push({ stage, group });
    }
    if (ending.aborted) return;
    this.#workers = groups.map(({ stage, group }) => {
      const factory = ({ shardId }: { readonly shardId: string }) =>
        new StageProcessor(this.#client, stage, shardId);
      const worker = group.start(factory, { ...options, checkpoints: "manual" });
      for (const kind of KINDS) worker.on(kind, (event) => this.#tell(stage.name, event));
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
    for (const { groupName } of this.#stages) {
      await unlessGone(async () => (await getGroup(this.#client, groupName)).delete());
      // A group whose stream is gone has no consumer to be deleted with.
      await unlessGone(() => this.#client.call("groupsDelete", { name: groupName }));
    }
  }

  /** The pipeline as a graph, with how far each stage is over all threads. */
  async describe(): Promise<PipelineDescription> {
    const edges = await Promise.all(this.#stages.map((stage) => this.#describeStage(stage)));
    const { name, running } = this;
    return { name, running, nodes: nodesOf(this.#stages), edges };
  }

  /** Calls back with every event of all stages' workers from now on. Returns how to end that. */
  onEvent(listener: (event: PipelineEvent) => void): () => void {
    if (typeof listener !== "function") refuse("listener", "a function", listener, "function");
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #describeStage(stage: Stage): Promise<PipelineEdge> {
    const { name, from, to, groupName, operators } = stage;
    const group = await this.#findGroup(groupName);
    const leases = group?.leases ?? [];
    return {
      ...{ stage: name, from, to, groupName, group },
      operators: operators.map(({ kind }) => kind),
      lagRecords: leases.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
      iteratorAgeMs: Math.max(0, ...leases.map(({ iteratorAgeMs }) => iteratorAgeMs)),
    };
  }

  async #findGroup(name: string): Promise<GroupDescription | undefined> {
    try {
      return await this.#client.call("groupsDescribe", { name });
    } catch (error) {
      if (error instanceof ResourceNotFoundError) return undefined;
      throw error;
    }
  }

  /** A stream of the pipeline, created when one of its stages writes it. @throws ResourceNotFoundError. */
  async #stream(name: string, source: boolean): Promise<StreamDescription> {
    try {
      return await this.#client.call("describeStream", { name });
    } catch (error) {
      if (source || !(error instanceof ResourceNotFoundError)) throw error;
    }
    const shards = Math.max(
      ...this.#stages.filter(({ to }) => to === name).map((one) => one.shards),
    );
    try {
      return await this.#client.call("createStream", completeSpec(name, { shards }));
    } catch (error) {
      // Another tab runs the same pipeline.
      if (!(error instanceof ResourceInUseError)) throw error;
      return await this.#client.call("describeStream", { name });
    }
  }

  #add(
    { streamName: from, format: fromFormat, position }: FlowStart,
    operators: readonly Operator[],
    end: StageEnd,
  ): FlowStart {
    checkMembers("options", end, ["streamName", "format", "shards", "stage"]);
    const to = checkName("streamName", end.streamName);
    const toFormat = checkOneOf("options.format", end.format ?? "json", VALUE_FORMATS);
    const shards = checkInteger("options.shards", end.shards ?? 1, 1, SHARDS_MAX);
    const name = checkName("options.stage", end.stage ?? `${from}-to-${to}`);
    const groupName = checkName("options.stage", `${this.name}.${name}`);
    if (this.#stages.some((stage) => stage.name === name)) {
      refuse("options.stage", "another one for each stage", name, "unique in its pipeline");
    }
    const reading = { from, fromFormat, position };
    this.#stages.push({ name, groupName, ...reading, to, toFormat, shards, operators });
    return { streamName: to, format: toFormat, position: "TRIM_HORIZON" };
  }

  #between(options: RekeyOptions): StageEnd {
    checkMembers("options", options, ["through", "shards"]);
    const { through, shards = 1 } = options;
    this.#betweenCount += 1;
    return { streamName: through ?? `${this.name}.keyed-${this.#betweenCount}`, shards };
  }

  #formatOf(streamName: string): Stage["toFormat"] {
    return this.#stages.find(({ to }) => to === streamName)?.toFormat ?? "json";
  }

  #tell(stage: string, event: WorkerEvent): void {
    // A listener that throws is an error of the application's, and not the pipeline's concern.
    for (const tell of this.#listeners) queueMicrotask(() => tell({ ...event, stage }));
  }
}

/** Records of a key must be together where they are aggregated. @throws InvalidArgumentError. */
function refuseScattered({ name, operators }: Stage, stream: StreamDescription): void {
  const aggregates = operators.some(({ kind }) => kind === "aggregate");
  if (!aggregates || stream.distribution !== "AUTO") return;
  const must = "by partition key for an aggregation, unless keyBy stands before it";
  refuse(`the distribution of ${stream.name}, which stage ${name} reads,`, must, "AUTO", "keyBy");
}

async function unlessGone(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ResourceNotFoundError)) throw error;
  }
}
