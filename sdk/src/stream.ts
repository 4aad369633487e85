/** One stream: what an application puts records into and reads them from. */
import {
  BackpressureError,
  type EngineClient,
  type PutRecord,
  type PutSuccess,
  type RecordBatch,
  type ShardDescription,
  type ShardMetrics,
  type StreamDescription,
  type StreamRecord,
  ThroughputExceededError,
} from "@millrace/engine";
import { BatchReader } from "./batch-reader.ts";
import { checkMembers } from "./check.ts";
import type { ConsumerGroup } from "./groups/consumer-group.ts";
import type { GroupOptions } from "./groups/group-types.ts";
import { LateIterator } from "./late-iterator.ts";
import type { ProducerOptions } from "./producer/options.ts";
import type { Producer } from "./producer/producer.ts";
import { PutRecordsResult } from "./put-records-result.ts";
import { checkReadOptions, type ReadOptions } from "./read-options.ts";
import type { RecordBatcher } from "./record-batcher.ts";
import { RecordReader } from "./record-reader.ts";
import type { ReplicateOptions, ReplicationRemote } from "./replication/replication-options.ts";
import type { Replication } from "./replication/replication-types.ts";
import type { MetricDatapoint, MetricOptions } from "./stream-control.ts";
import type { StreamConsumer, StreamLike } from "./stream-like.ts";
import {
  checkPutOptions,
  checkRecords,
  checkSubscribeOptions,
  type PutOptions,
  type SubscribeOptions,
} from "./stream-options.ts";
import type { StreamKeeping } from "./stream-spec.ts";
import type { Trigger } from "./triggers/trigger.ts";
import type { LambdaHandler, TriggerOptions } from "./triggers/trigger-types.ts";

/** Not part of what every page loads. */
const loadControl = () => import("./stream-control.ts");

const nameOfOnly = (): string => "record";

/** A stream of an open engine. */
export class Stream implements StreamLike {
  readonly #client: EngineClient;
  readonly #batcher: RecordBatcher;
  #description: StreamDescription;

  /** Made by `millrace.streams`. */
  constructor(client: EngineClient, batcher: RecordBatcher, description: StreamDescription) {
    this.#client = client;
    this.#batcher = batcher;
    this.#description = description;
  }

  /** The stream's name. */
  get name(): string {
    return this.#description.name;
  }

  /** The stream's Amazon Resource Name. */
  get arn(): string {
    return this.#description.arn;
  }

  /** The stream as it was when it was last asked about. */
  get description(): StreamDescription {
    return this.#description;
  }

  /** Asks the engine about the stream. @throws ResourceNotFoundError when it was deleted. */
  async describe(): Promise<StreamDescription> {
    this.#description = await this.#client.call("describeStream", { name: this.name });
    this.#batcher.update(this.#description);
    return this.#description;
  }

  /**
   * Puts one record; it is as durable as the stream asks when the promise resolves. The data is copied before the call
   * returns. Records of one partition key are stored in the order of the calls.
   *
   * @throws InvalidArgumentError, RecordTooLargeError: nothing was sent.
   * @throws ThroughputExceededError over a shard's quota, BackpressureError: nothing was stored; retry.
   * @throws StoreFullError when there is no room: nothing was stored; retry later.
   * @throws ResourceNotFoundError, EngineClosedError; IndeterminateError or ThreadCrashError, which may
   * leave the record stored or not; the signal's reason.
   */
  async putRecord(record: PutRecord, options?: PutOptions): Promise<PutSuccess> {
    const signal = checkPutOptions(options);
    const parts = await this.#batcher.put([record], nameOfOnly, signal);
    const outcome = new PutRecordsResult(parts).get(0);
    if ("sequenceNumber" in outcome) return outcome;
    const { errorCode, errorMessage, retryAfterMs, limit } = outcome;
    const argument = "record.partitionKey";
    const crossed = limit === undefined ? {} : { limit };
    const details = { argument, value: record.partitionKey, retryAfterMs, ...crossed };
    if (errorCode === "ProvisionedThroughputExceededException") {
      throw new ThroughputExceededError(errorMessage, details);
    }
    throw new BackpressureError(errorMessage, details);
  }

