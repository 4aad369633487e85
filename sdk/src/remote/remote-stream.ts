/** One stream of a Kinesis elsewhere, with the calls of a stream of an engine. */
import {
  MillraceError,
  NotSupportedError,
  type PutRecord,
  type PutSuccess,
  type RecordBatch,
  type ShardDescription,
  type StreamRecord,
  systemRandom,
  ThroughputExceededError,
} from "@millrace/engine";
import { checkMembers } from "../check.ts";
import { LateIterator } from "../late-iterator.ts";
import type { ProducerOptions } from "../producer/options.ts";
import { openProducer, type Producer } from "../producer/producer.ts";
import { PutRecordsResult } from "../put-records-result.ts";
import { checkReadOptions, type ReadOptions } from "../read-options.ts";
import { RecordReader } from "../record-reader.ts";
import type { ReplicaOptions } from "../replication/replica-options.ts";
import type { Replication } from "../replication/replication-types.ts";
import type { Stream } from "../stream.ts";
import * as admin from "../stream-admin.ts";
import type { StreamConsumer, StreamLike } from "../stream-like.ts";
import {
  checkPutOptions,
  checkRecords,
  checkSubscribeOptions,
  type PutOptions,
  type SubscribeOptions,
} from "../stream-options.ts";
import type { RemoteConsumerGroup } from "./groups/remote-group.ts";
import type { RemoteGroupOptions } from "./groups/remote-group-types.ts";
import { PolledShard } from "./polled-shard.ts";
import { PushedShard } from "./pushed-shard.ts";
import type { PutLanes } from "./put-lanes.ts";
import type { RemoteCalls } from "./remote-calls.ts";
import type { RemoteStreamDescription } from "./remote-description.ts";
import type { RemoteDesk } from "./remote-desk.ts";
import { RemoteReader } from "./remote-reader.ts";
import { RemoteTarget } from "./remote-target.ts";

/** What streams of one backend share. */
export interface RemoteStreamParts {
  readonly calls: RemoteCalls;
  readonly desk: RemoteDesk;
  readonly lanes: PutLanes;
  readonly pollMs: number;
}

const THROTTLED = "ProvisionedThroughputExceededException";
const nameOfOnly = (): string => "record";

/** A stream of an open backend. */
export class RemoteStream implements StreamLike {
  readonly #parts: RemoteStreamParts;
  #description: RemoteStreamDescription;

