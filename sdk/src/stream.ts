/** One stream: what an application puts records into and reads them from. */
import {
  BackpressureError,
  type EngineClient,
  InvalidArgumentError,
  type PutRecord,
  type PutSuccess,
  type RecordBatch,
  type ShardMetrics,
  type StreamDescription,
  type StreamRecord,
  ThroughputExceededError,
} from "@millrace/engine";
import { BatchReader } from "./batch-reader.ts";
import { checkMembers, checkSignal, show } from "./check.ts";
import { PutRecordsResult } from "./put-records-result.ts";
import { checkReadOptions, type ReadOptions } from "./read-options.ts";
import type { RecordBatcher } from "./record-batcher.ts";
import { RecordReader } from "./record-reader.ts";

/** How a put is made. */
export interface PutOptions {
  /**
   * Rejects the put with the signal's reason. A record that was not sent yet is withdrawn unless others
   * share its batch; one that was sent may be stored all the same.
   */
  readonly signal?: AbortSignal;
}

function checkPutOptions(options: PutOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  checkMembers("options", options, ["signal"]);
  const signal = checkSignal("options.signal", options.signal);
  signal?.throwIfAborted();
  return signal;
}

const nameOfOnly = (): string => "record";

/** A stream of an open engine. */
export class Stream {
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
    return this.#description;
  }

  /**
   * Puts one record; it is durable when the promise resolves. The data is copied before the call
   * returns. Records of one partition key are stored in the order of the calls.
   *
   * @throws InvalidArgumentError, RecordTooLargeError: nothing was sent.
   * @throws ThroughputExceededError over a shard's quota, BackpressureError: nothing was stored; retry.
   * @throws ResourceNotFoundError, EngineClosedError; IndeterminateError or ThreadCrashError, which may
   * leave the record stored or not; the signal's reason.
   */
  async putRecord(record: PutRecord, options?: PutOptions): Promise<PutSuccess> {
    const signal = checkPutOptions(options);
    const parts = await this.#batcher.put([record], nameOfOnly, signal);
    const outcome = new PutRecordsResult(parts).get(0);
    if ("sequenceNumber" in outcome) return outcome;
    const { errorCode, errorMessage, retryAfterMs } = outcome;
    const details = { argument: "record.partitionKey", value: record.partitionKey, retryAfterMs };
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
    if (!Array.isArray(records)) {
      throw new InvalidArgumentError(`records must be an array, but it is ${show(records)}`, {
        argument: "records",
        value: show(records),
        limit: "an array of {partitionKey, data}",
      });
    }
    if (records.length === 0) return new PutRecordsResult([]);
    return new PutRecordsResult(await this.#batcher.put(records, (i) => `records[${i}]`, signal));
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

  /** Counters of each shard since the engine was opened. */
  async metrics(): Promise<ShardMetrics[]> {
    return await this.#client.call("shardMetrics", { name: this.name });
  }

  #reader(options: ReadOptions): BatchReader {
    return new BatchReader(this.#client, this.#description, checkReadOptions(options));
  }
}
