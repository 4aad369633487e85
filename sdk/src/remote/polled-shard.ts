/** One shard that is read by GetRecords: within AWS's rates, over iterators that expire, to its end or for ever. */
import { ExpiredIteratorError, ThroughputExceededError } from "@millrace/engine";
import type { InputOf, OutputOf } from "@millrace/engine/model";
import { RemoteBatch } from "./remote-batch.ts";
import type { ReadCalls } from "./remote-calls.ts";
import type { ShardSource, SourceAnswer, SourceParts, SourceStart } from "./shard-source.ts";

/** AWS lets all readers of a shard together make five calls a second. */
const CALL_MS_MIN = 200;
const RECORDS_MAX = 10_000;
/** AWS's iterators live for five minutes; one that marks an end is renewed before. */
const MARK_MS_MAX = 240_000;
/** So many new iterators in a row may expire before their time by our clock, which may have slept. */
const EXPIRED_MAX = 3;
/** How much an answer's age and our own time may disagree, in ms. */
const DRIFT_MS = 1000;

/** What a polled source is made of. */
export interface PolledParts extends Omit<SourceParts, "calls"> {
  readonly calls: ReadCalls;
  /** Between two reads that had nothing new, in ms. */
  readonly pollMs: number;
  /** Reads up to the end that the shard has now, instead of for ever. */
  readonly toEnd: boolean;
  /** Where LATEST is by the wall clock, in ms since the Unix epoch, should its iterator expire; now when absent. */
  readonly latestMs?: number | undefined;
}

/** An answer whose records are not handed out yet. */
interface FetchedAnswer extends Pick<OutputOf<"GetRecords">, "Records"> {
  readonly millisBehindLatest: number;
  readonly closed: boolean;
  /** When it came, by the wall clock. */
  readonly readMs: number;
}

/** The polls of one shard. */
export class PolledShard implements ShardSource {
  readonly #parts: PolledParts;
  readonly #begunMs: number;
  /** Wall time, for an iterator LATEST that expired before it gave anything. */
  readonly #begunAt: number;
  #iterator: string | undefined;
  /** When it was asked for, if that was since the last answer. */
  #newMs: number | undefined;
  /** New iterators that expired before their time since the last answer. */
  #expired = 0;
  #lastSequenceNumber: string | undefined;
  #nextMs = 0;
  /** An iterator that stands where the shard ended when the reading began. */
  #mark: string | undefined;
  #markMs = 0;
  /** Sequence number of the first record that came later, once that is known. */
  #firstLater: string | undefined;
  /** Kept while looking for the end fails: the next read begins behind it. */
  #fetched: FetchedAnswer | undefined;

  constructor(parts: PolledParts) {
    this.#parts = parts;
    const { clock } = parts.calls;
    this.#begunMs = clock.monotonicMs();
    this.#begunAt = parts.latestMs ?? clock.nowMs();
  }

  /** Fixes what depends on the present: LATEST, and the end. */
  async begin(signal: AbortSignal, closed: boolean): Promise<void> {
    const { start, toEnd } = this.#parts;
    if (start.type === "LATEST") this.#iterator = await this.#iteratorAt(start, signal);
    if (!toEnd || closed) return;
    this.#mark = await this.#iteratorAt({ type: "LATEST" }, signal);
    this.#markMs = this.#parts.calls.clock.monotonicMs();
  }

  /** As {@link read}, but goes on for as long as the shard is throttled. */
  async next(signal: AbortSignal): Promise<SourceAnswer> {
    for (;;) {
      try {
        return await this.read(signal);
      } catch (error) {
        if (!(error instanceof ThroughputExceededError)) throw error;
      }
    }
  }

  /**
   * The next answer; may be called again whatever it threw. @throws ThroughputExceededError when the shard was throttled
   * for as long as a call may take; the signal's reason; MillraceError.
   */
  async read(signal: AbortSignal): Promise<SourceAnswer> {
    for (;;) {
      await this.#pace(signal);
      try {
        return await this.#handOut(signal);
      } catch (error) {
        if (!(error instanceof ExpiredIteratorError)) throw error;
        this.#renew(error);
      }
    }
  }

  close(): void {
    this.#iterator = undefined;
  }

