/**
 * Sequence numbers and shard ids as Kinesis writes them. Pure TypeScript: pages use it too.
 *
 * A sequence number (version 2) is the decimal form of 47 hexadecimal digits, from the highest:
 *   2 | creation of the shard in seconds, 9 digits | shard index, lowest digit
 *     | sequence index, 16 digits | 00 | arrival in seconds, 9 digits | shard index, 8 digits | 2
 */
import { InvalidArgumentError } from "../errors/index.ts";

/** What a sequence number consists of. */
export interface SequenceNumberParts {
  /** Creation of the shard, whole seconds since the Unix epoch. */
  readonly createdSeconds: number;
  /** Position of the record in its shard. */
  readonly sequenceIndex: number;
  /** Arrival of the record, whole seconds since the Unix epoch. */
  readonly arrivalSeconds: number;
  /** Position of the shard in its stream. */
  readonly shardIndex: number;
}

/** What {@link formatSequenceNumber} takes: an index above 2^53 is given as bigint. */
export type SequenceNumberFields = Omit<SequenceNumberParts, "sequenceIndex"> & {
  readonly sequenceIndex: number | bigint;
};

const VERSION = 2n;
/** Smallest and largest number with 47 digits that begins with the version. */
const NUMBER_MIN = VERSION << 184n;
const NUMBER_MAX = ((VERSION + 1n) << 184n) - 1n;
const SECONDS_MAX = 2 ** 36 - 1;
const SEQUENCE_INDEX_MAX = 2n ** 63n - 1n;
const SHARD_INDEX_MAX = 2 ** 31 - 1;
const SHARD_ID_DIGITS = 12;
/** Digits that a number may have, so that no text makes the parser work for long. */
const DECIMAL = /^[0-9]{1,64}$/;
const SHARD_ID = /^(?:[^-]*-)?([0-9]{1,64})$/;
/** Characters of a bad value that its error quotes. */
const QUOTED_CHARACTERS_MAX = 80;

function checkField(argument: string, value: number | bigint, limit: number | bigint): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError(`${argument} must be an integer: ${value}.`, {
      argument,
      value,
    });
  }
  if (value >= 0 && value <= limit) return BigInt(value);
  throw new InvalidArgumentError(`${argument} must be from 0 to ${limit}: ${value}.`, {
    argument,
    value: String(value),
    limit: String(limit),
  });
}

/**
 * Decimal form of a sequence number: 56 digits.
 * @throws InvalidArgumentError when a part is no integer or does not fit its field.
 */
export function formatSequenceNumber(fields: SequenceNumberFields): string {
  const created = checkField("createdSeconds", fields.createdSeconds, SECONDS_MAX);
  const index = checkField("sequenceIndex", fields.sequenceIndex, SEQUENCE_INDEX_MAX);
  const arrival = checkField("arrivalSeconds", fields.arrivalSeconds, SECONDS_MAX);
  const shard = checkField("shardIndex", fields.shardIndex, SHARD_INDEX_MAX);
  const number =
    (VERSION << 184n) |
    (created << 148n) |
    ((shard & 15n) << 144n) |
    (index << 80n) |
    (arrival << 36n) |
    (shard << 4n) |
    VERSION;
  return number.toString();
}

function digitsOf(number: bigint, from: number, count: number): bigint {
  return BigInt.asUintN(count * 4, number >> BigInt(from * 4));
}

/**
 * Parts of a sequence number of version 2. An index above 2^53 is rounded: no record has one, only
 * the end of a closed shard.
 * @throws InvalidArgumentError when the text is none.
 */
export function parseSequenceNumber(text: string): SequenceNumberParts {
  const number = DECIMAL.test(text) ? BigInt(text) : 0n;
  const shard = digitsOf(number, 1, 8);
  const index = digitsOf(number, 20, 16);
  const valid =
    number >= NUMBER_MIN &&
    number <= NUMBER_MAX &&
    digitsOf(number, 0, 1) === VERSION &&
    digitsOf(number, 18, 2) === 0n &&
    digitsOf(number, 36, 1) === (shard & 15n) &&
    index <= SEQUENCE_INDEX_MAX &&
    shard <= BigInt(SHARD_INDEX_MAX);
  if (!valid) {
    const value = text.slice(0, QUOTED_CHARACTERS_MAX);
    throw new InvalidArgumentError(`"${value}" is no sequence number of version ${VERSION}.`, {
      argument: "sequenceNumber",
      value,
    });
  }
  return {
    createdSeconds: Number(digitsOf(number, 37, 9)),
    sequenceIndex: Number(index),
    arrivalSeconds: Number(digitsOf(number, 9, 9)),
    shardIndex: Number(shard),
  };
}

/**
 * Id of a shard: "shardId-" and its index in at least 12 digits.
 * @throws InvalidArgumentError when the index is out of range.
 */
export function shardIdOf(shardIndex: number): string {
  const index = checkField("shardIndex", shardIndex, SHARD_INDEX_MAX);
  return `shardId-${index.toString().padStart(SHARD_ID_DIGITS, "0")}`;
}

/**
 * Index of a shard from its id. As Kinesis does, it takes any word in front of the hyphen, or none,
 * and any number of leading zeros: "shardId-000000000005", "shardId-5", "x-5" and "5" are the same.
 * @throws InvalidArgumentError when there is no index or it is out of range.
 */
export function shardIndexOf(shardId: string): number {
  const digits = SHARD_ID.exec(shardId)?.[1];
  const index = digits === undefined ? Number.NaN : Number(digits);
  if (index <= SHARD_INDEX_MAX) return index;
  const value = shardId.slice(0, QUOTED_CHARACTERS_MAX);
  throw new InvalidArgumentError(
    `"${value}" is no shard id: shardId- and a number up to ${SHARD_INDEX_MAX}.`,
    { argument: "shardId", value, limit: SHARD_INDEX_MAX },
  );
}
