/** What came of the calls: user records that are stored, that failed, and that are put again. */
import { InternalFailureError, type MillraceError, toMillraceError } from "@millrace/engine";
import type { ProducerSettings } from "./options.ts";
import { expiredError, failedError, type PendingRecord } from "./pending-record.ts";
import {
  type PutAttempt,
  THROTTLED,
  UserRecordFailedError,
  WRONG_SHARD,
} from "./producer-errors.ts";
import type { ProducerTally } from "./producer-tally.ts";
import { NO_ANSWER, type TargetOutcome } from "./put-target.ts";
import type { RecordGroup } from "./record-group.ts";
import type { ShardLane } from "./shard-lane.ts";
import type { TakenGroup } from "./shard-lanes.ts";
import type { ShardMap } from "./shard-map.ts";

/** A call that was made. */
export interface SentCall {
  readonly taken: readonly TakenGroup[];
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
  /** Monotonic time. */
  readonly sentMs: number;
}

/** A group that is stored in a shard which it was not meant for. */
export interface StrangeGroup {
  readonly group: RecordGroup;
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly attempt: PutAttempt;
}

/** What of a call is not settled: groups to be put again, by lane, and groups in unexpected shards. */
export interface Unsettled {
  readonly retries: ReadonlyMap<ShardLane, Retry>;
  readonly strange: readonly StrangeGroup[];
}

/** Groups of one lane that are to be put again. */
export interface Retry {
  readonly groups: RecordGroup[];
  /** How long the service wants to be left alone, in ms. */
  retryAfterMs: number;
}

type Refusal = Extract<TargetOutcome, { errorCode: string }>;

/** Settles user records. */
export class CallResults {
  readonly #settings: ProducerSettings;
  readonly #tally: ProducerTally;
  readonly #onSettled: (record: PendingRecord) => void;
  readonly #repeatsUncertain: boolean;

  /** `repeatsUncertain`: see `PutTarget`. */
  constructor(
    settings: ProducerSettings,
    tally: ProducerTally,
    onSettled: (record: PendingRecord) => void,
    repeatsUncertain: boolean,
  ) {
    this.#settings = settings;
    this.#repeatsUncertain = repeatsUncertain;
    this.#tally = tally;
    this.#onSettled = onSettled;
  }

  /** A call was answered at the monotonic time `nowMs`. */
  answered(call: SentCall, outcomes: readonly TargetOutcome[], nowMs: number): Unsettled {
    const retries = new Map<ShardLane, Retry>();
    const strange: StrangeGroup[] = [];
    const success = this.#countCall(call, nowMs);
    for (const [i, { lane, group }] of call.taken.entries()) {
      const outcome = outcomes[i] ?? NO_ANSWER;
      if ("errorCode" in outcome) this.#refused(retries, lane, group, success, outcome);
      else {
        this.#tally.kinesisRecordsPut += 1;
        this.#tally.kinesisBytesPut += group.dataBytes;
        const { shardId, sequenceNumber } = outcome;
        const asPredicted = lane.shardId === "" || lane.shardId === shardId;
        if (asPredicted) this.#stored(group, sequenceNumber, shardId, success, nowMs);
        else strange.push({ group, shardId, sequenceNumber, attempt: success });
      }
    }
    return { retries, strange };
  }

