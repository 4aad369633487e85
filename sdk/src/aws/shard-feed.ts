/**
 * An admitted subscription as packed batches: reads that wait in the engine, so that a commit is a batch
 * at once, and pulled by the consumer, so that a slow one holds nothing up.
 */
import {
  type CallContext,
  DeadlineError,
  decodeSlice,
  type EngineClient,
  InternalFailureError,
  pause,
  type RecordBatch,
  ResourceNotFoundError,
  type SlicePart,
  type SubscriptionTicket,
  ThroughputExceededError,
} from "@millrace/engine";
import type { InputOf } from "@millrace/engine/model";

const RECORDS_MAX = 10_000;
/** Data of one batch, in bytes: 1 MiB, or one larger record. */
const BYTES_MAX = 1_048_576;
/** Without records there is a batch all the same before 5 s are over, in ms. */
const IDLE_MS = 4900;
/** How long a read waits that was throttled without being told for how long, in ms. */
const THROTTLED_MS = 100;

/** One read of a subscription. */
export interface FedBatch {
  /** Empty when nothing came for 5 s. */
  readonly batch: RecordBatch;
  readonly part: SlicePart;
}

/** The reads of one subscription. Must be closed. */
export class ShardFeed {
  /** Goes with every read, so that it lives on under the next leader. */
  readonly subscription: SubscriptionTicket;
  readonly #client: EngineClient;
  readonly #call: CallContext;
  readonly #ending = new AbortController();
  #nextIndex: number;

  /** Made by {@link ShardFeed.open}. */
  constructor(client: EngineClient, call: CallContext, subscription: SubscriptionTicket) {
    this.#client = client;
    this.#call = call;
    this.subscription = subscription;
    this.#nextIndex = subscription.nextIndex;
  }

  /** @throws ResourceNotFoundError, ResourceInUseError, InvalidArgumentError, AccessDeniedError. */
  static async open(
    client: EngineClient,
    input: InputOf<"SubscribeToShard">,
    caller: CallContext["caller"],
  ): Promise<ShardFeed> {
    const call = { operation: "SubscribeToShard", caller } as const;
    const subscription = await client.call("openSubscription", { ...call, input });
    return new ShardFeed(client, call, subscription);
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Where the next read begins. */
  get nextIndex(): number {
    return this.#nextIndex;
  }

  /**
   * The next batch; undefined when the subscription's five minutes are over or it was closed.
   *
   * @throws ResourceInUseError once another call took the subscription over; ResourceNotFoundError once
   * stream or consumer are gone; and what reads throw.
   */
  async read(): Promise<FedBatch | undefined> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        const batch = decodeSlice(await this.#client.read(this.#request(), signal));
        const [part] = batch.parts;
        if (part === undefined) throw new InternalFailureError("a read of one shard gave none");
        this.#nextIndex = part.nextIndex;
        return { batch, part };
      } catch (error) {
        if (signal.aborted || isOver(error)) return undefined;
        await this.#waitAfter(error, signal);
      }
    }
    return undefined;
  }

  /** Ends the subscription and gives up the read that is under way. Safe to call twice. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.#ending.abort();
    try {
      await this.#client.call("closeSubscription", { id: this.subscription.id });
    } catch (error) {
      // An engine that is closed has no subscriptions.
      if (!this.#client.closed) throw error;
    }
  }

  #request() {
    const { subscription } = this;
    const { streamUid, shardIndex } = subscription;
    return {
      call: this.#call,
      subscription,
      streamUid,
      cursors: [{ shardIndex, nextIndex: this.#nextIndex }],
      recordsMax: RECORDS_MAX,
      bytesMax: BYTES_MAX,
      waitMs: IDLE_MS,
    };
  }

  /** Waits when a repeat makes sense. @throws the error when it makes none. */
  async #waitAfter(error: unknown, signal: AbortSignal): Promise<void> {
    if (error instanceof ThroughputExceededError) {
      const waited = pause(this.#client.clock, error.retryAfterMs ?? THROTTLED_MS, signal);
      await waited.catch(() => undefined);
    } else if (error instanceof DeadlineError) {
      // In virtual time a read may wait for as long as nobody lets time pass; an engine that does not
      // answer this either is gone.
      await this.#client.call("now", {});
    } else {
      throw error;
    }
  }
}

/** Whether the subscription's own time is over, and not that of its stream or consumer. */
function isOver(error: unknown): boolean {
  return error instanceof ResourceNotFoundError && error.argument === "subscription";
}
