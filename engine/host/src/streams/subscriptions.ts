/**
 * Subscriptions of registered consumers to shards: who may open one, when it is taken over, when it
 * ends, and its own 2 MiB per second.
 *
 * They belong to an engine and not to one life of it. `follow` gives them the parts of each life. A reader
 * carries its subscription with it as a ticket, by which the next leader takes it up.
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
import type { Clock, Random } from "../platform/platform.ts";
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
  readonly consumerArn: string;
  /** Who opened it. */
  readonly principal: string;
  /** By the engine's wall clock, in ms since the Unix epoch. */
  readonly openedMs: number;
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
  /** When subscriptions were closed that were never taken up here; monotonic times by id. */
  readonly #closed = new Map<number, number>();
  readonly #random: Random;
  #parts: SubscriptionParts | undefined;
  /** Monotonic time. */
  #sweptMs = 0;

  constructor(clock: Clock, random: Random, settings: SubscriptionSettings) {
    this.#clock = clock;
    this.#random = random;
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
   * Opens a subscription, or takes over one that is at least 5 s old. `again`: the call may have opened
   * one already, so that it takes over any that the same principal opened.
   *
   * @throws AccessDeniedError, InvalidArgumentError, ResourceNotFoundError.
   * @throws ResourceInUseError when the consumer is not ACTIVE or subscribed less than 5 s ago.
   * @throws LimitExceededError with control quotas, at the second call within a second.
   */
  async open(request: SubscriptionRequest, again = false): Promise<OpenedSubscription> {
    const { consumer, position, ...target } = await this.#resolve(request);
    const { principal } = request.caller;
    const { shardIndex, nextIndex } = position;
    const nowMs = this.#clock.monotonicMs();
    this.#sweep(nowMs);
    const key = placeKey(consumer, shardIndex);
    const place = this.#placeOf(key, nowMs);
    const { newest } = place;
    const own = again && newest?.principal === principal;
    if (!own) this.#checkRate(place, consumer, shardIndex, nowMs);
    if (newest !== undefined && !own) requireOlder(newest, consumer, nowMs);
    if (newest?.state === "open") end(newest, "taken-over");
    const id = this.#newId();
    this.#enter(place, {
      ...{ id, place: key, ...target, shardIndex, principal },
      ...{ openedMs: nowMs, state: "open", wakers: new Set() },
      consumerName: consumer.name,
      consumerCreatedMs: consumer.createdMs,
    });
    const ticket = { consumerArn: consumer.arn, principal, openedMs: this.#clock.nowMs() };
    return { id, ...target, shardIndex, nextIndex, ...ticket };
  }

  /**
   * A subscription that a principal reads for; only whoever opened it may. One that an earlier leader
   * admitted is taken up by its ticket.
   *
   * @throws ResourceInUseError when another call took it over.
   * @throws ResourceNotFoundError when it was closed, its five minutes are over, or its consumer or
   * stream is gone; also when somebody else opened it.
   * @throws AccessDeniedError when it is to be taken up and the principal may not subscribe any more.
   */
  verify(ticket: OpenedSubscription, principal: string): RunningSubscription {
    const { id } = ticket;
    if (ticket.principal !== principal) throw noSuch(id);
    const entry = this.#entries.get(id) ?? this.#adopt(ticket);
    if (entry.principal !== principal) throw noSuch(id);
    if (entry.state === "taken-over") throw inUse(this.#arnOf(entry), entry.shardIndex);
    if (entry.state === "closed") throw noSuch(id);
    const remainingMs = entry.openedMs + SUBSCRIPTION_MS - this.#clock.monotonicMs();
    if (remainingMs <= 0) throw expired(id);
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
    if (entry === undefined) this.#closed.set(id, this.#clock.monotonicMs());
    else if (entry.state === "open") end(entry, "closed");
  }

  /** Ends all subscriptions and forgets them. */
  clear(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, entry] of this.#entries) {
      if (entry.state === "open") end(entry, "closed");
      this.#closed.set(id, nowMs);
    }
    this.#entries.clear();
    this.#places.clear();
  }

  async #resolve(request: SubscriptionRequest) {
    const { ConsumerARN: arn, ShardId: shardId, caller } = request;
    const { stream, consumer } = this.#admissible(arn, caller.principal);
    const wanted = startingPositionOf(request.StartingPosition, this.#clock.nowMs());
    const [position] = await resolvePosition(this.#required().log, stream, wanted, shardId);
    if (position === undefined) throw ResourceNotFoundError.shard(shardId, stream.name);
    return { consumer, position, streamUid: stream.uid, streamName: stream.name };
  }

  /** The consumer of an ARN, which a principal may subscribe for. */
  #admissible(arn: string, principal: string) {
    const { catalogue, documents, access } = this.#required();
    const resource = parseArn(arn);
    if (resource?.kind !== "consumer") throw consumerNotFound(arn);
    const stream = catalogue.get(resource.streamName);
    catalogue.requireUsable(stream);
    const consumer = consumerByArn(documents, stream, resource, this.#clock.nowMs());
    access.check(principal, "SubscribeToShard", { arn: consumer.arn, key: consumer.key });
    if (consumer.status !== "ACTIVE") {
      throw new ResourceInUseError(
        `Consumer ${consumer.arn} under account ${ACCOUNT_ID} not ACTIVE, instead in state ` +
          `${consumer.status}`,
        { argument: "ConsumerARN", value: consumer.status },
      );
    }
    return { stream, consumer };
  }

  /**
   * Takes up a subscription that an earlier leader admitted. What its ticket says is believed as far as
   * its holder could have had it by a call of its own: whoever takes over another subscription has to
   * be five seconds younger here, too.
   */
  #adopt(ticket: OpenedSubscription): Entry {
    const { id, streamUid, shardIndex, principal } = ticket;
    checkTicket(ticket);
    if (this.#closed.has(id)) throw noSuch(id);
    const nowMs = this.#clock.monotonicMs();
    this.#sweep(nowMs);
    const ageMs = Math.max(0, this.#clock.nowMs() - ticket.openedMs);
    if (ageMs >= SUBSCRIPTION_MS) throw expired(id);
    const { stream, consumer } = this.#admissible(ticket.consumerArn, principal);
    const isThere = stream.shards.some((shard) => shard.shardIndex === shardIndex);
    if (stream.uid !== streamUid || !isThere) throw noSuch(id);
    const key = placeKey(consumer, shardIndex);
    const place = this.#placeOf(key, nowMs);
    const openedMs = nowMs - ageMs;
    const { newest } = place;
    if (newest !== undefined && waitMsFor(newest, consumer, openedMs) > 0) {
      throw inUse(consumer.arn, shardIndex);
    }
    if (newest?.state === "open") end(newest, "taken-over");
    return this.#enter(place, {
      ...{ id, place: key, streamUid, streamName: stream.name, shardIndex, principal },
      ...{ openedMs, state: "open", wakers: new Set() },
      consumerName: consumer.name,
      consumerCreatedMs: consumer.createdMs,
    });
  }

  #enter(place: Place, entry: Entry): Entry {
    place.newest = entry;
    this.#entries.set(entry.id, entry);
    return entry;
  }

  /** Random, so that no two leaders give the same one: 53 bits, which a number holds. */
  #newId(): number {
    const bytes = this.#random.fill(new Uint8Array(8));
    return Number(new DataView(bytes.buffer).getBigUint64(0) >> 11n);
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
    for (const [id, closedMs] of this.#closed) if (closedMs < before) this.#closed.delete(id);
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

/** Milliseconds until a call at a monotonic time is late enough to take a subscription over; 0 or less when it is. */
function waitMsFor(newest: Entry, consumer: Consumer, openedMs: number): number {
  // A consumer that was deregistered and registered again has nothing to wait for.
  const same = newest.consumerCreatedMs === consumer.createdMs;
  return same ? newest.openedMs + TAKE_OVER_AFTER_MS - openedMs : 0;
}

function requireOlder(newest: Entry, consumer: Consumer, nowMs: number): void {
  const waitMs = waitMsFor(newest, consumer, nowMs);
  if (waitMs > 0) throw inUse(consumer.arn, newest.shardIndex, waitMs);
}

function placeKey({ key }: Consumer, shardIndex: number): string {
  return `${key}${shardIndex}`;
}

/** Refuses what no leader has written. @throws InvalidArgumentError. */
function checkTicket(ticket: OpenedSubscription): void {
  const { id, openedMs, consumerArn } = ticket;
  if (Number.isSafeInteger(id) && Number.isFinite(openedMs) && typeof consumerArn === "string") {
    return;
  }
  throw new InvalidArgumentError("the ticket of a subscription is malformed", {
    argument: "subscription",
  });
}

function noSuch(id: number): ResourceNotFoundError {
  return new ResourceNotFoundError(`There is no subscription ${id}: it was closed or expired.`, {
    argument: "subscription",
    value: id,
  });
}

function expired(id: number): ResourceNotFoundError {
  return new ResourceNotFoundError(
    `The subscription ${id} expired ${SUBSCRIPTION_MS / 60_000} minutes after it was opened.`,
    { argument: "subscription", value: id, limit: SUBSCRIPTION_MS },
  );
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
