/**
 * Subscriptions of registered consumers to shards: who may open one, when it is taken over, when it
 * ends, and its own 2 MiB per second.
 *
 * They belong to an engine and not to one life of it. `follow` gives them the parts of each life.
 */
import type { AccessControl } from "../access/access-control.ts";
import {
  ACCOUNT_ID,
  InvalidArgumentError,
  LimitExceededError,
  ResourceInUseError,
  ResourceNotFoundError,
} from "../errors/index.ts";
import type { Log } from "../log/log.ts";
import type { InputOf } from "../model/shapes.ts";
import type { Clock } from "../platform/platform.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import { parseArn } from "./arns.ts";
import type { Catalogue } from "./catalogue.ts";
import { type Consumer, consumerByArn, consumerNotFound, findConsumer } from "./consumers.ts";
import type { Documents } from "./documents.ts";
import { resolvePosition } from "./positions.ts";
import { ReadTank } from "./read-tank.ts";
import type { StartingPosition } from "./stream-types.ts";

/** How long a subscription lasts, in ms: 5 minutes. */
export const SUBSCRIPTION_MS = 300_000;
/** How long after a successful call nobody can take the subscription over, in ms. */
export const TAKE_OVER_AFTER_MS = 5_000;
/** Time between two looks for what can be forgotten, in ms. */
const SWEEP_INTERVAL_MS = 60_000;
/** With control quotas, time between two calls for one consumer and shard, in ms. */
const CALL_INTERVAL_MS = 1_000;

/** The parts of an engine's life that admission looks at. */
export interface SubscriptionParts {
  readonly log: Log;
  readonly catalogue: Catalogue;
  readonly documents: Documents;
  readonly access: AccessControl;
}

/** How subscriptions are limited. */
export interface SubscriptionSettings {
  /** Whether each has 2 MiB per second, or as much as there is. */
  readonly readQuotas: boolean;
  /** Whether AWS's rate of calls is enforced. */
  readonly controlQuotas: boolean;
}

/** A call of SubscribeToShard: its validated input and who makes it. */
export type SubscriptionRequest = InputOf<"SubscribeToShard"> & {
  readonly caller: { readonly principal: string };
};

/** What was admitted. */
export interface OpenedSubscription {
  readonly id: number;
  readonly streamUid: number;
  readonly streamName: string;
  readonly shardIndex: number;
  /** Sequence index that the first read begins with. */
  readonly nextIndex: number;
}

/** A subscription that still runs. */
export interface RunningSubscription {
  readonly streamUid: number;
  readonly shardIndex: number;
  readonly consumerName: string;
  /** Milliseconds until it ends by itself. */
  readonly remainingMs: number;
}

interface Entry {
  readonly id: number;
  readonly place: string;
  readonly streamUid: number;
  readonly streamName: string;
  readonly shardIndex: number;
  readonly consumerName: string;
  readonly consumerCreatedMs: number;
  /** Who opened it. */
  readonly principal: string;
  /** Monotonic time. */
  readonly openedMs: number;
  state: "open" | "taken-over" | "closed";
  readonly wakers: Set<() => void>;
}

/** What is known of one consumer in one shard, from one subscription to the next. */
interface Place {
  /** Newest subscription, whatever became of it. */
  newest: Entry | undefined;
  /** Monotonic time of the last call. */
  calledMs: number;
  readonly tank: ReadTank;
}

/** All subscriptions of one engine. */
export class Subscriptions {
  readonly #clock: Clock;
  readonly #settings: SubscriptionSettings;
  readonly #entries = new Map<number, Entry>();
  readonly #places = new Map<string, Place>();
  #parts: SubscriptionParts | undefined;
  #nextId = 1;
  /** Monotonic time. */
  #sweptMs = 0;

