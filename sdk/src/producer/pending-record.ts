/** One user record from its put to its end, whichever that is. */
import type { CheckedRecord, MillraceError } from "@millrace/engine";
import { type HashKey, hashKeyFrom, hashKeyOf } from "../aggregation/hash-key.ts";
import { utf8Bytes } from "../aggregation/protobuf-writer.ts";
import { EXPIRED, type PutAttempt, UserRecordFailedError } from "./producer-errors.ts";

/** A user record that is stored. */
export interface ProducerPutResult {
  /** Of the record that holds it: 56 decimal digits. */
  readonly sequenceNumber: string;
  /** Its position in the aggregated record, from 0 on; 0 when it was put by itself. */
  readonly subSequenceNumber: number;
  readonly shardId: string;
  /** All times that it was sent, the first one first; the last one succeeded. */
  readonly attempts: readonly PutAttempt[];
}

/** A user record that is not settled. */
export class PendingRecord {
  readonly partitionKey: string;
  /** Decimal, without leading zeros. */
  readonly explicitHashKey: string | undefined;
  readonly data: Uint8Array;
  readonly hashKey: HashKey;
  /** Bytes of data and key. */
  readonly byteLength: number;
  /** Position among all puts of the producer. */
  readonly ordinal: number;
  /** Monotonic time of the put. */
  readonly putMs: number;
  /** Monotonic time from which it is too old. */
  readonly expiresMs: number;
  readonly promise: Promise<ProducerPutResult>;
  readonly attempts: PutAttempt[] = [];
  /** An attempt ended without an answer, so that the record may be stored whatever comes of others. */
  mayBeStored = false;
  #settled = false;
  #resolve: (result: ProducerPutResult) => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;

  /** Keeps `data`, which nobody else may change. Times are monotonic. */
  constructor(
    { key, hashKey }: Pick<CheckedRecord, "key" | "hashKey">,
    data: Uint8Array,
    ordinal: number,
    putMs: number,
    expiresMs: number,
  ) {
    this.partitionKey = key;
    this.explicitHashKey = hashKey?.toString();
    this.data = data;
    this.hashKey = hashKey === undefined ? hashKeyOf(key) : hashKeyFrom(hashKey);
    this.byteLength = utf8Bytes(key) + this.data.byteLength;
    this.ordinal = ordinal;
    this.putMs = putMs;
    this.expiresMs = expiresMs;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Whether its promise is resolved or rejected. */
  get settled(): boolean {
    return this.#settled;
  }

  /** It is stored. */
  succeed(sequenceNumber: string, subSequenceNumber: number, shardId: string): void {
    this.#settled = true;
    const { attempts } = this;
    this.#resolve({ sequenceNumber, subSequenceNumber, shardId, attempts });
  }

  /** It is not, or nobody knows. */
  fail(reason: MillraceError): void {
    this.#settled = true;
    this.#reject(reason);
  }
}

/** The error of a record that is too old. */
export function expiredError(record: PendingRecord, recordTtlMs: number): UserRecordFailedError {
  const last = record.attempts.at(-1)?.error;
  const why = last === undefined ? "it was not sent" : `the last attempt: ${last.message}`;
  return new UserRecordFailedError(
    EXPIRED,
    `The record was not put within ${recordTtlMs} ms; ${why}`,
    record.attempts,
    {
      ...{ argument: "recordTtlMs", value: record.partitionKey, limit: recordTtlMs },
      ...{ retryable: true, indeterminate: record.mayBeStored },
    },
  );
}

/** The error of a record whose call failed for good. */
export function failedError(record: PendingRecord, cause: MillraceError): UserRecordFailedError {
  const { code, message, argument, value, limit, retryable } = cause;
  const indeterminate = cause.indeterminate || record.mayBeStored;
  return new UserRecordFailedError(code, message, record.attempts, {
    ...(argument === undefined ? {} : { argument }),
    ...(value === undefined ? {} : { value }),
    ...(limit === undefined ? {} : { limit }),
    ...{ retryable, indeterminate, cause },
  });
}
