/**
 * Sequence numbers of the versions before 2, which Kinesis gave out once and still parses. No record of
 * this engine has one: it is enough to tell which shard of which time it came from.
 *
 * Version 1 has 47 hexadecimal digits, from the highest:
 *   2 | creation of the shard in seconds, 9 digits | 28 digits | shard index, 8 digits | 1
 * Version 0 has 31 digits:
 *   creation of the shard in seconds, 9 digits | 18 digits | shard index, 4 digits
 */

/** What is known of an old sequence number. */
export interface OldSequenceNumber {
  readonly version: 0 | 1;
  /** Creation of the shard, whole seconds since the Unix epoch. */
  readonly createdSeconds: number;
  readonly shardIndex: number;
}

const DECIMAL = /^[0-9]{1,64}$/;
const VERSION_0_MAX = (1n << 124n) - 1n;
const VERSION_1_MIN = 2n << 184n;
const VERSION_1_MAX = (3n << 184n) - 1n;

function digitsOf(number: bigint, from: number, count: number): number {
  return Number(BigInt.asUintN(count * 4, number >> BigInt(from * 4)));
}

/** Parts of a sequence number of version 0 or 1, or undefined when the text is none. */
export function parseOldSequenceNumber(text: string): OldSequenceNumber | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const number = BigInt(text);
  if (number <= VERSION_0_MAX) {
    return {
      version: 0,
      createdSeconds: digitsOf(number, 22, 9),
      shardIndex: digitsOf(number, 0, 4),
    };
  }
  const isVersion1 =
    number >= VERSION_1_MIN && number <= VERSION_1_MAX && digitsOf(number, 0, 1) === 1;
  if (!isVersion1) return undefined;
  return {
    version: 1,
    createdSeconds: digitsOf(number, 37, 9),
    shardIndex: digitsOf(number, 1, 8),
  };
}