  constructor(clock: Clock, settings: SubscriptionSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  /** From now on looks at these parts; called once for every life of the engine. */
  follow(parts: SubscriptionParts): void {
    this.#parts = parts;
  }

  /**
   * Makes every check of a call but the last one, whether the subscription is taken: what a dry run
   * wants to know.
   *
   * @throws AccessDeniedError, InvalidArgumentError, ResourceNotFoundError, ResourceInUseError.
   */
  async check(request: SubscriptionRequest): Promise<void> {
    await this.#resolve(request);
  }

  /**
   * Opens a subscription, or takes over one that is at least 5 s old.
   *
   * @throws AccessDeniedError, InvalidArgumentError, ResourceNotFoundError.
   * @throws ResourceInUseError when the consumer is not ACTIVE or subscribed less than 5 s ago.
   * @throws LimitExceededError with control quotas, at the second call within a second.
   */
  async open(request: SubscriptionRequest): Promise<OpenedSubscription> {
    const { consumer, position, ...target } = await this.#resolve(request);
    const nowMs = this.#clock.monotonicMs();
    this.#sweep(nowMs);
    const key = `${consumer.key}${position.shardIndex}`;
    const place = this.#placeOf(key, nowMs);
    this.#checkRate(place, consumer, position.shardIndex, nowMs);
    const { newest } = place;
    if (newest !== undefined) this.#takeOver(newest, consumer, nowMs);
    const entry: Entry = {
      id: this.#nextId,
      place: key,
      ...target,
      shardIndex: position.shardIndex,
      consumerName: consumer.name,
      consumerCreatedMs: consumer.createdMs,
      principal: request.caller.principal,
      openedMs: nowMs,
      state: "open",
      wakers: new Set(),
    };
    this.#nextId += 1;
    place.newest = entry;
    this.#entries.set(entry.id, entry);
    return {
      id: entry.id,
      ...target,
      shardIndex: position.shardIndex,
      nextIndex: position.nextIndex,
    };
  }

  /**
   * A subscription that a principal reads for; only whoever opened it may.
   *
   * @throws ResourceInUseError when another call took it over.
   * @throws ResourceNotFoundError when it was closed, its five minutes are over, or its consumer or
   * stream is gone; also when somebody else opened it.
   */
  verify(id: number, principal: string): RunningSubscription {
    const known = this.#entries.get(id);
    const entry = known?.principal === principal ? known : undefined;
    if (entry?.state === "taken-over") throw inUse(this.#arnOf(entry), entry.shardIndex);
    if (entry === undefined || entry.state === "closed") {
      throw new ResourceNotFoundError(`There is no subscription ${id}: it was closed or expired.`, {
        argument: "subscriptionId",
        value: id,
      });
    }
    const remainingMs = entry.openedMs + SUBSCRIPTION_MS - this.#clock.monotonicMs();
    if (remainingMs <= 0) {
      throw new ResourceNotFoundError(
        `The subscription ${id} expired ${SUBSCRIPTION_MS / 60_000} minutes after it was opened.`,
        { argument: "subscriptionId", value: id, limit: SUBSCRIPTION_MS },
      );
    }
    this.#arnOf(entry);
    const { streamUid, shardIndex, consumerName } = entry;
    return { streamUid, shardIndex, consumerName, remainingMs };
  }

  /** Milliseconds until the subscription may read; 0 when it may now. Times are monotonic. */
  admit(id: number, nowMs: number): number {
    return this.#tankOf(id)?.waitMs(nowMs) ?? 0;
  }

  /** Counts the bytes of a read against the subscription's consumer in its shard. */
  charge(id: number, byteLength: number, nowMs: number): void {
    this.#tankOf(id)?.take(byteLength, nowMs);
  }

  /** Calls `wake` once when the subscription is taken over or closed. Returns the cancellation. */
  onEnd(id: number, wake: () => void): () => void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.state !== "open") {
      wake();
      return () => undefined;
    }
    entry.wakers.add(wake);
    return () => {
      entry.wakers.delete(wake);
    };
  }

  /** Ends a subscription; one that has ended already is no error. */
  close(id: number): void {
    const entry = this.#entries.get(id);
    if (entry?.state === "open") end(entry, "closed");
  }

  /** Ends all subscriptions and forgets them. */
  clear(): void {
    for (const entry of this.#entries.values()) if (entry.state === "open") end(entry, "closed");
    this.#entries.clear();
    this.#places.clear();
  }

  async #resolve(request: SubscriptionRequest) {
    const { log, catalogue, documents, access } = this.#required();
    const { ConsumerARN: arn, ShardId: shardId, caller } = request;
    const resource = parseArn(arn);
    if (resource?.kind !== "consumer") throw consumerNotFound(arn);
    const stream = catalogue.get(resource.streamName);
    catalogue.requireUsable(stream);
    const nowMs = this.#clock.nowMs();
    const consumer = consumerByArn(documents, stream, resource, nowMs);
    access.check(caller.principal, "SubscribeToShard", { arn: consumer.arn, key: consumer.key });
    if (consumer.status !== "ACTIVE") {
      throw new ResourceInUseError(
        `Consumer ${consumer.arn} under account ${ACCOUNT_ID} not ACTIVE, instead in state ` +
          `${consumer.status}`,
        { argument: "ConsumerARN", value: consumer.status },
      );
    }
    const wanted = startingPositionOf(request.StartingPosition, nowMs);
    const [position] = await resolvePosition(log, stream, wanted, shardId);
    if (position === undefined) throw ResourceNotFoundError.shard(shardId, stream.name);
    return { consumer, position, streamUid: stream.uid, streamName: stream.name };
  }

  #required(): SubscriptionParts {
    if (this.#parts === undefined) throw new Error("subscriptions follow no engine yet");
    return this.#parts;
  }

