/**
 * Reads a stream as a registered consumer: one subscription per shard, each pushed with 2 MiB/s of its own;
 * renewed when its five minutes are over; parents before children.
 */
import {
  type EngineClient,
  type RecordBatch,
  ResourceNotFoundError,
  ROOT_PRINCIPAL,
  type StreamDescription,
  withSignal,
} from "@millrace/engine";
import type { OutputOf } from "@millrace/engine/model";
import { numberBefore } from "./aws/continuation.ts";
import { ShardFeed } from "./aws/shard-feed.ts";
import { BatchIterator } from "./batch-iterator.ts";
import type { CheckedReadOptions } from "./read-options.ts";
import { allShards, ShardTurns } from "./shard-turns.ts";
import { SideBySide } from "./side-by-side.ts";

const CALLER = { principal: ROOT_PRINCIPAL };

interface ShardBatch {
  /** Undefined when the subscription is over. */
  readonly batch: RecordBatch | undefined;
  readonly shardClosed: boolean;
}

/**
 * The batches of one consumer. Can be iterated once; ends when the one shard that is read is closed. Its turns
 * throw ResourceInUseError once another reader took a subscription over, and ResourceNotFoundError.
 */
export class ConsumerReader extends BatchIterator {
  readonly #client: EngineClient;
  readonly #stream: Pick<StreamDescription, "name" | "arn">;
  readonly #consumer: string;
  readonly #options: CheckedReadOptions;
  readonly #follows: boolean;
  readonly #turns = new ShardTurns();
  readonly #feeds = new Map<number, ShardFeed>();
  readonly #batches = new SideBySide<ShardBatch>();
  /** Creation of shards in seconds since the Unix epoch, by index. */
  readonly #createdSeconds = new Map<number, number>();
  #consumerArn = "";
  #started: Promise<void> | undefined;

  /** `consumer` is the name of a registered one. */
  constructor(
    client: EngineClient,
    stream: Pick<StreamDescription, "name" | "arn">,
    consumer: string,
    options: CheckedReadOptions,
  ) {
    const { signal, shardId, position } = options;
    super(signal);
    this.#client = client;
    this.#stream = stream;
    this.#consumer = consumer;
    this.#options = options;
    this.#follows = shardId === undefined && !("sequenceNumber" in position);
  }

  protected override async close(): Promise<void> {
    const feeds = [...this.#feeds.values()];
    this.#feeds.clear();
    await Promise.all(feeds.map((feed) => feed.close()));
  }

  protected override async take(): Promise<RecordBatch | undefined> {
    try {
      this.#started ??= this.#start();
      await withSignal(this.ending, this.#started);
      return await this.#take();
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** The engine knows a deleted stream by its uid only. */
  #named(error: unknown): unknown {
    const isStream = error instanceof ResourceNotFoundError && error.argument === "name";
    return isStream ? ResourceNotFoundError.stream(this.#stream.name) : error;
  }

  async #start(): Promise<void> {
    const { name } = this.#stream;
    const { position, shardId } = this.#options;
    this.#consumerArn = await this.#findConsumer();
    const argument = shardId === undefined ? { name, position } : { name, position, shardId };
    const resolved = await this.#client.call("resolvePosition", argument);
    this.#turns.begin(resolved, await this.#describe());
  }

  async #findConsumer(): Promise<string> {
    const described = (await this.#client.call("invoke", {
      operation: "DescribeStreamConsumer",
      input: { StreamARN: this.#stream.arn, ConsumerName: this.#consumer },
      caller: CALLER,
    })) as OutputOf<"DescribeStreamConsumer">;
    return described.ConsumerDescription.ConsumerARN;
  }

  async #describe(): Promise<StreamDescription> {
    const description = await this.#client.call("describeStream", { name: this.#stream.name });
    for (const { shardIndex, createdSeconds } of allShards(description)) {
      this.#createdSeconds.set(shardIndex, createdSeconds);
    }
    return description;
  }

  /** The first batch with records that any shard gives; undefined when no shard is left. */
  async #take(): Promise<RecordBatch | undefined> {
    const read = (shardIndex: number): Promise<ShardBatch> => this.#read(shardIndex);
    while (this.#turns.cursors.size > 0) {
      for (const shardIndex of this.#turns.cursors.keys()) this.#batches.ask(shardIndex, read);
      const { shardIndex, answer } = await withSignal(this.ending, this.#batches.next());
      await this.#account(shardIndex, answer);
      if (answer.batch !== undefined && answer.batch.length > 0) return answer.batch;
    }
    return undefined;
  }

  async #read(shardIndex: number): Promise<ShardBatch> {
    try {
      const feed = this.#feeds.get(shardIndex) ?? (await this.#open(shardIndex));
      const fed = await feed.read();
      if (fed === undefined) return { batch: undefined, shardClosed: false };
      return { batch: fed.batch, shardClosed: fed.part.shardClosed };
    } catch (error) {
      // A closed shard may be removed while its reader pauses.
      const isGone = error instanceof ResourceNotFoundError && error.argument === "shard";
      if (!isGone) throw error;
      return { batch: undefined, shardClosed: true };
    }
  }

  async #open(shardIndex: number): Promise<ShardFeed> {
    const nextIndex = this.#turns.cursors.get(shardIndex) ?? 0;
    const createdSeconds = this.#createdSeconds.get(shardIndex) ?? 0;
    const feed = await ShardFeed.open(
      this.#client,
      {
        ConsumerARN: this.#consumerArn,
        ShardId: String(shardIndex),
        StartingPosition: {
          Type: "AFTER_SEQUENCE_NUMBER",
          SequenceNumber: numberBefore({ shardIndex, createdSeconds, nextIndex }),
        },
      },
      CALLER,
    );
    if (this.ending.aborted) await feed.close();
    else this.#feeds.set(shardIndex, feed);
    return feed;
  }

  async #account(shardIndex: number, { batch, shardClosed }: ShardBatch): Promise<void> {
    const feed = this.#feeds.get(shardIndex);
    if (feed !== undefined) this.#turns.cursors.set(shardIndex, feed.nextIndex);
    if (batch !== undefined && !shardClosed) return;
    this.#feeds.delete(shardIndex);
    await feed?.close();
    if (!shardClosed) return;
    this.#turns.finish(shardIndex);
    if (this.#follows) this.#turns.adopt(await this.#describe(), true);
  }
}