  /** A call failed as a whole. */
  failed(call: SentCall, thrown: unknown, nowMs: number): Unsettled {
    const error = toMillraceError(thrown);
    const retries = new Map<ShardLane, Retry>();
    const throttled = error.code === THROTTLED && this.#settings.failIfThrottled;
    const certain = !error.indeterminate || this.#repeatsUncertain;
    const again = error.retryable && certain && !throttled;
    const { code, message, retryAfterMs = 0 } = error;
    const attempt = { ...this.#countCall(call, nowMs), error: { code, message } };
    for (const { lane, group } of call.taken) {
      this.#tally.countError(code);
      for (const record of group.members) {
        record.attempts.push(attempt);
        record.mayBeStored ||= error.indeterminate;
      }
      if (again) addRetry(retries, lane, group, retryAfterMs);
      else for (const record of group.members) this.fail(record, failedError(record, error));
    }
    return { retries, strange: [] };
  }

  /**
   * Settles a group in an unexpected shard. Its user records count as stored unless it is aggregated and
   * one of them does not belong to the shard: then consumers drop it, and all are to be put again, which
   * is answered. Undefined while the hash keys of the shard are not known.
   */
  judge(strange: StrangeGroup, map: ShardMap, nowMs: number): readonly PendingRecord[] | undefined {
    const { group, shardId, sequenceNumber, attempt } = strange;
    if (group.aggregated) {
      const held = group.members.map(({ hashKey }) => map.holds(shardId, hashKey));
      if (held.includes(undefined)) return undefined;
      if (held.includes(false)) return this.#stray(strange);
    }
    this.#stored(group, sequenceNumber, shardId, attempt, nowMs);
    return [];
  }

  /** A user record is too old. */
  expire(record: PendingRecord): void {
    this.fail(record, expiredError(record, this.#settings.recordTtlMs));
  }

  /** The user records of a group of which nobody could tell in time whether consumers take it. */
  giveUp({ group, shardId, attempt }: StrangeGroup, cause: MillraceError | undefined): void {
    for (const record of group.members) {
      record.attempts.push(attempt);
      const message =
        `The record is stored in shard ${shardId}, but which hash keys that has could not be found ` +
        "out; consumers may drop it";
      const details = { argument: "shardId", value: shardId, indeterminate: true, cause };
      this.fail(record, new UserRecordFailedError(WRONG_SHARD, message, record.attempts, details));
    }
  }

  /** A user record failed for good. */
  fail(record: PendingRecord, reason: MillraceError): void {
    this.#tally.userRecordsFailed += 1;
    record.fail(reason);
    this.#onSettled(record);
  }

  /** Counts a call that ended, and makes the attempt that it was. */
  #countCall({ taken, atMs, sentMs }: SentCall, nowMs: number): PutAttempt {
    const durationMs = nowMs - sentMs;
    this.#tally.calls += 1;
    this.#tally.request.add(durationMs);
    this.#tally.recordsPerCall.add(taken.length);
    return { atMs, durationMs };
  }

  #refused(
    retries: Map<ShardLane, Retry>,
    lane: ShardLane,
    group: RecordGroup,
    { atMs, durationMs }: PutAttempt,
    refusal: Refusal,
  ): void {
    const { errorCode: code, errorMessage: message, retryAfterMs = 0 } = refusal;
    this.#tally.countError(code);
    const attempt = { atMs, durationMs, error: { code, message } };
    const uncertain = refusal.indeterminate === true;
    for (const record of group.members) {
      record.attempts.push(attempt);
      record.mayBeStored ||= uncertain;
    }
    if (uncertain && !this.#repeatsUncertain) {
      const error = new InternalFailureError(message, { indeterminate: true });
      for (const record of group.members) this.fail(record, failedError(record, error));
      return;
    }
    if (code !== THROTTLED || !this.#settings.failIfThrottled) {
      addRetry(retries, lane, group, retryAfterMs);
      return;
    }
    for (const record of group.members) {
      const details = { retryable: true, retryAfterMs, indeterminate: record.mayBeStored };
      this.fail(record, new UserRecordFailedError(code, message, record.attempts, details));
    }
  }

  #stored(
    group: RecordGroup,
    sequenceNumber: string,
    shardId: string,
    attempt: PutAttempt,
    nowMs: number,
  ): void {
    const tally = this.#tally;
    tally.recordsPerAggregate.add(group.members.length);
    for (const [i, record] of group.members.entries()) {
      record.attempts.push(attempt);
      tally.userRecordsPut += 1;
      tally.userBytesPut += record.data.byteLength;
      tally.recordLatency.add(nowMs - record.putMs);
      record.succeed(sequenceNumber, i, shardId);
      this.#onSettled(record);
    }
  }

  #stray({ group, shardId, attempt }: StrangeGroup): readonly PendingRecord[] {
    this.#tally.strayAggregates += 1;
    this.#tally.countError(WRONG_SHARD);
    const message = `Stored in shard ${shardId}, to which not all records of the aggregate belong.`;
    const { atMs, durationMs } = attempt;
    const stray = { atMs, durationMs, error: { code: WRONG_SHARD, message } };
    for (const record of group.members) record.attempts.push(stray);
    return group.members;
  }
}

function addRetry(
  retries: Map<ShardLane, Retry>,
  lane: ShardLane,
  group: RecordGroup,
  retryAfterMs: number,
): void {
  const retry = retries.get(lane);
  if (retry === undefined) retries.set(lane, { groups: [group], retryAfterMs });
  else {
    retry.groups.push(group);
    retry.retryAfterMs = Math.max(retry.retryAfterMs, retryAfterMs);
  }
}