  /**
   * Puts any number of records, split into batches where needed. Resolves when each is durable or
   * refused: look at `failedRecordCount`. Refused records of a partition key are always its last ones
   * in the call.
   *
   * @throws as {@link putRecord}, except over a shard's quota. A malformed record refuses the whole
   * call before anything is sent; other errors may leave some of the records stored.
   */
  async putRecords(records: readonly PutRecord[], options?: PutOptions): Promise<PutRecordsResult> {
    const signal = checkPutOptions(options);
    checkRecords(records);
    if (records.length === 0) return new PutRecordsResult([]);
    return new PutRecordsResult(await this.#batcher.put(records, (i) => `records[${i}]`, signal));
  }

  /**
   * Opens a producer, the KPL's equal: it collects and aggregates user records, tries throttled ones again
   * and keeps to a rate. Close it before the engine.
   *
   * @throws InvalidArgumentError, ResourceNotFoundError.
   */
  async producer(options?: ProducerOptions): Promise<Producer> {
    const { inTurn } = this.#batcher;
    return await (await loadControl()).producer(this.#client, this.#description, inTurn, options);
  }

  /**
   * Reads records, each shard's in order. Where retention dropped records, the reading goes on at the
   * oldest one there is. The starting position is found when this is called, not when the loop begins.
   *
   * @throws InvalidArgumentError at once; ResourceNotFoundError, EngineClosedError, ThreadCrashError and
   * the signal's reason from the loop.
   */
  read(options: ReadOptions): AsyncIterableIterator<StreamRecord> {
    return new RecordReader(this.#reader(options));
  }

  /** As {@link read}, but packed batches of at least one record, with what each read says of its shards. */
  readBatches(options: ReadOptions): AsyncIterableIterator<RecordBatch> {
    return this.#reader(options);
  }

  /**
   * Reads as a registered consumer: batches are pushed, and every shard has 2 MiB/s for this consumer
   * alone. Goes on for ever and over reshards: parents are read to their end before their children.
   *
   * @throws InvalidArgumentError at once; ResourceNotFoundError, ResourceInUseError when somebody else
   * reads as this consumer, and what {@link read} throws, from the loop.
   */
  subscribe(options: SubscribeOptions): AsyncIterableIterator<RecordBatch> {
    const checked = checkSubscribeOptions(options);
    const { consumer } = options;
    const reader = import("./consumer-reader.ts").then(
      ({ ConsumerReader }) =>
        new ConsumerReader(this.#client, this.#description, consumer, checked),
    );
    return new LateIterator(reader);
  }

  /**
   * The consumer group of that name, created when there is none; what it is, the first call decides. Groups
   * keep checkpoints of their own, and their workers share the shards, in this tab and in others.
   *
   * @throws InvalidArgumentError, ResourceNotFoundError; ResourceInUseError when it is another stream's.
   */
  async group(name: string, options?: GroupOptions): Promise<ConsumerGroup> {
    const { openGroup } = await import("./groups/consumer-group.ts");
    return await openGroup(this.#client, this.#description, name, options);
  }

  /**
   * Hands the stream's records to a Lambda handler for Kinesis as it is, in batches, as Lambda's event source
   * mapping does. Begins at once, and goes on from the trigger's checkpoints.
   *
   * @throws InvalidArgumentError, also for a filter that does not parse; ResourceNotFoundError,
   * ResourceInUseError when another stream has a group of that name.
   */
  async trigger(handler: LambdaHandler, options: TriggerOptions): Promise<Trigger> {
    const { openTrigger } = await import("./triggers/trigger.ts");
    return await openTrigger(this.#client, this.#description, handler, options);
  }

  /**
   * Ships the stream to a stream elsewhere, of `millrace/remote`: what is put while the network is away arrives when
   * it is back, in order per partition key. Outages and throttles are ridden out for ever; what only somebody can
   * mend, as wrong credentials, pauses it with the reason. Progress is kept by a consumer group, so that another
   * tab goes on after a crash; what it then sends again is dropped by consumer groups of this package on the far
   * side. Credentials are never stored: call it whenever the application starts, or have a job ship, of a module that
   * exports `defineReplication()`.
   *
   * @throws InvalidArgumentError, ResourceNotFoundError; ResourceInUseError when another stream has a group of its
   * name.
   */
  async replicateTo(remote: ReplicationRemote, options?: ReplicateOptions): Promise<Replication> {
    const { replicateStream } = await import("./replication/stream-replication.ts");
    return await replicateStream(this.#client, this.#description, remote, options);
  }

  /** All shards, also closed ones that retention keeps, by index, with their parents. */
  async shards(): Promise<ShardDescription[]> {
    return await (await loadControl()).listShards(this.#client, this.name);
  }

  /**
   * Splits a shard in two, at the middle of its hash keys when no key is given. Resolves with the two,
   * lower hash keys first. Records that are put from then on go to them.
   *
   * @throws InvalidArgumentError, ResourceInUseError, ResourceNotFoundError, LimitExceededError.
   */
  async split(shardId: string, newStartingHashKey?: string): Promise<ShardDescription[]> {
    return await (await loadControl()).split(this.#client, this.name, shardId, newStartingHashKey);
  }

  /** Merges two shards whose hash keys are adjacent; resolves with the new one. @throws as {@link split}. */
  async merge(shardId: string, adjacentShardId: string): Promise<ShardDescription | undefined> {
    return await (await loadControl()).merge(this.#client, this.name, shardId, adjacentShardId);
  }

  /** Changes the number of open shards, each with the same part of the hash keys. @throws as {@link split}. */
  async scale(shards: number): Promise<StreamDescription> {
    this.#description = await (await loadControl()).scale(this.#client, this.name, shards);
    return this.#description;
  }

  /** Keeps records for this long: 24 to 8,760 hours. @throws InvalidArgumentError, ResourceInUseError. */
  async retain(hours: number): Promise<StreamDescription> {
    this.#description = await (await loadControl()).retain(this.#client, this.name, hours);
    return this.#description;
  }

  /**
   * Changes how the stream is kept: `durability` for what is put from then on, `whenFull` for whatever it
   * holds. What is absent stays. @throws InvalidArgumentError, ResourceNotFoundError, ResourceInUseError.
   */
  async configure(settings: StreamKeeping): Promise<StreamDescription> {
    this.#description = await (await loadControl()).configure(this.#client, this.name, settings);
    return this.#description;
  }

  /**
   * Encrypts the stream at rest from the next write on, under a master key: an id, an alias, or the ARN of
   * either. `alias/aws/kinesis` is there by itself. What is stored already stays as it is.
   *
   * @throws KmsNotFoundError, KmsDisabledError, KmsInvalidStateError, ResourceInUseError.
   */
  async startEncryption(options: { readonly keyId: string }): Promise<StreamDescription> {
    checkMembers("options", options, ["keyId"]);
    const { keyId } = options;
    this.#description = await (await loadControl()).encrypt(this.#client, this.name, keyId);
    this.#batcher.update(this.#description);
    return this.#description;
  }

  /** Stores what is put from now on as it is. What was encrypted stays so. @throws ResourceInUseError. */
  async stopEncryption(): Promise<StreamDescription> {
    this.#description = await (await loadControl()).stopEncrypting(this.#client, this.name);
    this.#batcher.update(this.#description);
    return this.#description;
  }

  /**
   * Destroys the stream's data keys, and with them all that they encrypted, for ever. Puts and reads fail
   * with KeyLostError until {@link startEncryption} gives it another one. @throws InvalidArgumentError
   * when it was never encrypted.
   */
  async shred(): Promise<void> {
    await this.#client.call("shredStream", { name: this.name });
  }

  /** Registers a consumer for {@link subscribe}. @throws ResourceInUseError, LimitExceededError. */
  async registerConsumer(name: string): Promise<StreamConsumer> {
    return await (await loadControl()).registerConsumer(this.#client, this.#description, name);
  }

  /** The registered consumers. */
  async consumers(): Promise<StreamConsumer[]> {
    return await (await loadControl()).listConsumers(this.#client, this.#description);
  }

  /** Ends a consumer's registration and its subscriptions. @throws ResourceNotFoundError. */
  async deregisterConsumer(name: string): Promise<void> {
    await (await loadControl()).deregisterConsumer(this.#client, this.#description, name);
  }

  /** Counters of each shard since the engine was opened. */
  metrics(): Promise<ShardMetrics[]>;
  /** One of CloudWatch's metrics, as `IncomingBytes`: a datapoint per minute, of the last three hours. @throws InvalidArgumentError. */
  metrics(name: string, options?: MetricOptions): Promise<MetricDatapoint[]>;
  async metrics(
    name?: string,
    options?: MetricOptions,
  ): Promise<ShardMetrics[] | MetricDatapoint[]> {
    if (name === undefined) return await this.#client.call("shardMetrics", { name: this.name });
    return await (await loadControl()).metric(this.#client, this.name, name, options);
  }

  #reader(options: ReadOptions): BatchReader {
    return new BatchReader(this.#client, this.#description, checkReadOptions(options));
  }
}
