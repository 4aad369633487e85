/**
 * Reads the shards of a worker's leases as a registered consumer: one subscription for each lease, with 2 MiB/s
 * of its own. The consumer has the group's name, and all workers of the group share it.
 */
import {
  type EngineClient,
  MillraceError,
  pause,
  ResourceInUseError,
  ResourceNotFoundError,
  ROOT_PRINCIPAL,
  type StreamDescription,
} from "@millrace/engine";
import { numberBefore } from "../aws/continuation.ts";
import { ShardFeed } from "../aws/shard-feed.ts";
import { allShards } from "../shard-turns.ts";
import { deregisterConsumer, listConsumers, registerConsumer } from "../stream-control.ts";
import { backOffMs } from "./back-off.ts";
import { describedOr } from "./shard-directory.ts";
import {
  type FetchedPart,
  type HeldBytes,
  HeldParts,
  type ReadFailureListener,
  ShardGoneError,
  type ShardSource,
} from "./shard-source.ts";

const CALLER = { principal: ROOT_PRINCIPAL };
/** First pause after a subscription that was not to be had, in ms. */
const RETRY_MS = 200;

/** What a reader works with. */
export interface FanOutParts {
  readonly client: EngineClient;
  readonly stream: StreamDescription;
  readonly groupName: string;
  readonly held: HeldBytes;
  readonly onFailure: ReadFailureListener;
}

/** See above. */
export class FanOutReader {
  readonly #parts: FanOutParts;
  #consumerArn: Promise<string> | undefined;

  constructor(parts: FanOutParts) {
    this.#parts = parts;
  }

  /** A shard, from an index on. */
  source(shardIndex: number, nextIndex: number, createdSeconds: number): ShardSource {
    const place = { shardIndex, nextIndex, createdSeconds };
    return new SubscribedShard(this.#parts, place, {
      find: () => this.#consumer(),
      forget: () => {
        this.#consumerArn = undefined;
      },
    });
  }

  /** The group's consumer, which is registered when it is not there. */
  async #consumer(): Promise<string> {
    this.#consumerArn ??= this.#register().then(async (arn) => {
      await this.#requireGroup();
      return arn;
    });
    try {
      return await this.#consumerArn;
    } catch (error) {
      this.#consumerArn = undefined;
      throw error;
    }
  }

  async #register(): Promise<string> {
    const { client, stream, groupName } = this.#parts;
    const found = await findConsumer(client, stream, groupName);
    if (found !== undefined) return found;
    try {
      return (await registerConsumer(client, stream, groupName)).arn;
    } catch (error) {
      // Another worker was quicker.
      const now = await findConsumer(client, stream, groupName);
      if (now === undefined) throw error;
      return now;
    }
  }

  /** Whoever deleted the group may have looked for its consumer before there was one: it must not stay. */
  async #requireGroup(): Promise<void> {
    const { client, stream, groupName } = this.#parts;
    try {
      await client.call("groupsDescribe", { name: groupName });
    } catch (error) {
      if (error instanceof ResourceNotFoundError) {
        await forgetConsumer(client, stream, groupName).catch(() => undefined);
      }
      throw error;
    }
  }
}

async function findConsumer(
  client: EngineClient,
  stream: StreamDescription,
  name: string,
): Promise<string | undefined> {
  const consumers = await listConsumers(client, stream);
  return consumers.find((consumer) => consumer.name === name)?.arn;
}

/** Ends the registration of a group's consumer, if it has one. */
export async function forgetConsumer(
  client: EngineClient,
  stream: StreamDescription,
  groupName: string,
): Promise<void> {
  if ((await findConsumer(client, stream, groupName)) === undefined) return;
  await deregisterConsumer(client, stream, groupName);
}

/** The group's registered consumer, as its shards see it. */
interface SharedConsumer {
  find(): Promise<string>;
  /** It may not be there any more. */
  forget(): void;
}

