/**
 * The replication mark: where a user record that was shipped comes from, written as a tag of the KPL's format, so
 * that every KCL still reads the aggregate. The first member of an aggregate says all, in base 36 and hexadecimal:
 *
 *     mr = <incarnation>.<stream uid>.<shard>[-<group>].<index>.<sub-sequence number>.<range start>.<range end>
 *
 * A following one says how far its index is behind that of the member before it, and its sub-sequence number
 * unless that is 0; nothing when it is the next record. A member without a tag has no mark.
 */
import type { AggregateTag } from "../aggregation/format.ts";
import { compareHashKeys, type HashKey, type HashKeyRange } from "../aggregation/hash-key.ts";

/** Key of the tag. */
const TAG = "mr";
const FULL =
  /^([0-9a-f]{32})\.([0-9a-z]{1,7})\.([0-9a-z]{1,7}(?:-[0-9a-z]{1,11})?)\.([0-9a-z]{1,11})\.([0-9a-z]{1,7})\.([0-9a-f]{0,32})\.([0-9a-f]{0,32})$/;
const NEXT = /^([0-9a-z]{1,11})(?:\.([0-9a-z]{1,7}))?$/;

/** The log, the stream and the shard that records were put into first, and the hash keys that are spoken for. */
export interface MarkSource {
  /** Incarnation, stream and shard as one text: positions are compared within it. */
  readonly origin: string;
  /** Random id of a log, 32 hexadecimal digits. */
  readonly incarnation: string;
  /** Of the stream in its log. */
  readonly streamUid: number;
  /**
   * Who stored the record there says: of the origin's records with these hash keys, all before it are stored, too.
   */
  readonly range: HashKeyRange;
}

/** Where a user record comes from. */
export interface ReplicationMark {
  readonly source: MarkSource;
  /** Position of the record in the shard that it was put into first. */
  readonly index: number;
  /** Of a member of an aggregate there; 0 for a plain record. */
  readonly subSequenceNumber: number;
}

/** The origin of what is put into a shard. `group` tells ways apart that did not begin at the oldest record. */
export function originOf(
  incarnation: string,
  streamUid: number,
  shardIndex: number,
  group?: number,
): string {
  const suffix = group === undefined ? "" : `-${group.toString(36)}`;
  return `${incarnation}.${streamUid.toString(36)}.${shardIndex.toString(36)}${suffix}`;
}

function hexOf(key: HashKey): string {
  return key.map((word) => word.toString(16).padStart(8, "0")).join("");
}

function keyOf(hex: string): HashKey {
  const word = (i: number): number => Number.parseInt(hex.slice(8 * i, 8 * i + 8), 16);
  return [word(0), word(1), word(2), word(3)];
}

/** A range as text: leading digits that tell it. */
export function encodeRange({ start, end }: HashKeyRange): string {
  return `${hexOf(start).replace(/0+$/, "")}.${hexOf(end).replace(/f+$/, "")}`;
}

/** The range of {@link encodeRange}'s halves. */
export function decodeRange(start: string, end: string): HashKeyRange {
  return { start: keyOf(start.padEnd(32, "0")), end: keyOf(end.padEnd(32, "f")) };
}

/** What two ranges have in common; undefined when that is nothing. */
export function commonRange(left: HashKeyRange, right: HashKeyRange): HashKeyRange | undefined {
  const start = compareHashKeys(left.start, right.start) >= 0 ? left.start : right.start;
  const end = compareHashKeys(left.end, right.end) <= 0 ? left.end : right.end;
  return compareHashKeys(start, end) <= 0 ? { start, end } : undefined;
}

/** Below 0, 0 or above 0, as the left position of an origin is before, at or after the right one. */
export function compareMarks(
  left: Pick<ReplicationMark, "index" | "subSequenceNumber">,
  right: Pick<ReplicationMark, "index" | "subSequenceNumber">,
): number {
  return left.index - right.index || left.subSequenceNumber - right.subSequenceNumber;
}

function sameSource(left: MarkSource, right: MarkSource): boolean {
  if (left === right) return true;
  if (left.origin !== right.origin) return false;
  return (
    compareHashKeys(left.range.start, right.range.start) === 0 &&
    compareHashKeys(left.range.end, right.range.end) === 0
  );
}

/** The tag of a mark, in an aggregate whose member before it has the mark `before`. */
export function tagOf(mark: ReplicationMark, before: ReplicationMark | undefined): AggregateTag {
  const { source, index, subSequenceNumber } = mark;
  const sub = subSequenceNumber.toString(36);
  if (before === undefined || index < before.index || !sameSource(source, before.source)) {
    const place = `${index.toString(36)}.${sub}`;
    return { key: TAG, value: `${source.origin}.${place}.${encodeRange(source.range)}` };
  }
  const behind = index - before.index;
  if (subSequenceNumber > 0) return { key: TAG, value: `${behind.toString(36)}.${sub}` };
  return behind === 1 ? { key: TAG } : { key: TAG, value: behind.toString(36) };
}

function fullMark(value: string): ReplicationMark | undefined {
  const parts = FULL.exec(value);
  if (parts === null) return undefined;
  const [, incarnation = "", uid = "", shard = "", index = "", sub = "", start = "", end = ""] =
    parts;
  const range = decodeRange(start, end);
  if (compareHashKeys(range.start, range.end) > 0) return undefined;
  const streamUid = Number.parseInt(uid, 36);
  const source = { origin: `${incarnation}.${uid}.${shard}`, incarnation, streamUid, range };
  return placed(source, Number.parseInt(index, 36), Number.parseInt(sub, 36));
}

function nextMark(
  value: string | undefined,
  before: ReplicationMark | undefined,
): ReplicationMark | undefined {
  if (before === undefined) return undefined;
  if (value === undefined) return placed(before.source, before.index + 1, 0);
  const parts = NEXT.exec(value);
  if (parts === null) return undefined;
  const [, behind = "", sub = "0"] = parts;
  const index = before.index + Number.parseInt(behind, 36);
  return placed(before.source, index, Number.parseInt(sub, 36));
}

/** Undefined for what no position can be. */
function placed(
  source: MarkSource,
  index: number,
  subSequenceNumber: number,
): ReplicationMark | undefined {
  if (!Number.isSafeInteger(index)) return undefined;
  return { source, index, subSequenceNumber };
}

type Tagged = { readonly tags?: readonly AggregateTag[] | undefined };

function tagIn({ tags = [] }: Tagged): AggregateTag | undefined {
  return tags.find(({ key }) => key === TAG);
}

/**
 * The marks of an aggregate's members, in their order; undefined where a member has none, and altogether when the
 * first one has none. What is malformed is no mark.
 */
export function marksOf(
  members: readonly Tagged[],
): readonly (ReplicationMark | undefined)[] | undefined {
  const [first] = members;
  if (first === undefined || tagIn(first) === undefined) return undefined;
  let before: ReplicationMark | undefined;
  return members.map((member) => {
    const tag = tagIn(member);
    if (tag === undefined) before = undefined;
    else before = fullMark(tag.value ?? "") ?? nextMark(tag.value, before);
    return before;
  });
}
