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
import type { CheckedReadOptions } from "./read-options.ts";
import { allShards, ShardTurns } from "./shard-turns.ts";

/** Left by its consumer: nobody is to hear of it. */
const LEFT = Symbol("left");
const CALLER = { principal: ROOT_PRINCIPAL };

interface ShardBatch {
  readonly shardIndex: number;
  /** Undefined when the subscription is over. */
  readonly batch: RecordBatch | undefined;
  readonly shardClosed: boolean;
}

/** The batches of one consumer. Can be iterated once. */
export class ConsumerReader implements AsyncIterableIterator<RecordBatch, undefined> {
  readonly #client: EngineClient;
  readonly #stream: Pick<StreamDescription, "name" | "arn">;
  readonly #consumer: string;
  readonly #options: CheckedReadOptions;
  readonly #follows: boolean;
  readonly #ending = new AbortController();
  readonly #abort: () => void;
  readonly #turns = new ShardTurns();
  readonly #feeds = new Map<number, ShardFeed>();
  /** Shards whose next batch is under way or not yet handed out. */
  readonly #asked = new Set<number>();
  /** Reads that are settled, in the order in which they were. */
  readonly #arrived: Promise<ShardBatch>[] = [];
  #wake: () => void = () => undefined;
  /** Creation of shards in seconds since the Unix epoch, by index. */
  readonly #createdSeconds = new Map<number, number>();
  #consumerArn = "";
  #started: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** `consumer` is the name of a registered one. */
  constructor(
    client: EngineClient,
    stream: Pick<StreamDescription, "name" | "arn">,
    consumer: string,
    options: CheckedReadOptions,
  ) {
    this.#client = client;
    this.#stream = stream;
    this.#consumer = consumer;
    this.#options = options;
    const { signal, shardId, position } = options;
    this.#follows = shardId === undefined && !("sequenceNumber" in position);
    this.#abort = () => this.#ending.abort(signal?.reason);
    if (signal?.aborted === true) this.#abort();
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next batch, which has at least one record; ends when the one shard that is read is closed.
   *
   * @throws ResourceInUseError once another reader took a subscription over, ResourceNotFoundError, the
   * signal's reason, and what reads throw.
   */
  next(): Promise<IteratorResult<RecordBatch, undefined>> {
    const result = this.#turn.then(() => this.#advance());
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Ends the reading and all its subscriptions. */
  async return(): Promise<IteratorResult<RecordBatch, undefined>> {
    this.#ending.abort(LEFT);
    await this.#close();
    return { done: true, value: undefined };
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#abort);
    const feeds = [...this.#feeds.values()];
    this.#feeds.clear();
    await Promise.all(feeds.map((feed) => feed.close()));
  }

  async #advance(): Promise<IteratorResult<RecordBatch, undefined>> {
    const { signal } = this.#ending;
    try {
      signal.throwIfAborted();
      this.#started ??= this.#start();
      await withSignal(signal, this.#started);
      const batch = await this.#take(signal);
      if (batch !== undefined) return { done: false, value: batch };
    } catch (error) {
      // Also of subscriptions that are being opened nothing is to be left.
      await this.return();
      if (error !== LEFT) throw this.#named(error);
    }
    return await this.return();
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
  async #take(signal: AbortSignal): Promise<RecordBatch | undefined> {
    while (this.#turns.cursors.size > 0) {
      for (const shardIndex of this.#turns.cursors.keys()) this.#ask(shardIndex);
      const first = await withSignal(signal, this.#arrival());
      this.#asked.delete(first.shardIndex);
      await this.#account(first);
      if (first.batch !== undefined && first.batch.length > 0) return first.batch;
    }
    return undefined;
  }

  #ask(shardIndex: number): void {
    if (this.#asked.has(shardIndex)) return;
    this.#asked.add(shardIndex);
    const reading = this.#read(shardIndex);
    const arrive = (): void => {
      this.#arrived.push(reading);
      this.#wake();
    };
    void reading.then(arrive, arrive);
  }

  /** The first read that is settled. A race of them all would keep what the quick ones give until the slow ones are. */
  async #arrival(): Promise<ShardBatch> {
    for (;;) {
      const first = this.#arrived.shift();
      if (first !== undefined) return await first;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #read(shardIndex: number): Promise<ShardBatch> {
    try {
      const feed = this.#feeds.get(shardIndex) ?? (await this.#open(shardIndex));
      const fed = await feed.read();
      if (fed === undefined) return { shardIndex, batch: undefined, shardClosed: false };
      return { shardIndex, batch: fed.batch, shardClosed: fed.part.shardClosed };
    } catch (error) {
      // A closed shard may be removed while its reader pauses.
      const isGone = error instanceof ResourceNotFoundError && error.argument === "shard";
      if (!isGone) throw error;
      return { shardIndex, batch: undefined, shardClosed: true };
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
    if (this.#ending.signal.aborted) await feed.close();
    else this.#feeds.set(shardIndex, feed);
    return feed;
  }

  async #account({ shardIndex, batch, shardClosed }: ShardBatch): Promise<void> {
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