  #placeOf(key: string, nowMs: number): Place {
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const place = {
      newest: undefined,
      calledMs: Number.NEGATIVE_INFINITY,
      tank: new ReadTank(nowMs),
    };
    this.#places.set(key, place);
    return place;
  }

  #checkRate(place: Place, consumer: Consumer, shardIndex: number, nowMs: number): void {
    const waitMs = place.calledMs + CALL_INTERVAL_MS - nowMs;
    if (this.#settings.controlQuotas && waitMs > 0) {
      throw new LimitExceededError(
        `Rate exceeded for SubscribeToShard of consumer ${consumer.arn} and shard ` +
          `${shardIdOf(shardIndex)} under account ${ACCOUNT_ID}. Limit: 1 call per second.`,
        {
          argument: "ShardId",
          value: shardIdOf(shardIndex),
          limit: "1 call/s",
          retryable: true,
          retryAfterMs: waitMs,
        },
      );
    }
    place.calledMs = nowMs;
  }

  #takeOver(newest: Entry, consumer: Consumer, nowMs: number): void {
    // A consumer that was deregistered and registered again has nothing to wait for.
    const same = newest.consumerCreatedMs === consumer.createdMs;
    const waitMs = newest.openedMs + TAKE_OVER_AFTER_MS - nowMs;
    if (same && waitMs > 0) throw inUse(consumer.arn, newest.shardIndex, waitMs);
    if (newest.state === "open") end(newest, "taken-over");
  }

  /** ARN of a subscription's consumer. @throws ResourceNotFoundError when the consumer or its stream is gone. */
  #arnOf(entry: Entry): string {
    const { catalogue, documents } = this.#required();
    const { streamUid, consumerName } = entry;
    const stream = catalogue.getByUid(streamUid);
    const found = findConsumer(documents, stream, consumerName, this.#clock.nowMs());
    if (found?.createdMs === entry.consumerCreatedMs && found.status === "ACTIVE") return found.arn;
    throw consumerNotFound(consumerName);
  }

  #tankOf(id: number): ReadTank | undefined {
    if (!this.#settings.readQuotas) return undefined;
    const entry = this.#entries.get(id);
    return entry === undefined ? undefined : this.#places.get(entry.place)?.tank;
  }

  /** Once in a while, forgets what ended so long ago that nobody asks for it any more. */
  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < SWEEP_INTERVAL_MS) return;
    this.#sweptMs = nowMs;
    const before = nowMs - 2 * SUBSCRIPTION_MS;
    for (const [id, entry] of this.#entries) if (entry.openedMs < before) this.#entries.delete(id);
    for (const [key, { newest, calledMs }] of this.#places) {
      if (calledMs < before && (newest?.openedMs ?? calledMs) < before) this.#places.delete(key);
    }
  }
}

function end(entry: Entry, state: "taken-over" | "closed"): void {
  entry.state = state;
  for (const wake of entry.wakers) wake();
  entry.wakers.clear();
}

function inUse(arn: string, shardIndex: number, retryAfterMs?: number): ResourceInUseError {
  return new ResourceInUseError(
    `Another active subscription exists for this consumer: ${arn} and shard ${shardIdOf(shardIndex)} ` +
      `under account ${ACCOUNT_ID}.`,
    {
      argument: "ShardId",
      value: shardIdOf(shardIndex),
      ...(retryAfterMs === undefined ? {} : { retryable: true, retryAfterMs }),
    },
  );
}

/** A starting position in the engine's words. @throws InvalidArgumentError when its members do not fit its type. */
export function startingPositionOf(
  given: InputOf<"SubscribeToShard">["StartingPosition"],
  nowMs: number,
): StartingPosition {
  const { Type: type, SequenceNumber: sequenceNumber, Timestamp: timestamp } = given;
  switch (type) {
    case "TRIM_HORIZON":
    case "LATEST":
      return { type };
    case "AT_TIMESTAMP":
      if (timestamp === undefined) throw missing("Timestamp", type);
      if (timestamp.getTime() > nowMs) {
        throw new InvalidArgumentError(
          `The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. ` +
            `timestampInMillis: ${timestamp.getTime()}, currentTimestampInMillis: ${nowMs}`,
          { argument: "StartingPosition.Timestamp", value: timestamp.getTime(), limit: nowMs },
        );
      }
      return { type, timestampMs: timestamp.getTime() };
    case "AT_SEQUENCE_NUMBER":
    case "AFTER_SEQUENCE_NUMBER":
      if (sequenceNumber === undefined) throw missing("SequenceNumber", type);
      return { type, sequenceNumber };
  }
}

function missing(member: string, type: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `Must specify ${member} in StartingPosition for the type ${type}.`,
    { argument: `StartingPosition.${member}` },
  );
}
