/**
 * Shard iterators as text: opaque to callers, base64, 76 characters. Not a secret: access is checked at
 * every read.
 *
 * Kinesis's own begin with eight bytes, the number 1, followed by blocks of 16; so do these. Big endian:
 * `{u64 1, u32 stream uid, u32 shard index, f64 creation s, f64 next index, f64 issued ms, f64 0,
 * u32 0, u32 check sum of all before}`.
 */
import { InvalidArgumentError } from "../errors/index.ts";
import { base64Of, bytesOfBase64, fnv1a } from "./token-bytes.ts";

/** What a shard iterator says. */
export interface IteratorPosition {
  readonly streamUid: number;
  readonly shardIndex: number;
  /** Creation of the shard in seconds since the Unix epoch. */
  readonly createdSeconds: number;
  /** The next record to read has this sequence index or the first one after it. */
  readonly nextIndex: number;
  /** When it was handed out, in ms since the Unix epoch. */
  readonly issuedMs: number;
}

const TOKEN_BYTES = 56;
const CHECKSUM_AT = TOKEN_BYTES - 4;
/** Characters of a bad iterator that its error quotes. */
const QUOTED_CHARACTERS_MAX = 80;

/** The iterator as text. */
export function formatIterator(position: IteratorPosition): string {
  const bytes = new Uint8Array(TOKEN_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, 1);
  view.setUint32(8, position.streamUid);
  view.setUint32(12, position.shardIndex);
  view.setFloat64(16, position.createdSeconds);
  view.setFloat64(24, position.nextIndex);
  view.setFloat64(32, position.issuedMs);
  view.setUint32(CHECKSUM_AT, fnv1a(bytes.subarray(0, CHECKSUM_AT)));
  return base64Of(bytes);
}

/** Clients that take the iterator out of JSON by hand leave its quotes on; Kinesis does not mind. */
function unquote(token: string): string {
  return token.length > 2 && token.startsWith('"') && token.endsWith('"')
    ? token.slice(1, -1)
    : token;
}

/** Whether the bytes are as {@link formatIterator} writes them. */
function isIntact(bytes: Uint8Array, view: DataView): boolean {
  return (
    view.getUint32(0) === 0 &&
    view.getUint32(4) === 1 &&
    view.getUint32(CHECKSUM_AT) === fnv1a(bytes.subarray(0, CHECKSUM_AT))
  );
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0;
}

/**
 * What an iterator says; surrounding double quotes are accepted.
 * @throws InvalidArgumentError when it is none of ours.
 */
export function parseIterator(token: string): IteratorPosition {
  const bytes = bytesOfBase64(unquote(token));
  if (bytes?.byteLength === TOKEN_BYTES) {
    const view = new DataView(bytes.buffer);
    const position: IteratorPosition = {
      streamUid: view.getUint32(8),
      shardIndex: view.getUint32(12),
      createdSeconds: view.getFloat64(16),
      nextIndex: view.getFloat64(24),
      issuedMs: view.getFloat64(32),
    };
    const { createdSeconds, nextIndex, issuedMs } = position;
    const sensible = isCount(createdSeconds) && isCount(nextIndex) && Number.isFinite(issuedMs);
    if (isIntact(bytes, view) && sensible) return position;
  }
  throw new InvalidArgumentError("Invalid ShardIterator.", {
    argument: "ShardIterator",
    value: token.slice(0, QUOTED_CHARACTERS_MAX),
  });
}
