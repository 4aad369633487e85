/**
 * What streams of an engine and streams of a Kinesis elsewhere have in common: types for code that takes
 * either. What each call does and throws, `Stream` says.
 */
import type {
  PutRecord,
  PutSuccess,
  RecordBatch,
  ShardDescription,
  StreamDescription,
  StreamRecord,
} from "@millrace/engine";
import type { ProducerOptions } from "./producer/options.ts";
import type { Producer } from "./producer/producer.ts";
import type { PutRecordsResult } from "./put-records-result.ts";
import type { ReadOptions } from "./read-options.ts";
import type { PutOptions, SubscribeOptions } from "./stream-options.ts";
import type { StreamOptions } from "./stream-spec.ts";

/** A stream's description without what only an engine's own buffers know. */
export type CommonStreamDescription = Omit<StreamDescription, "uid">;

/** A registered consumer. */
export interface StreamConsumer {
  readonly name: string;
  readonly arn: string;
  readonly status: string;
  readonly created: Date;
}

/** A stream, wherever it is. */
export interface StreamLike {
  readonly name: string;
  /** Amazon Resource Name. */
  readonly arn: string;
  /** The stream as it was when it was last asked about. */
  readonly description: CommonStreamDescription;
  describe(): Promise<CommonStreamDescription>;
  putRecord(record: PutRecord, options?: PutOptions): Promise<PutSuccess>;
  putRecords(records: readonly PutRecord[], options?: PutOptions): Promise<PutRecordsResult>;
  producer(options?: ProducerOptions): Promise<Producer>;
  read(options: ReadOptions): AsyncIterableIterator<StreamRecord>;
  readBatches(options: ReadOptions): AsyncIterableIterator<RecordBatch>;
  subscribe(options: SubscribeOptions): AsyncIterableIterator<RecordBatch>;
  shards(): Promise<ShardDescription[]>;
  split(shardId: string, newStartingHashKey?: string): Promise<ShardDescription[]>;
  merge(shardId: string, adjacentShardId: string): Promise<ShardDescription | undefined>;
  scale(shards: number): Promise<CommonStreamDescription>;
  /** `hours`: 24 to 8,760. */
  retain(hours: number): Promise<CommonStreamDescription>;
  startEncryption(options: { readonly keyId: string }): Promise<CommonStreamDescription>;
  stopEncryption(): Promise<CommonStreamDescription>;
  registerConsumer(name: string): Promise<StreamConsumer>;
  consumers(): Promise<StreamConsumer[]>;
  deregisterConsumer(name: string): Promise<void>;
}

/** The streams of an engine or of a Kinesis elsewhere. */
export interface StreamsLike {
  create(name: string, spec?: StreamOptions): Promise<StreamLike>;
  ensure(name: string, spec?: StreamOptions): Promise<StreamLike>;
  get(name: string): Promise<StreamLike>;
  list(): Promise<CommonStreamDescription[]>;
  delete(name: string): Promise<void>;
}

/** What `open` gives, whatever it opened. */
export interface MillraceLike extends AsyncDisposable {
  readonly name: string;
  readonly closed: boolean;
  readonly streams: StreamsLike;
  close(): Promise<void>;
}
