/** What callers give as a record, checked: every refusal names the argument, the value and the limit. */
import { PARTITION_KEY_CHARACTERS_MAX, RECORD_BYTES_MAX } from "@millrace/core/layout";
import { InvalidArgumentError, RecordTooLargeError } from "../errors/index.ts";
import { prepareText } from "./text.ts";

/** A value that JSON can hold. Objects are written by `JSON.stringify`, which may skip members. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [member: string]: JsonValue | undefined };

/** Data of a record: bytes as they are, a string as UTF-8, anything else as JSON. */
export type RecordData = Uint8Array | ArrayBuffer | JsonValue | object;

/** One record to put. */
export interface PutRecord {
  /** 1 to 256 Unicode characters; its MD5 decides the shard. */
  readonly partitionKey: string;
  /** Copied before the call returns. */
  readonly data: RecordData;
  /** A hash key, 0 to 2^128 - 1 in decimal, that decides the shard instead of the partition key. */
  readonly explicitHashKey?: string;
}

/** What an argument is called; only spelled out when something is wrong with it. */
export interface Named {
  toString(): string;
}

/** What of a record is written into a batch. */
export interface CheckedRecord {
  readonly key: string;
  readonly data: Uint8Array | string;
  readonly hashKey: bigint | undefined;
}

const HASH_KEY_MAX = (1n << 128n) - 1n;
const VALUE_CHARACTERS_MAX = 80;

function shorten(text: string): string {
  return text.length <= VALUE_CHARACTERS_MAX ? text : `${text.slice(0, VALUE_CHARACTERS_MAX)}…`;
}

function describe(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(shorten(value)) : String(value);
}

function checkKey(name: Named, key: unknown): string {
  if (typeof key !== "string") {
    const argument = `${name}.partitionKey`;
    throw new InvalidArgumentError(`${argument} must be a string, but it is ${describe(key)}`, {
      argument,
      value: describe(key),
      limit: "string",
    });
  }
  const characters = key.length <= PARTITION_KEY_CHARACTERS_MAX ? key.length : countCharacters(key);
  if (characters < 1 || characters > PARTITION_KEY_CHARACTERS_MAX) {
    const argument = `${name}.partitionKey`;
    throw new InvalidArgumentError(
      `${argument} must have 1 to ${PARTITION_KEY_CHARACTERS_MAX} Unicode characters, but it has ` +
        `${characters}`,
      { argument, value: shorten(key), limit: PARTITION_KEY_CHARACTERS_MAX },
    );
  }
  if (!key.isWellFormed()) {
    const argument = `${name}.partitionKey`;
    throw new InvalidArgumentError(
      `${argument} must be well-formed Unicode, but it holds half of a surrogate pair`,
      { argument, value: shorten(key.toWellFormed()), limit: "well-formed Unicode" },
    );
  }
  return key;
}

function countCharacters(text: string): number {
  let count = 0;
  for (const _character of text) count++;
  return count;
}

function checkHashKey(argument: string, value: unknown): bigint {
  const hashKey = typeof value === "string" && /^\d{1,39}$/.test(value) ? BigInt(value) : undefined;
  if (hashKey !== undefined && hashKey <= HASH_KEY_MAX) return hashKey;
  throw new InvalidArgumentError(
    `${argument} must be a decimal string from 0 to 2^128 - 1, but it is ${describe(value)}`,
    { argument, value: describe(value), limit: HASH_KEY_MAX.toString() },
  );
}

function toJson(name: Named, value: unknown): string {
  let json: string | undefined;
  let cause: unknown;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (json !== undefined) return json;
  const argument = `${name}.data`;
  const why = cause === undefined ? `JSON has no ${typeof value}` : String(cause);
  throw new InvalidArgumentError(
    `${argument} must be bytes, a string or a value that JSON can hold: ${shorten(why)}`,
    { argument, value: typeof value, limit: "bytes, string or JSON", cause },
  );
}

function isTagged(value: object, tag: string): boolean {
  return Object.prototype.toString.call(value) === `[object ${tag}]`;
}

function checkData(name: Named, data: unknown): Uint8Array | string {
  if (typeof data === "string") return data;
  if (data instanceof Uint8Array) return data;
  if (typeof data !== "object" || data === null) return toJson(name, data);
  // By tag, not by instance: bytes may come from another realm, such as a frame.
  if (ArrayBuffer.isView(data)) {
    const { buffer, byteOffset, byteLength } = data;
    if (isTagged(data, "Uint8Array")) return new Uint8Array(buffer, byteOffset, byteLength);
    const argument = `${name}.data`;
    throw new InvalidArgumentError(
      `${argument} must be a Uint8Array when it is a view of a buffer, but it is another kind of view`,
      { argument, value: Object.prototype.toString.call(data), limit: "Uint8Array" },
    );
  }
  if (isTagged(data, "ArrayBuffer")) return new Uint8Array(data as ArrayBuffer);
  return toJson(name, data);
}

/**
 * Checks one record. `name` is what the caller calls it, as in `records[3]`; bytes of the result are the
 * caller's own still.
 *
 * @throws InvalidArgumentError, RecordTooLargeError.
 */
export function checkRecord(name: Named, record: PutRecord): CheckedRecord {
  if (typeof record !== "object" || record === null) {
    const argument = String(name);
    throw new InvalidArgumentError(
      `${argument} must be an object with partitionKey and data, but it is ${describe(record)}`,
      { argument, value: describe(record), limit: "{partitionKey, data}" },
    );
  }
  const key = checkKey(name, record.partitionKey);
  const hashKey =
    record.explicitHashKey === undefined
      ? undefined
      : checkHashKey(`${name}.explicitHashKey`, record.explicitHashKey);
  const data = checkData(name, record.data);
  // Long before it is measured in bytes, so that no giant string is encoded only to be refused.
  if (data.length > RECORD_BYTES_MAX) throw recordTooLarge(name, data.length, RECORD_BYTES_MAX);
  return { key, data: typeof data === "string" ? prepareText(data) : data, hashKey };
}

/** The error for a record whose data and key are over the limit of its stream. */
export function recordTooLarge(
  name: Named,
  recordBytes: number,
  recordBytesMax: number,
): RecordTooLargeError {
  const argument = String(name);
  return new RecordTooLargeError(
    `${argument}: data and partition key together may hold ${recordBytesMax} bytes, but they hold ` +
      `${recordBytes}`,
    { argument, value: recordBytes, limit: recordBytesMax },
  );
}
