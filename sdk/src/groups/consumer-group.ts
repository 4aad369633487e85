/** A consumer group of a stream: described, worked on, set back and deleted. */
import {
  type EngineClient,
  type GroupDefinition,
  type GroupDescription,
  ResourceInUseError,
  ResourceNotFoundError,
  type StreamDescription,
} from "@millrace/engine";
import { checkMembers, checkName, refuse } from "../check.ts";
import { startEngineWorker } from "./engine-backend.ts";
import { forgetConsumer } from "./fan-out-reader.ts";
import {
  checkResetOptions,
  checkSpan,
  type ResetOptions,
  toGroupPosition,
} from "./group-options.ts";
import { GroupReader, refuseProcessorOptions } from "./group-reader.ts";
import type { GroupOptions, GroupStart, WorkerOptions } from "./group-types.ts";
import type { GroupWorker, ProcessorFactory } from "./group-worker.ts";
import { checkWorkerOptions } from "./worker-settings.ts";

export type { ResetOptions } from "./group-options.ts";

/** Options of a worker that is a loop. */
export type GroupReadOptions = Omit<WorkerOptions, "attemptsMax" | "retryMs" | "deadLetter">;

/** See above. */
export class ConsumerGroup {
  readonly #client: EngineClient;
  readonly #stream: StreamDescription;
  /** As it was created. */
  readonly definition: GroupDefinition;

  /** Made by `stream.group()` and `millrace.groups.get()`. */
  constructor(client: EngineClient, stream: StreamDescription, definition: GroupDefinition) {
    this.#client = client;
    this.#stream = stream;
    this.definition = definition;
  }

  /** Unique in its engine. */
  get name(): string {
    return this.definition.name;
  }

  /** The stream that it reads. */
  get streamName(): string {
    return this.definition.streamName;
  }

  /**
   * The group as it is: leases with their checkpoints as sequence numbers, lag and iterator age, and the workers.
   * @throws ResourceNotFoundError when it was deleted.
   */
  async describe(): Promise<GroupDescription> {
    return await this.#client.call("groupsDescribe", { name: this.name });
  }

  /**
   * Starts a worker, which takes its part of the leases and makes a processor for each.
   * @throws InvalidArgumentError.
   */
  start(factory: ProcessorFactory, options: WorkerOptions = {}): GroupWorker {
    if (typeof factory !== "function") refuse("factory", "a function", factory, "function");
    const settings = checkWorkerOptions(options);
    const group = { client: this.#client, stream: this.#stream, groupName: this.name };
    return startEngineWorker(group, settings, factory);
  }

  /**
   * Works as a loop: batches of all shards whose leases the worker gets, one at a time. Unless checkpoints are
   * "manual", a batch is checkpointed when the next one is asked for; one that the loop is left at comes again.
   *
   * @throws InvalidArgumentError at once; from the loop the signal's reason and what ends a worker.
   */
  read(options: GroupReadOptions = {}): GroupReader {
    const settings = checkWorkerOptions(options);
    refuseProcessorOptions(options);
    return new GroupReader((factory) => this.start(factory, { ...options }), settings.signal);
  }

  /**
   * Sets the group, or its lease of one shard, back to a position; the processors' state goes, too.
   * @throws ResourceInUseError when a worker owns one of the leases, unless `force` is true;
   * ResourceNotFoundError, InvalidArgumentError.
   */
  async reset(from: GroupStart, options: ResetOptions = {}): Promise<void> {
    const { shardId, force } = checkResetOptions(options);
    await this.#client.call("groupsReset", {
      ...{ name: this.name, position: toGroupPosition(from), force },
      ...(shardId === undefined ? {} : { shardId }),
    });
  }

  /** Deletes the group with its leases and state; its workers end. @throws ResourceNotFoundError. */
  async delete(): Promise<void> {
    await this.#client.call("groupsDelete", { name: this.name });
    try {
      await forgetConsumer(this.#client, this.#stream, this.name);
    } catch (error) {
      // The stream's consumers went with it.
      if (!(error instanceof ResourceNotFoundError)) throw error;
    }
  }
}

/** How the group of a replica is opened. */
export interface ReplicaGroupOptions extends GroupOptions {
  /** The stream elsewhere that its workers copy into this one, as text. */
  readonly replicaOf?: string;
}

/**
 * The group of that name, created when there is none. A group that is there stays as it was created.
 * @throws ResourceInUseError when it is another stream's, and when another group is the replica of the same stream;
 * InvalidArgumentError, ResourceNotFoundError.
 */
export async function openGroup(
  client: EngineClient,
  stream: StreamDescription,
  name: string,
  options: ReplicaGroupOptions = {},
): Promise<ConsumerGroup> {
  checkName("name", name);
  checkMembers("options", options, ["from", "failoverMs", "handOverMs", "replicaOf"]);
  const { from = "LATEST", failoverMs, handOverMs, replicaOf } = options;
  const spec = {
    ...{ name, streamName: stream.name, startingPosition: toGroupPosition(from) },
    ...(replicaOf === undefined ? {} : { replicaOf }),
    ...(failoverMs === undefined ? {} : { failoverMs: checkSpan("failoverMs", failoverMs) }),
    ...(handOverMs === undefined ? {} : { handOverMs: checkSpan("handOverMs", handOverMs) }),
  };
  try {
    return new ConsumerGroup(client, stream, await client.call("groupsCreate", spec));
  } catch (error) {
    // Only of another replica it says a limit; then nobody is to go on with a group that happens to be there.
    if (!(error instanceof ResourceInUseError) || error.limit !== undefined) throw error;
    const found = await findGroup(client, name);
    if (found?.streamUid !== stream.uid) throw error;
    return new ConsumerGroup(client, stream, found);
  }
}

/** An existing group. @throws ResourceNotFoundError, InvalidArgumentError. */
export async function getGroup(client: EngineClient, name: string): Promise<ConsumerGroup> {
  checkName("name", name);
  const { definition } = await client.call("groupsDescribe", { name });
  const stream = await client.call("describeStream", { name: definition.streamName });
  return new ConsumerGroup(client, stream, definition);
}

async function findGroup(client: EngineClient, name: string): Promise<GroupDefinition | undefined> {
  const groups = await client.call("groupsList", {});
  return groups.find((group) => group.name === name);
}
