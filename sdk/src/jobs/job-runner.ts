/** A job in its worker: joins the engine, loads the job's module and works for its group until it is told to stop. */
import {
  type EngineClient,
  type JsonValue,
  openAttached,
  ResourceInUseError,
  systemClock,
  type Wire,
  withDeadline,
} from "@millrace/engine";
import { type ConsumerGroup, getGroup } from "../groups/consumer-group.ts";
import type { WorkerOptions } from "../groups/group-types.ts";
import type { GroupWorker, ProcessorFactory } from "../groups/group-worker.ts";
import { Streams } from "../streams.ts";
import { countingFactory } from "./counting-factory.ts";
import { declaredJob } from "./declared-job.ts";
import type { BegunJob, SelfStartingJob, StartGroupWorker } from "./job-inside.ts";
import {
  errorText,
  type HostMessage,
  isJobMessage,
  type JobMessage,
  type JobOrder,
} from "./job-messages.ts";
import type { JobContext, JobModule, JobParts } from "./job-types.ts";

/** How long a module may take to load and to begin, in ms. */
const BEGIN_MS_MAX = 30_000;

/** What a worker has of its surroundings. */
export interface JobSurroundings {
  /** To the page. */
  readonly wire: Wire;
  /** Holds a lock for as long as the worker lives; resolves once it has it, with false where there are none. */
  holdLock(name: string): Promise<boolean>;
  /** Bytes that the worker's memory holds; undefined where the worker is not told. */
  memoryBytes(): number | undefined;
}

/** See above. */
export class JobRunner {
  readonly #surroundings: JobSurroundings;
  readonly #ending = new AbortController();
  #client: EngineClient | undefined;
  #streams: Streams | undefined;
  /** Ends what the module made, or its work once that has begun. */
  #stopJob: BegunJob["stop"] = async () => undefined;
  #begun = false;
  #records = 0;

  /** Waits for the page's order. */
  constructor(surroundings: JobSurroundings) {
    this.#surroundings = surroundings;
    surroundings.wire.listen((message) => {
      if (isJobMessage(message)) this.#take(message as HostMessage);
    });
  }

  /** Something failed that nobody caught. */
  failed(error: unknown): void {
    this.#tell({ millraceJob: "error", message: errorText(error), fatal: true });
  }

  #take(message: HostMessage): void {
    if (message.millraceJob === "stop") {
      this.#stop().then(
        () => this.#tell({ millraceJob: "stopped" }),
        (error: unknown) => this.failed(error),
      );
    } else if (!this.#begun) {
      this.#begun = true;
      this.#run(message.order).catch((error: unknown) => {
        if (!this.#ending.signal.aborted) this.failed(error);
      });
    }
  }

  async #run(order: JobOrder): Promise<void> {
    const { wire, holdLock } = this.#surroundings;
    const { spec, workerId, engineName, inTurn } = order;
    this.#beat(order.beatMs);
    if (await holdLock(order.life)) this.#tell({ millraceJob: "alive" });
    const client = await openAttached(engineName, wire, { signal: this.#ending.signal });
    this.#client = client;
    this.#streams = new Streams(client, inTurn);
    const late = (): Error => new Error(`the job did not begin within ${BEGIN_MS_MAX} ms`);
    const making = this.#make(order, client, this.#streams);
    const made = await withDeadline(client.clock, BEGIN_MS_MAX, making, late);
    if ("factory" in made) this.#stopJob = async () => await made.stop?.();
    // A module may have made the stream that its group is to read.
    const group = await findGroup(client, spec.group);
    if (this.#ending.signal.aborted) return;
    const start: StartGroupWorker = (factory, options) =>
      this.#start(group, factory, { ...options, workerId });
    const job = "factory" in made ? this.#work(made, spec, start) : await made.begin(group, start);
    this.#stopJob = () => job.stop();
    this.#tell({ millraceJob: "running" });
    await job.finished;
    if (!this.#ending.signal.aborted) throw new Error("the group's worker stopped");
  }

  /** Starts a worker of the group whose records count, and of which is told what is tried again. */
  #start(group: ConsumerGroup, factory: ProcessorFactory, options: WorkerOptions): GroupWorker {
    const counting = countingFactory(factory, (records) => {
      this.#records += records;
    });
    const worker = group.start(counting, options);
    worker.on("processing-failed", ({ error }) => this.#noteFailure(error));
    return worker;
  }

  /** Has processors work that others make. */
  #work(parts: JobParts, spec: JobOrder["spec"], start: StartGroupWorker): BegunJob {
    // The definition's options were checked when the job was defined.
    const worker = start(parts.factory, { ...spec.worker, ...parts.worker });
    worker.on("stalled", ({ shardId, elapsedMs }) =>
      this.failed(new Error(`a delivery of ${shardId} did not end within ${elapsedMs} ms`)),
    );
    return {
      finished: worker.finished,
      stop: async () => {
        await worker.stop();
        await parts.stop?.();
      },
    };
  }

  /** Loads the module and has it make the job. */
  async #make(
    { spec, workerIndex }: JobOrder,
    client: EngineClient,
    streams: Streams,
  ): Promise<JobParts | SelfStartingJob> {
    const { module: url, exportName, name: jobName, group, worker } = spec;
    const loaded: Record<string, unknown> = await import(
      /* @vite-ignore */ /* webpackIgnore: true */ url
    );
    const make = loaded[exportName];
    const context: JobContext = {
      ...{ jobName, streams, workerIndex },
      settings: spec.settings as JsonValue,
      signal: this.#ending.signal,
      log: (text) => this.#tell({ millraceJob: "log", text: String(text) }),
    };
    if (typeof make !== "function") {
      const failed = (error: unknown): void => this.#noteFailure(error);
      const declared = await declaredJob(make, { client, context, group, worker, failed });
      if (declared !== undefined) return declared;
      throw new TypeError(`${url} exports no function "${exportName}"`);
    }
    const made = await (make as JobModule)(context);
    const parts: JobParts = typeof made === "function" ? { factory: made } : made;
    if (typeof parts?.factory === "function") return parts;
    throw new TypeError(
      `"${exportName}" of ${url} gave neither a factory of processors nor an object with one`,
    );
  }

  /** Processors stop first, then the job; what it put is sent before the way to the engine is closed. */
  async #stop(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort(new DOMException("the job is to stop", "AbortError"));
    await this.#stopJob();
    this.#streams?.flush();
    await this.#client?.close();
  }

  /** What is tried again. */
  #noteFailure(error: unknown): void {
    this.#tell({ millraceJob: "error", message: errorText(error), fatal: false });
  }

  #beat(everyMs: number): void {
    const { memoryBytes } = this.#surroundings;
    const beat = (): void => {
      this.#tell({ millraceJob: "beat", records: this.#records, memoryBytes: memoryBytes() });
      systemClock.after(everyMs, beat);
    };
    beat();
  }

  #tell(message: JobMessage): void {
    this.#surroundings.wire.post(message);
  }
}

/** The job's group, which is made again when it was deleted. */
async function findGroup(client: EngineClient, spec: JobOrder["spec"]["group"]) {
  try {
    await client.call("groupsCreate", spec);
  } catch (error) {
    // It is there with other options, which count.
    if (!(error instanceof ResourceInUseError)) throw error;
  }
  const group = await getGroup(client, spec.name);
  if (group.streamName === spec.streamName) return group;
  throw new ResourceInUseError(`Consumer group ${spec.name} is one of ${group.streamName}.`, {
    argument: "streamName",
    value: spec.streamName,
  });
}