  /** Another iterator takes the place of one that expired. @throws the error where that would go on without an end. */
  #renew(error: ExpiredIteratorError): void {
    const lifeMs = this.#parts.calls.clock.monotonicMs() - (this.#newMs ?? 0);
    // A call that was ridden out may have taken longer than iterators live.
    if (this.#newMs !== undefined && lifeMs < MARK_MS_MAX) this.#expired += 1;
    if (this.#expired >= EXPIRED_MAX) throw error;
    this.#iterator = undefined;
  }

  async #handOut(signal: AbortSignal): Promise<SourceAnswer> {
    const { shard, toEnd } = this.#parts;
    this.#fetched ??= await this.#fetch(signal);
    const { Records, millisBehindLatest, closed, readMs } = this.#fetched;
    if (toEnd && Records.length > 0) await this.#findEnd(millisBehindLatest, signal);
    this.#fetched = undefined;
    const records = toEnd ? Records.filter(this.#isWanted) : Records;
    const isCaughtUp = Records.length === 0 && millisBehindLatest === 0;
    const atEnd = toEnd && (isCaughtUp || records.length < Records.length);
    const { shardId } = shard;
    const batch = new RemoteBatch({ shardId, records, millisBehindLatest, closed, readMs });
    return { batch, done: closed || atEnd };
  }

  async #fetch(signal: AbortSignal): Promise<FetchedAnswer> {
    const { calls, pollMs, toEnd } = this.#parts;
    if (this.#iterator === undefined) {
      this.#iterator = await this.#iteratorAt(this.#position(), signal);
      this.#newMs = calls.clock.monotonicMs();
    }
    const answer = await this.#getRecords(this.#iterator, RECORDS_MAX, signal);
    const { Records, NextShardIterator, MillisBehindLatest = 0 } = answer;
    this.#iterator = NextShardIterator ?? undefined;
    this.#newMs = undefined;
    this.#expired = 0;
    const last = Records.at(-1);
    if (last !== undefined) this.#lastSequenceNumber = last.SequenceNumber;
    const waits = last === undefined && MillisBehindLatest === 0 && !toEnd;
    this.#nextMs = calls.clock.monotonicMs() + (waits ? pollMs : CALL_MS_MIN);
    const [millisBehindLatest, closed] = [MillisBehindLatest, this.#iterator === undefined];
    return { Records, millisBehindLatest, closed, readMs: calls.clock.nowMs() };
  }

  readonly #isWanted = ({ SequenceNumber }: { readonly SequenceNumber: string }): boolean =>
    this.#firstLater === undefined || BigInt(SequenceNumber) < BigInt(this.#firstLater);

  /** Looks whether records came after the reading began, if the last answer may hold any of those. */
  async #findEnd(millisBehindLatest: number, signal: AbortSignal): Promise<void> {
    if (this.#mark === undefined) return;
    const nowMs = this.#parts.calls.clock.monotonicMs();
    const isOld = millisBehindLatest > nowMs - this.#begunMs + DRIFT_MS;
    if (isOld && nowMs - this.#markMs < MARK_MS_MAX) return;
    await this.#pace(signal);
    try {
      const { Records, NextShardIterator } = await this.#getRecords(this.#mark, 1, signal);
      this.#firstLater = Records[0]?.SequenceNumber;
      this.#mark = this.#firstLater === undefined ? (NextShardIterator ?? undefined) : undefined;
    } catch (error) {
      // A shard that waited too long for its turn ends where it is caught up with.
      if (!(error instanceof ExpiredIteratorError)) throw error;
      this.#mark = undefined;
    }
    this.#markMs = this.#parts.calls.clock.monotonicMs();
    this.#nextMs = this.#markMs + CALL_MS_MIN;
  }

  /** Where the reading goes on when it has no iterator. */
  #position(): SourceStart {
    const sequenceNumber = this.#lastSequenceNumber;
    if (sequenceNumber !== undefined) return { type: "AFTER_SEQUENCE_NUMBER", sequenceNumber };
    const { start } = this.#parts;
    if (start.type !== "LATEST") return start;
    return { type: "AT_TIMESTAMP", timestampMs: this.#begunAt };
  }

  async #iteratorAt(position: SourceStart, signal: AbortSignal): Promise<string> {
    const { calls, streamName, shard } = this.#parts;
    const input: InputOf<"GetShardIterator"> = {
      StreamName: streamName,
      ShardId: shard.shardId,
      ShardIteratorType: position.type,
      ...("sequenceNumber" in position ? { StartingSequenceNumber: position.sequenceNumber } : {}),
      ...("timestampMs" in position ? { Timestamp: new Date(position.timestampMs) } : {}),
    };
    const { ShardIterator } = await calls.call("GetShardIterator", input, signal);
    return ShardIterator ?? "";
  }

  #getRecords(
    ShardIterator: string,
    Limit: number,
    signal: AbortSignal,
  ): Promise<OutputOf<"GetRecords">> {
    return this.#parts.calls.call("GetRecords", { ShardIterator, Limit }, signal);
  }

  async #pace(signal: AbortSignal): Promise<void> {
    const { calls } = this.#parts;
    const waitMs = this.#nextMs - calls.clock.monotonicMs();
    if (waitMs > 0) await calls.pause(waitMs, signal);
    this.#nextMs = calls.clock.monotonicMs() + CALL_MS_MIN;
  }
}
