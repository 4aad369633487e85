/**
 * The puts of one stream: those of a task share calls, and of one partition key one record is under way at
 * a time, so that the key's records are stored in the order in which they were put, and a refused one is
 * the last of its call.
 */
import {
  BackpressureError,
  checkRecord,
  InternalFailureError,
  type Named,
  type PutRecord,
  recordTooLarge,
} from "@millrace/engine";
import { utf8Bytes } from "../aggregation/protobuf-writer.ts";
import { CopySpace } from "../producer/copy-space.ts";
import {
  NO_ANSWER,
  type PutTarget,
  type TargetOutcome,
  type TargetRecord,
} from "../producer/put-target.ts";
import { failedPart, PutCall, type Share } from "../put-call.ts";
import type { ResultPart } from "../put-records-result.ts";

/** AWS's limits of one PutRecords. */
const RECORDS_PER_CALL_MAX = 500;
const BYTES_PER_CALL_MAX = 10_485_760;
const CALLS_IN_FLIGHT_MAX = 4;
/** Bytes that may wait before further calls are refused; a single call may be larger. */
const WAITING_BYTES_MAX = 67_108_864;
/** Quotas are per second. */
const RETRY_AFTER_MS = 1000;
/** Settled records that a lane may hold. */
const SETTLED_KEPT_MAX = 64;
const NOT_SENT = "Not sent, because an earlier record of its partition key was refused.";

interface WaitingRecord extends TargetRecord {
  readonly share: Share;
  readonly byteLength: number;
}

/** Records of one partition key, the next one first. */
interface Lane {
  readonly records: WaitingRecord[];
  /** Position of the next one. */
  at: number;
}

/** How puts go through their lanes. */
export interface PutLanesSettings {
  /** Whether records of a partition key keep their order. */
  readonly ordered: boolean;
  /** Bytes that data and key of a record may have. */
  readonly recordBytesMax: number;
  /** Throws when no more records are taken. */
  readonly admit: () => void;
}

/** What puts go through. */
export class PutLanes {
  readonly #target: PutTarget;
  readonly #ordered: boolean;
  readonly #admit: () => void;
  readonly #lanes = new Map<unknown, Lane>();
  /** Keys of lanes whose next record may be sent, in the order in which they came to be so. */
  readonly #ready = new Set<unknown>();
  readonly #copies = new CopySpace();
  readonly #idle: (() => void)[] = [];
  #recordBytesMax: number;
  #waitingBytes = 0;
  #calls = 0;
  #scheduled = false;

  constructor(target: PutTarget, { ordered, recordBytesMax, admit }: PutLanesSettings) {
    this.#target = target;
    this.#ordered = ordered;
    this.#recordBytesMax = recordBytesMax;
    this.#admit = admit;
  }

  /** Bytes that data and key of a record may have from now on. */
  update(recordBytesMax: number): void {
    this.#recordBytesMax = recordBytesMax;
  }

  /** Puts records; `nameOf` says what errors call them. @throws what `admit` does; InvalidArgumentError, RecordTooLargeError, BackpressureError. */
  async put(
    records: readonly PutRecord[],
    nameOf: (i: number) => Named,
    signal: AbortSignal | undefined,
  ): Promise<readonly ResultPart[]> {
    this.#admit();
    if (this.#waitingBytes >= WAITING_BYTES_MAX) {
      throw new BackpressureError(
        `${WAITING_BYTES_MAX} bytes wait for ${this.#target.name}; nothing was sent`,
        { argument: "records", value: this.#waitingBytes, limit: WAITING_BYTES_MAX },
      );
    }
    const call = new PutCall(signal);
    const checked = records.map((record, i) => this.#check(record, nameOf(i), call.share(i, 1)));
    for (const record of checked) this.#enter(record);
    call.listen(() => this.#withdraw(call));
    this.#schedule();
    return await call.promise;
  }

  /** Resolves when nothing waits and nothing is under way. */
  async settled(): Promise<void> {
    if (this.#lanes.size === 0 && this.#calls === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #check(record: PutRecord, name: Named, share: Share): WaitingRecord {
    const { key, data, hashKey } = checkRecord(name, record);
    const bytes = this.#copies.copy(data);
    const byteLength = utf8Bytes(key) + bytes.byteLength;
    if (byteLength > this.#recordBytesMax) {
      throw recordTooLarge(name, byteLength, this.#recordBytesMax);
    }
    const explicit = hashKey === undefined ? {} : { explicitHashKey: hashKey.toString() };
    return { partitionKey: key, data: bytes, ...explicit, share, byteLength };
  }

  #enter(record: WaitingRecord): void {
    this.#waitingBytes += record.byteLength;
    const key = this.#ordered ? record.partitionKey : record;
    const lane = this.#lanes.get(key);
    if (lane !== undefined) {
      lane.records.push(record);
      return;
    }
    this.#lanes.set(key, { records: [record], at: 0 });
    this.#ready.add(key);
  }

  /** Takes back what of a call was not sent. */
  #withdraw(call: PutCall): void {
    const calls = new Set([call]);
    for (const key of [...this.#lanes.keys()]) this.#skip(key, calls, () => undefined);
    this.#tellIdle();
  }

  #drop(key: unknown): void {
    this.#lanes.delete(key);
    this.#ready.delete(key);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      while (this.#calls < CALLS_IN_FLIGHT_MAX && this.#ready.size > 0) void this.#send();
    });
  }

  /** The next record of as many lanes as one call takes. */
  #collect(): Map<unknown, WaitingRecord> {
    const taken = new Map<unknown, WaitingRecord>();
    let byteLength = 0;
    for (const key of this.#ready) {
      const lane = this.#lanes.get(key);
      const record = lane?.records[lane.at];
      if (record === undefined) continue;
      byteLength += record.byteLength;
      if (taken.size > 0 && byteLength > BYTES_PER_CALL_MAX) break;
      taken.set(key, record);
      if (taken.size === RECORDS_PER_CALL_MAX) break;
    }
    for (const key of taken.keys()) this.#ready.delete(key);
    return taken;
  }

  async #send(): Promise<void> {
    const taken = this.#collect();
    this.#calls += 1;
    try {
      const outcomes = await this.#target.putRecords([...taken.values()]);
      for (const [i, [key, record]] of [...taken].entries()) {
        this.#answered(key, record, outcomes[i] ?? NO_ANSWER);
      }
    } catch (error) {
      this.#failed(taken, error);
    }
    this.#calls -= 1;
    this.#schedule();
    this.#tellIdle();
  }

