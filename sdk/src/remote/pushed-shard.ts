/** One shard that is pushed to a registered consumer by SubscribeToShard; renewed when its five minutes are over. */
import {
  DeadlineError,
  type MillraceError,
  ResourceInUseError,
  toMillraceError,
  withDeadline,
  withSignal,
} from "@millrace/engine";
import type { InputOf, StructureOf } from "@millrace/engine/model";
import { remoteFailure } from "./failure-table.ts";
import { RemoteBatch } from "./remote-batch.ts";
import { RemoteUnavailableError } from "./remote-errors.ts";
import type { ShardSource, SourceAnswer, SourceParts } from "./shard-source.ts";

type Events = AsyncIterator<StructureOf<"SubscribeToShardEventStream">>;

/** AWS refuses a second subscription within 5 s of the first one. In ms. */
const RENEWAL_MS = 6000;
/** AWS lets a consumer subscribe to a shard once a second. */
const SUBSCRIBE_MS_MIN = 1000;
/** There is an event every five seconds, if only to say that there is no record: so long none may be missing. In ms. */
const SILENCE_MS_MIN = 15_000;
/** Failures in a row after which the reading ends. */
const FAILURES_MAX = 6;

/** What a pushed source is made of. */
export interface PushedParts extends SourceParts {
  readonly consumerArn: string;
}

/** The subscription to one shard. */
export class PushedShard implements ShardSource {
  readonly #parts: PushedParts;
  #events: Events | undefined;
  #continuation: string | undefined;
  /** Wall time of the first subscription, for one to LATEST that ended before it gave anything. */
  #begunAt: number | undefined;
  #openedMs = Number.NEGATIVE_INFINITY;
  /** Whether the subscription gave anything. */
  #isSilent = true;
  #failures = 0;

  constructor(parts: PushedParts) {
    this.#parts = parts;
  }

  async next(signal: AbortSignal): Promise<SourceAnswer> {
    for (;;) {
      try {
        this.#events ??= await this.#subscribe(signal);
        const answer = await this.#take(this.#events, signal);
        if (answer !== undefined) return answer;
      } catch (error) {
        await this.#recover(error, signal);
      }
    }
  }

  close(): void {
    const events = this.#events;
    this.#events = undefined;
    // The iterator may be waiting; it is not waited for, and nobody is to hear how it ended.
    void Promise.resolve(events?.return?.()).catch(() => undefined);
  }

  /** One event; undefined when the subscription's time is over. */
  async #take(events: Events, signal: AbortSignal): Promise<SourceAnswer | undefined> {
    const { calls, shard } = this.#parts;
    const late = (): Error => new DeadlineError(`${calls.place} sent nothing for too long`);
    const silenceMs = Math.max(calls.deadlineMs, SILENCE_MS_MIN);
    const arrival = withDeadline(calls.clock, silenceMs, events.next(), late);
    const { done, value } = await withSignal(signal, arrival);
    if (done === true) {
      // Whoever serves a shard sends one within seconds, if only to say that there is no record.
      if (this.#isSilent) {
        throw new RemoteUnavailableError(`${calls.place} ended a subscription without an event`);
      }
      this.#events = undefined;
      return undefined;
    }
    const event = value.SubscribeToShardEvent;
    if (event === undefined) return undefined;
    this.#failures = 0;
    this.#isSilent = false;
    const { Records, ContinuationSequenceNumber, MillisBehindLatest } = event;
    const closed = (ContinuationSequenceNumber ?? "") === "";
    if (!closed) this.#continuation = ContinuationSequenceNumber;
    const batch = new RemoteBatch({
      shardId: shard.shardId,
      records: Records,
      millisBehindLatest: MillisBehindLatest,
      closed,
      readMs: calls.clock.nowMs(),
    });
    return { batch, done: closed };
  }

  async #subscribe(signal: AbortSignal): Promise<Events> {
    const { calls, consumerArn, shard } = this.#parts;
    const waitMs = this.#openedMs + SUBSCRIBE_MS_MIN - calls.clock.monotonicMs();
    if (waitMs > 0) await calls.pause(waitMs, signal);
    const input: InputOf<"SubscribeToShard"> = {
      ConsumerARN: consumerArn,
      ShardId: shard.shardId,
      StartingPosition: this.#position(),
    };
    const { EventStream } = await calls.call("SubscribeToShard", input, signal);
    this.#openedMs = calls.clock.monotonicMs();
    this.#isSilent = true;
    // What the official client gives as an event stream can be iterated; the model says what its items are.
    return (EventStream as AsyncIterable<StructureOf<"SubscribeToShardEventStream">>)[
      Symbol.asyncIterator
    ]();
  }

  #position(): InputOf<"SubscribeToShard">["StartingPosition"] {
    const { start, calls } = this.#parts;
    if (this.#continuation !== undefined) {
      return { Type: "AFTER_SEQUENCE_NUMBER", SequenceNumber: this.#continuation };
    }
    // The latest of now would leave out what was put since.
    if (start.type === "LATEST" && this.#begunAt !== undefined) {
      return { Type: "AT_TIMESTAMP", Timestamp: new Date(this.#begunAt) };
    }
    this.#begunAt ??= calls.clock.nowMs();
    return {
      Type: start.type,
      ...("sequenceNumber" in start ? { SequenceNumber: start.sequenceNumber } : {}),
      ...("timestampMs" in start ? { Timestamp: new Date(start.timestampMs) } : {}),
    };
  }

  /** Pauses where another subscription may go on. @throws the error where none may. */
  async #recover(thrown: unknown, signal: AbortSignal): Promise<void> {
    const { calls } = this.#parts;
    const wasOpen = this.#events !== undefined;
    this.close();
    if (signal.aborted || calls.closed) throw thrown;
    const call = { operation: "SubscribeToShard", place: calls.place, changes: false } as const;
    const error: MillraceError = wasOpen ? remoteFailure(call, thrown) : toMillraceError(thrown);
    // Of a subscription that is open it means that somebody else took the shard over.
    const tooSoon =
      error instanceof ResourceInUseError &&
      !wasOpen &&
      calls.clock.monotonicMs() - this.#openedMs < RENEWAL_MS;
    if (!tooSoon && !error.retryable) throw error;
    this.#failures += 1;
    if (this.#failures > FAILURES_MAX) throw error;
    await calls.pause(tooSoon ? RENEWAL_MS : calls.backOffMs(this.#failures), signal);
  }
}