/** One shard that is subscribed to. */
class SubscribedShard implements ShardSource {
  readonly #parts: FanOutParts;
  readonly #consumer: SharedConsumer;
  readonly #shardIndex: number;
  readonly #createdSeconds: number;
  readonly #ending = new AbortController();
  #nextIndex: number;
  #feed: ShardFeed | undefined;
  readonly #held: HeldParts;

  constructor(
    parts: FanOutParts,
    place: { shardIndex: number; nextIndex: number; createdSeconds: number },
    consumer: SharedConsumer,
  ) {
    this.#parts = parts;
    this.#consumer = consumer;
    this.#held = new HeldParts(parts.held);
    this.#shardIndex = place.shardIndex;
    this.#createdSeconds = place.createdSeconds;
    this.#nextIndex = place.nextIndex;
  }

  async next(): Promise<FetchedPart> {
    const { signal } = this.#ending;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#held.room(signal);
        const fetched = await this.#read();
        if (fetched !== undefined) return fetched;
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        await this.#recover(error, failures);
      }
    }
    return await new Promise<never>(() => undefined);
  }

  close(): void {
    this.#ending.abort();
    this.#held.releaseAll();
    void this.#drop();
  }

  /** One read; undefined when it brought nothing, or the subscription is over. */
  async #read(): Promise<FetchedPart | undefined> {
    this.#feed ??= await this.#open();
    if (this.#ending.signal.aborted) {
      await this.#drop();
      return undefined;
    }
    const fed = await this.#feed.read();
    if (fed === undefined || this.#ending.signal.aborted) {
      this.#feed = undefined;
      return undefined;
    }
    const { batch, part } = fed;
    this.#nextIndex = part.nextIndex;
    if (batch.length === 0 && !part.shardClosed) return undefined;
    return this.#held.hold(batch, part);
  }

  async #open(): Promise<ShardFeed> {
    const [shardIndex, createdSeconds] = [this.#shardIndex, this.#createdSeconds];
    const SequenceNumber = numberBefore({ shardIndex, createdSeconds, nextIndex: this.#nextIndex });
    const input = {
      ConsumerARN: await this.#consumer.find(),
      ShardId: String(shardIndex),
      StartingPosition: { Type: "AFTER_SEQUENCE_NUMBER", SequenceNumber } as const,
    };
    return await ShardFeed.open(this.#parts.client, input, CALLER);
  }

  async #drop(): Promise<void> {
    const feed = this.#feed;
    this.#feed = undefined;
    // A subscription that cannot be closed ends by itself.
    await feed?.close().catch(() => undefined);
  }

  /**
   * What is not there may be the consumer, which is registered again. Answers with what failed: the cause, or what
   * keeps it from being known. @throws ShardGoneError, ResourceNotFoundError.
   */
  async #requireShard(cause: ResourceNotFoundError): Promise<MillraceError> {
    const { client, stream } = this.#parts;
    this.#consumer.forget();
    const description = await describedOr(client, stream.name);
    if (description instanceof MillraceError) return description;
    const shards = description.uid === stream.uid ? allShards(description) : [];
    if (shards.some(({ shardIndex }) => shardIndex === this.#shardIndex)) return cause;
    throw new ShardGoneError(this.#shardIndex, cause);
  }

  /** Waits when a repeat makes sense. @throws the error when it makes none. */
  async #recover(failure: unknown, failures: number): Promise<void> {
    const { client, onFailure } = this.#parts;
    await this.#drop();
    if (client.closed || !(failure instanceof MillraceError)) throw failure;
    const missing = failure instanceof ResourceNotFoundError;
    const error = missing ? await this.#requireShard(failure) : failure;
    // Whoever had the lease before may still be subscribed for some seconds: nothing has failed.
    const taken = error instanceof ResourceInUseError;
    const retryMs = (taken ? error.retryAfterMs : undefined) ?? backOffMs(RETRY_MS, failures);
    if (!taken) onFailure([this.#shardIndex], { attempt: failures, error, retryMs });
    await pause(client.clock, retryMs, this.#ending.signal).catch(() => undefined);
  }
}