  /** Made by the `streams` of an open backend. */
  constructor(parts: RemoteStreamParts, description: RemoteStreamDescription) {
    this.#parts = parts;
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
  get description(): RemoteStreamDescription {
    return this.#description;
  }

  /** Asks the service about the stream. @throws ResourceNotFoundError when it was deleted. */
  async describe(): Promise<RemoteStreamDescription> {
    return this.#update(await this.#parts.desk.describe(this.name));
  }

  /** What can be put into and lists its shards: for producers, and for whatever ships records here. */
  target(): RemoteTarget {
    return new RemoteTarget(this.#parts.calls, this.#description);
  }

  /**
   * Puts one record; it is stored when the promise resolves. The data is copied before the call returns. What
   * is put in one task shares calls, and records of one partition key are stored in the order of the calls.
   * Nothing is tried again: that is what {@link producer} is for.
   *
   * @throws InvalidArgumentError, RecordTooLargeError: nothing was sent.
   * @throws ThroughputExceededError over a shard's quota, BackpressureError: nothing was stored; retry.
   * @throws ResourceNotFoundError, CredentialsError, ClockSkewError, WrongEndpointError, EngineClosedError;
   * RemoteUnavailableError and DeadlineError, which may be `indeterminate`; the signal's reason.
   */
  async putRecord(record: PutRecord, options?: PutOptions): Promise<PutSuccess> {
    const signal = checkPutOptions(options);
    const parts = await this.#parts.lanes.put([record], nameOfOnly, signal);
    const outcome = new PutRecordsResult(parts).get(0);
    if ("sequenceNumber" in outcome) return outcome;
    const { errorCode, errorMessage, retryAfterMs } = outcome;
    const argument = "record.partitionKey";
    const details = { argument, value: record.partitionKey, retryAfterMs, retryable: true };
    if (errorCode === THROTTLED) throw new ThroughputExceededError(errorMessage, details);
    throw new MillraceError(errorCode, errorMessage, details);
  }

  /**
   * Puts any number of records, split into calls of 500 records and 10 MiB. Resolves when each is stored
   * or refused: look at `failedRecordCount`. Refused records of a partition key are always its last ones
   * in the call, unless the backend was told to keep no order.
   *
   * @throws as {@link putRecord}, except over a shard's quota. A malformed record refuses the whole
   * call before anything is sent; other errors may leave some of the records stored.
   */
  async putRecords(records: readonly PutRecord[], options?: PutOptions): Promise<PutRecordsResult> {
    const signal = checkPutOptions(options);
    checkRecords(records);
    if (records.length === 0) return new PutRecordsResult([]);
    const parts = await this.#parts.lanes.put(records, (i) => `records[${i}]`, signal);
    const outcomes = parts.map((part) => part.get(0));
    const failedCount = parts.reduce((sum, part) => sum + part.failedCount, 0);
    // One part, since each outcome is looked up by its position.
    return new PutRecordsResult([
      {
        length: outcomes.length,
        failedCount,
        get: (i) => outcomes[i] ?? { errorCode: "", errorMessage: "", retryAfterMs: 0 },
      },
    ]);
  }

  /**
   * Opens a producer, as a stream of an engine does. What is throttled, and what failed on the way, is tried
   * again; a record whose answer was lost may then be there twice, as with the KPL. Close it before the
   * backend.
   *
   * @throws InvalidArgumentError, ResourceNotFoundError.
   */
  async producer(options?: ProducerOptions): Promise<Producer> {
    const { clock } = this.#parts.calls;
    return await openProducer(this.target(), options, { clock, random: systemRandom });
  }

  /**
   * Reads records by GetRecords, each shard's in order, parents before their children. The starting position
   * is found when this is called, not when the loop begins. Iterators that expire are renewed, throttles and
   * outages ridden out for as long as a call may take.
   *
   * @throws InvalidArgumentError at once; ResourceNotFoundError, EngineClosedError, RemoteUnavailableError,
   * DeadlineError and the signal's reason from the loop.
   */
  read(options: ReadOptions): AsyncIterableIterator<StreamRecord> {
    return new RecordReader(this.readBatches(options));
  }

  /** As {@link read}, but the batches of each answer, of one shard each. */
  readBatches(options: ReadOptions): AsyncIterableIterator<RecordBatch> {
    const checked = checkReadOptions(options);
    const { calls, pollMs } = this.#parts;
    const streamName = this.name;
    return new RemoteReader({
      ...{ calls, streamName, options: checked },
      open: async (shard, start, signal) => {
        const toEnd = !checked.live;
        const source = new PolledShard({ calls, streamName, shard, start, pollMs, toEnd });
        await source.begin(signal, shard.closedMs !== undefined);
        return source;
      },
    });
  }

  /**
   * Reads as a registered consumer, by SubscribeToShard; goes on for ever and over reshards. The official
   * client needs HTTP/2 for it, which its default handler speaks in Node.
   *
   * @throws InvalidArgumentError, and NotSupportedError in browsers, at once; ResourceNotFoundError,
   * ResourceInUseError when somebody else reads as this consumer, and what {@link read} throws, from the loop.
   */
  subscribe(options: SubscribeOptions): AsyncIterableIterator<RecordBatch> {
    const checked = checkSubscribeOptions(options);
    if ("document" in globalThis || "WorkerGlobalScope" in globalThis) {
      throw this.#cannot("subscribe", "SubscribeToShard needs HTTP/2 streams, which only Node has");
    }
    const { calls } = this.#parts;
    return new LateIterator(
      this.#consumerArn(options.consumer).then(
        (consumerArn) =>
          new RemoteReader({
            ...{ calls, streamName: this.name, options: checked },
            open: async (shard, start) =>
              new PushedShard({ calls, streamName: this.name, shard, start, consumerArn }),
          }),
      ),
    );
  }

  /**
   * Keeps a readable copy of the stream in a stream of an engine, from a position on: every record once, its data
   * byte for byte, in order per partition key, aggregates as aggregates with the same members. Marks in aggregates that
   * `stream.replicateTo()` wrote say this copy's run, too: what consumer groups drop as repeats then came by this
   * very copy before. Each part is stored in one step with where the copy stands, so that whoever goes on after a
   * crash, in whichever tab, leaves nothing out and repeats nothing. Outages and throttles are ridden out for ever.
   * Call it whenever the application starts: nothing of how the far side is reached is stored. Records keep their
   * partition keys, but not their explicit hash keys, which no service hands over, nor their sequence numbers and
   * times of arrival. An aggregate that has members of several shards of the copy is cut into one for each of those, in
   * one step, also while the copy is split or merged: consumer groups leave out one that reaches into another shard.
   * One that those of the source leave out stays as it is, and so does one of more than 8,000,000 bytes; that is told
   * as a gap.
   *
   * @throws InvalidArgumentError, also for a copy of a stream into itself; ResourceInUseError when another local
   * stream has a group of that name, and when the local stream has a replica of this stream under another name, which
   * is the error's `limit`: nothing was copied then; ResourceNotFoundError when the local stream was deleted.
   */
  async replicateTo(local: Stream, options?: ReplicaOptions): Promise<Replication> {
    const { openReplica } = await import("../replication/replica.ts");
    const { calls, pollMs } = this.#parts;
    return await openReplica({ calls, pollMs, stream: this.#description }, local, options);
  }

  /** All shards, also closed ones that the service still lists, by index, with their parents. */
  async shards(): Promise<ShardDescription[]> {
    return await admin.listShards(this.#parts.desk, this.name);
  }

  /** Splits a shard in two, at the middle when no key is given; resolves when the stream is active. @throws as calls do. */
  async split(shardId: string, newStartingHashKey?: string): Promise<ShardDescription[]> {
    return await admin.split(this.#parts.desk, this.name, shardId, newStartingHashKey);
  }

  /** Merges two adjacent shards; resolves when the stream is active. @throws as calls do. */
  async merge(shardId: string, adjacentShardId: string): Promise<ShardDescription | undefined> {
    return await admin.merge(this.#parts.desk, this.name, shardId, adjacentShardId);
  }

  /** Changes the number of open shards; resolves when the stream is active. @throws as calls do. */
  async scale(shards: number): Promise<RemoteStreamDescription> {
    return this.#update(await admin.scale(this.#parts.desk, this.name, shards));
  }

  /** Keeps records for this long: 24 to 8,760 hours. @throws as calls do. */
  async retain(hours: number): Promise<RemoteStreamDescription> {
    return this.#update(await admin.retain(this.#parts.desk, this.name, hours));
  }

  /** Encrypts the stream at rest under a key of AWS's KMS. @throws KmsNotFoundError and its like. */
  async startEncryption(options: { readonly keyId: string }): Promise<RemoteStreamDescription> {
    checkMembers("options", options, ["keyId"]);
    return this.#update(await admin.encrypt(this.#parts.desk, this.name, options.keyId));
  }

  /** Stores what is put from now on as it is. @throws as calls do. */
  async stopEncryption(): Promise<RemoteStreamDescription> {
    return this.#update(await admin.stopEncrypting(this.#parts.desk, this.name));
  }

  /** Registers a consumer for {@link subscribe}. @throws ResourceInUseError, LimitExceededError. */
  async registerConsumer(name: string): Promise<StreamConsumer> {
    return await admin.registerConsumer(this.#parts.desk, this.#description, name);
  }

  /** The registered consumers. */
  async consumers(): Promise<StreamConsumer[]> {
    return await admin.listConsumers(this.#parts.desk, this.#description);
  }

  /** Ends a consumer's registration and its subscriptions. @throws ResourceNotFoundError. */
  async deregisterConsumer(name: string): Promise<void> {
    await admin.deregisterConsumer(this.#parts.desk, this.#description, name);
  }

  /**
   * The consumer group of that name, with leases and checkpoints in a table of the caller's or in an open engine:
   * Kinesis keeps none. It works as a group of an engine does, as the KCL over a table of DynamoDB.
   *
   * @throws InvalidArgumentError, ResourceNotFoundError, and what the lease table throws.
   */
  async group(name: string, options: RemoteGroupOptions): Promise<RemoteConsumerGroup> {
    const { openRemoteGroup } = await import("./groups/remote-group.ts");
    const { calls, desk, pollMs } = this.#parts;
    return await openRemoteGroup({ calls, desk, pollMs, stream: this.#description }, name, options);
  }

  /** Not here. @throws NotSupportedError always. */
  async configure(): Promise<never> {
    throw this.#cannot(
      "configure",
      "how durable a stream is, and what happens to it for lack of room, Kinesis decides",
    );
  }

  /** Not here. @throws NotSupportedError always. */
  async shred(): Promise<never> {
    throw this.#cannot(
      "shred",
      "the keys are KMS's: schedule the deletion of the master key there",
    );
  }

  /** Not here. @throws NotSupportedError always. */
  async metrics(): Promise<never> {
    throw this.#cannot("metrics", "the metrics of Kinesis are in CloudWatch");
  }

  #update(description: RemoteStreamDescription): RemoteStreamDescription {
    this.#description = description;
    this.#parts.lanes.update(description.recordKibMax * 1024);
    return description;
  }

  async #consumerArn(consumer: string): Promise<string> {
    const input = { StreamARN: this.arn, ConsumerName: consumer };
    const described = await this.#parts.calls.call("DescribeStreamConsumer", input);
    return described.ConsumerDescription.ConsumerARN;
  }

  #cannot(call: string, why: string): NotSupportedError {
    return new NotSupportedError(
      `${call}() cannot be done with stream ${this.name} of ${this.#parts.calls.place}: ${why}`,
      { argument: call, value: this.name },
    );
  }
}
