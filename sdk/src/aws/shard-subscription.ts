/** SubscribeToShard: the batches of a subscription as AWS's events. */
import type { EngineClient } from "@millrace/engine";
import type { FaceCall, ShardEvent, ShardEvents } from "./calls.ts";
import { numberBefore } from "./continuation.ts";
import { recordsOf } from "./record-shapes.ts";
import { type FedBatch, ShardFeed } from "./shard-feed.ts";

type Next = IteratorResult<ShardEvent, undefined>;
const DONE: Next = { done: true, value: undefined };

/** The events of one subscription. Can be iterated once. */
export class ShardSubscription implements ShardEvents {
  readonly #client: EngineClient;
  readonly #feed: ShardFeed;
  readonly #signal: AbortSignal | undefined;
  /** Nobody waits for this closing; one that fails leaves a subscription that ends by itself. */
  readonly #abort = (): void => void this.return().catch(() => undefined);
  #continuation: string | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** Made by {@link ShardSubscription.open}. The feed is its own from then on. */
  constructor(client: EngineClient, feed: ShardFeed, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#feed = feed;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort, { once: true });
    if (signal?.aborted === true) this.#abort();
  }

  /** @throws ResourceNotFoundError, ResourceInUseError, InvalidArgumentError, AccessDeniedError. */
  static async open(
    client: EngineClient,
    { input, caller, signal }: FaceCall<"SubscribeToShard">,
  ): Promise<ShardSubscription> {
    return new ShardSubscription(client, await ShardFeed.open(client, input, caller), signal);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next event. Ends after that with the children of a closed shard, and after five minutes.
   *
   * @throws what {@link ShardFeed.read} throws.
   */
  next(): Promise<Next> {
    const next = this.#turn.then(() => this.#next());
    this.#turn = next.catch(() => undefined);
    return next;
  }

  /** Closes the subscription and gives up the read that is under way. */
  async return(): Promise<Next> {
    this.#signal?.removeEventListener("abort", this.#abort);
    await this.#feed.close();
    return DONE;
  }

  async #next(): Promise<Next> {
    try {
      const fed = await this.#feed.read();
      if (fed === undefined) return await this.return();
      return { done: false, value: { SubscribeToShardEvent: await this.#eventOf(fed) } };
    } catch (error) {
      // It is the first error that tells what happened.
      await this.return().catch(() => undefined);
      throw error;
    }
  }

  async #eventOf({ batch, part }: FedBatch): Promise<ShardEvent["SubscribeToShardEvent"]> {
    if (batch.length > 0) this.#continuation = batch.sequenceNumber(batch.length - 1);
    const Records = recordsOf(batch);
    const MillisBehindLatest = part.millisBehindLatest;
    if (!part.shardClosed) {
      const ContinuationSequenceNumber = this.#continuation ?? numberBefore(part);
      return { Records, ContinuationSequenceNumber, MillisBehindLatest };
    }
    const { streamUid, shardIndex } = this.#feed.subscription;
    const ChildShards = await this.#client.call("childShards", { streamUid, shardIndex });
    // The next call finds it ended.
    await this.return();
    return { Records, MillisBehindLatest, ChildShards };
  }
}