  #answered(key: unknown, { share, byteLength }: WaitingRecord, outcome: TargetOutcome): void {
    this.#waitingBytes -= byteLength;
    if ("sequenceNumber" in outcome) {
      share.call.settle(share, { length: 1, failedCount: 0, get: () => outcome });
    } else if (outcome.indeterminate === true) {
      const error = new InternalFailureError(outcome.errorMessage, { indeterminate: true });
      share.call.fail(share, error);
      this.#skip(key, new Set([share.call]), (rest) => rest.call.fail(rest, error));
    } else {
      const { errorCode, errorMessage, retryAfterMs = RETRY_AFTER_MS } = outcome;
      share.call.settle(share, failedPart(1, { errorCode, errorMessage, retryAfterMs }));
      const notSent = { errorCode, errorMessage: `${errorMessage} ${NOT_SENT}`, retryAfterMs };
      this.#skip(key, new Set([share.call]), (rest) =>
        rest.call.settle(rest, failedPart(1, notSent)),
      );
    }
    this.#goOn(key);
  }

  /** Fails the calls of the records, with what of them was not sent yet. */
  #failed(taken: ReadonlyMap<unknown, WaitingRecord>, error: unknown): void {
    const troubled = new Set<PutCall>();
    for (const { share, byteLength } of taken.values()) {
      this.#waitingBytes -= byteLength;
      share.call.fail(share, error);
      troubled.add(share.call);
    }
    for (const key of taken.keys()) this.#goOn(key);
    for (const key of [...this.#lanes.keys()]) {
      this.#skip(key, troubled, (rest) => rest.call.fail(rest, error));
    }
  }

  /** Takes the records of calls out of a lane, as far as they are not under way. */
  #skip(key: unknown, calls: ReadonlySet<PutCall>, settle: (share: Share) => void): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    const from = this.#ready.has(key) ? lane.at : lane.at + 1;
    const rest = lane.records.slice(from);
    const skipped = rest.filter(({ share }) => calls.has(share.call));
    if (skipped.length === 0) return;
    const kept = rest.filter(({ share }) => !calls.has(share.call));
    lane.records.splice(from, lane.records.length - from, ...kept);
    for (const { share, byteLength } of skipped) {
      this.#waitingBytes -= byteLength;
      settle(share);
    }
    if (lane.at >= lane.records.length) this.#drop(key);
  }

  /** The record of a lane that was under way is settled. */
  #goOn(key: unknown): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    lane.at += 1;
    if (lane.at >= lane.records.length) {
      this.#drop(key);
      return;
    }
    // What is settled is not to be kept until the whole lane is.
    if (lane.at >= SETTLED_KEPT_MAX) {
      lane.records.splice(0, lane.at);
      lane.at = 0;
    }
    this.#ready.add(key);
  }

  #tellIdle(): void {
    if (this.#lanes.size > 0 || this.#calls > 0) return;
    for (const tell of this.#idle.splice(0)) tell();
  }
}
