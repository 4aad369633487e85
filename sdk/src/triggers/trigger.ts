/** A stream trigger: Lambda's event source mapping, with the handler in this thread. */
import type { EngineClient, GroupDescription, StreamDescription } from "@millrace/engine";
import { refuse } from "../check.ts";
import { type ConsumerGroup, openGroup } from "../groups/consumer-group.ts";
import type { GroupWorker } from "../groups/group-worker.ts";
import { type EventOfKind, Listeners } from "../listeners.ts";
import { EventMaker } from "./lambda-event.ts";
import { ShardTrigger } from "./shard-trigger.ts";
import {
  checkTriggerOptions,
  type TriggerSettings,
  triggerWorkerOptions,
} from "./trigger-settings.ts";
import type {
  LambdaHandler,
  TriggerEvent,
  TriggerMetrics,
  TriggerOptions,
} from "./trigger-types.ts";

const KINDS = [
  "invoked",
  "invocation-failed",
  "batch-discarded",
  "checkpoint-failed",
] as const satisfies readonly TriggerEvent["kind"][];

/** Kinds of events: see `TriggerEvent`. */
export type TriggerEventKind = TriggerEvent["kind"];

/** Events of one kind. */
export type TriggerEventOf<Kind extends TriggerEventKind> = EventOfKind<TriggerEvent, Kind>;

/** A trigger as it is. */
export interface TriggerDescription {
  readonly name: string;
  readonly streamName: string;
  /** The group that keeps its checkpoints: lag and iterator age by shard. */
  readonly group: GroupDescription;
  readonly metrics: TriggerMetrics;
}

/** See above. Stop it before the engine is closed. */
export class Trigger {
  readonly #settings: TriggerSettings;
  readonly #listeners = new Listeners<TriggerEvent>(KINDS);
  readonly #counts = { invocations: 0, failures: 0, records: 0, filtered: 0, discarded: 0 };
  /** The consumer group that keeps its checkpoints. */
  readonly group: ConsumerGroup;
  /** The group's worker here: its leases, and its events. */
  readonly worker: GroupWorker;

  /** Made by `stream.trigger()`; begins at once. */
  constructor(
    client: EngineClient,
    stream: StreamDescription,
    { handler, settings, group, options }: TriggerStart,
  ) {
    this.#settings = settings;
    this.group = group;
    const shared = {
      ...{ client, stream, settings, handler, events: new EventMaker(stream) },
      tell: (event: TriggerEvent) => this.#tell(event),
      onFiltered: (count: number) => {
        this.#counts.filtered += count;
      },
    };
    const { workerId, signal } = options;
    this.worker = group.start(() => new ShardTrigger(shared), {
      ...triggerWorkerOptions(settings, options),
      ...(workerId === undefined ? {} : { workerId }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** As it was given. */
  get name(): string {
    return this.#settings.name;
  }

  /** Whether it has stopped. */
  get closed(): boolean {
    return this.worker.closed;
  }

  /** See `GroupWorker.finished`. */
  get finished(): Promise<void> {
    return this.worker.finished;
  }

  /** What it has done in this thread since it was started. */
  get metrics(): TriggerMetrics {
    return { ...this.#counts };
  }

  /** How far it is, over all threads. @throws ResourceNotFoundError when its group was deleted. */
  async describe(): Promise<TriggerDescription> {
    const group = await this.group.describe();
    return { name: this.name, streamName: this.group.streamName, group, metrics: this.metrics };
  }

  /** Calls back with every event of one kind from now on. Returns how to end that. @throws InvalidArgumentError. */
  on<Kind extends TriggerEventKind>(
    kind: Kind,
    listener: (event: TriggerEventOf<Kind>) => void,
  ): () => void {
    return this.#listeners.on(kind, listener);
  }

  /**
   * Stops it: invocations under way are awaited and what they did is checkpointed. With `graceful: false` they
   * are not, and their records come again.
   */
  async stop(options: { readonly graceful?: boolean } = {}): Promise<void> {
    await this.worker.stop(options);
  }

  /** Stops it and deletes its group with all checkpoints. */
  async delete(): Promise<void> {
    await this.stop();
    await this.group.delete();
  }

  #tell(event: TriggerEvent): void {
    const counts = this.#counts;
    if (event.kind === "invoked") {
      counts.invocations += 1;
      counts.records += event.records;
    } else if (event.kind === "invocation-failed") {
      counts.invocations += 1;
      counts.failures += 1;
      counts.records += event.doneCount;
    } else if (event.kind === "batch-discarded") counts.discarded += event.records;
    this.#listeners.tell(event);
  }
}

/** What a trigger is started with. */
interface TriggerStart {
  readonly handler: LambdaHandler;
  readonly settings: TriggerSettings;
  readonly group: ConsumerGroup;
  readonly options: TriggerOptions;
}

/**
 * Starts a trigger. @throws InvalidArgumentError; ResourceInUseError when a group of another stream has its
 * name; ResourceNotFoundError for the stream of `onFailure`.
 */
export async function openTrigger(
  client: EngineClient,
  stream: StreamDescription,
  handler: LambdaHandler,
  options: TriggerOptions,
): Promise<Trigger> {
  if (typeof handler !== "function") refuse("handler", "a function", handler, "function");
  const settings = checkTriggerOptions(options, stream);
  const { failureStream: name } = settings;
  if (name !== undefined) await client.call("describeStream", { name });
  const { startingPosition: from, failoverMs } = options;
  const group = await openGroup(client, stream, settings.name, {
    ...(from === undefined ? {} : { from }),
    ...(failoverMs === undefined ? {} : { failoverMs }),
  });
  return new Trigger(client, stream, { handler, settings, group, options });
}
