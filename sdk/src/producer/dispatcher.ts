/** Makes a producer's calls: when user records are due, within its limits, and again where that is of use. */
import {
  type EngineClient,
  pause,
  randomFraction,
  type systemRandom,
  toMillraceError,
} from "@millrace/engine";
import { CallResults, type SentCall, type StrangeGroup, type Unsettled } from "./call-results.ts";
import type { ProducerSettings } from "./options.ts";
import { failedError, type PendingRecord } from "./pending-record.ts";
import type { ProducerTally } from "./producer-tally.ts";
import type { PutTarget, TargetListing } from "./put-target.ts";
import type { ShardLane } from "./shard-lane.ts";
import { ShardLanes } from "./shard-lanes.ts";

/** Time and chance. */
export interface Surroundings {
  readonly clock: EngineClient["clock"];
  readonly random: typeof systemRandom;
}

/** What a dispatcher is made of. */
export interface DispatcherParts extends Surroundings {
  readonly target: PutTarget;
  readonly listing: TargetListing;
  readonly settings: ProducerSettings;
  readonly tally: ProducerTally;
  readonly onSettled: (record: PendingRecord) => void;
}

/** The calls of one producer. */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #lanes: ShardLanes;
  readonly #results: CallResults;
  #calls = 0;
  #flushedOrdinal = -1;
  #turnScheduled = false;
  #timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;
  /** The shards are being asked for; until they are known, no call is made. */
  #refreshing = false;
  /** Groups in shards that they were not meant for. */
  #strange: StrangeGroup[] = [];
  #onIdle: () => void = () => undefined;

  constructor(parts: DispatcherParts) {
    const { settings, target, listing, tally, onSettled } = parts;
    this.#parts = parts;
    this.#lanes = new ShardLanes(settings, target, listing);
    const { repeatsUncertain = false } = target;
    this.#results = new CallResults(settings, tally, onSettled, repeatsUncertain);
  }

  /** Bytes that one record of the stream may have, data and key, as far as is known. */
  get recordBytesMax(): number {
    return this.#lanes.recordBytesMax;
  }

  /** Takes a user record. */
  add(record: PendingRecord): void {
    const { clock, settings } = this.#parts;
    const hurry = this.#lanes.add(record, clock.monotonicMs());
    const dueMs = record.putMs + settings.maxBufferedMs;
    if (hurry || settings.maxBufferedMs === 0 || record.ordinal <= this.#flushedOrdinal) {
      this.#schedule();
    } else this.#wakeAt(Math.min(dueMs, record.expiresMs));
  }

  /** Sends all user records up to one, without waiting for others. */
  flush(ordinal: number): void {
    this.#flushedOrdinal = Math.max(this.#flushedOrdinal, ordinal);
    this.#schedule();
  }

  /** Sends all that waits in this very task, past rates and pauses: there is no later one. */
  leave(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    while (this.#call(nowMs, true)) {
      // One call after the other, until nothing waits that may be sent.
    }
  }

  /** Asks for the shards anew, and for what else may have changed. */
  refresh(): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    void this.#learnShards();
  }

  #schedule(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    queueMicrotask(() => {
      this.#turnScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const record of this.#lanes.takeExpired(nowMs)) this.#results.expire(record);
    if (!this.#refreshing) this.#dispatch(nowMs);
    const waiting = this.#refreshing || this.#calls >= this.#parts.settings.maxCallsInFlight;
    this.#wakeAt(this.#lanes.nextMs(nowMs, this.#flushedOrdinal, waiting));
  }

  /** Has a turn at a monotonic time, unless one is due before. */
  #wakeAt(dueMs: number): void {
    if (dueMs === Number.POSITIVE_INFINITY) return;
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    const { clock } = this.#parts;
    const delayMs = Math.max(0, dueMs - clock.monotonicMs());
    const cancel = clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#turn();
    });
    this.#timer = { dueMs, cancel };
  }

  #dispatch(nowMs: number): void {
    const { maxCallsInFlight } = this.#parts.settings;
    while (this.#calls < maxCallsInFlight && this.#lanes.callDue(nowMs, this.#flushedOrdinal)) {
      if (!this.#call(nowMs, false)) return;
    }
  }

  /** Makes one call; says whether there was anything for it. */
  #call(nowMs: number, leaving: boolean): boolean {
    const taken = this.#lanes.collect(nowMs, this.#flushedOrdinal, leaving);
    if (taken.length === 0) return false;
    void this.#send({ taken, atMs: this.#parts.clock.nowMs(), sentMs: nowMs });
    return true;
  }

  async #send(call: SentCall): Promise<void> {
    const { clock, target } = this.#parts;
    const lanes = new Set(call.taken.map(({ lane }) => lane));
    this.#calls += 1;
    for (const lane of lanes) lane.inFlight += 1;
    this.#countSent(call);
    let unsettled: Unsettled;
    try {
      const outcomes = await target.putRecords(call.taken.map(({ group }) => group.encode()));
      unsettled = this.#results.answered(call, outcomes, clock.monotonicMs());
    } catch (error) {
      unsettled = this.#results.failed(call, error, clock.monotonicMs());
    }
    this.#calls -= 1;
    for (const lane of lanes) lane.inFlight -= 1;
    this.#putAgain(call, lanes, unsettled);
    if (this.#calls === 0) this.#onIdle();
    this.#turn();
  }

  #countSent({ taken, sentMs }: SentCall): void {
    const { tally } = this.#parts;
    for (const { group } of taken) {
      for (const { attempts, putMs } of group.members) {
        if (attempts.length === 0) tally.buffering.add(sentMs - putMs);
        else tally.retries += 1;
      }
    }
  }

  #putAgain(call: SentCall, lanes: Iterable<ShardLane>, { retries, strange }: Unsettled): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const lane of lanes) {
      const retry = retries.get(lane);
      if (retry === undefined) {
        lane.succeed();
        continue;
      }
      const pauseMs = retry.retryAfterMs + this.#jitterMs(lane.failures);
      lane.fail(call.sentMs, nowMs, nowMs + pauseMs);
      this.#lanes.giveBack(lane, retry.groups, nowMs);
    }
    if (strange.length === 0) return;
    this.#strange.push(...strange);
    this.refresh();
  }

  /** A pause of random length before a retry, in ms; may be longer the more failures came before. */
  #jitterMs(failuresBefore: number): number {
    const { settings, random } = this.#parts;
    const longestMs = Math.min(settings.backoffMaxMs, settings.backoffBaseMs * 2 ** failuresBefore);
    return randomFraction(random) * longestMs;
  }

  async #learnShards(): Promise<void> {
    try {
      for (let failures = 0; !(await this.#learnOnce()); failures++) {
        await pause(this.#parts.clock, this.#jitterMs(failures));
      }
    } catch (thrown) {
      this.#failAll(thrown);
    }
    this.#refreshing = false;
    // A call may have ended after the last look.
    if (this.#strange.length > 0) this.refresh();
    this.#turn();
  }

  /** Says whether all shards are known that matter; then all that waits is in its lane. @throws what is final. */
  async #learnOnce(): Promise<boolean> {
    const { clock, target, settings } = this.#parts;
    try {
      // Otherwise what is under way could come back behind what is put in a new lane meanwhile.
      if (settings.orderedBy === "partitionKey") await this.#idle();
      this.#lanes.update(await target.listShards());
    } catch (thrown) {
      const error = toMillraceError(thrown);
      if (!error.retryable) throw error;
      this.#expireStrange();
      return false;
    }
    const nowMs = clock.monotonicMs();
    const again: PendingRecord[] = [];
    const unknown: StrangeGroup[] = [];
    for (const strange of this.#strange) {
      const records = this.#results.judge(strange, this.#lanes.map, nowMs);
      if (records === undefined) unknown.push(strange);
      else again.push(...records);
    }
    this.#strange = unknown;
    this.#lanes.rebuild(again, nowMs);
    this.#expireStrange();
    return this.#strange.length === 0;
  }

  #idle(): Promise<void> {
    if (this.#calls === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #expireStrange(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const tooOld = ({ group }: StrangeGroup): boolean =>
      group.members.every(({ expiresMs }) => expiresMs <= nowMs);
    const expired = this.#strange.filter(tooOld);
    this.#strange = this.#strange.filter((strange) => !tooOld(strange));
    for (const strange of expired) this.#results.giveUp(strange, undefined);
  }

  #failAll(thrown: unknown): void {
    const error = toMillraceError(thrown);
    for (const strange of this.#strange.splice(0)) this.#results.giveUp(strange, error);
    for (const record of this.#lanes.drain()) {
      this.#results.fail(record, failedError(record, error));
    }
  }
}
