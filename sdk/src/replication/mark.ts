/**
 * The replication mark: where a user record that was shipped comes from, written as a tag of the KPL's format, so
 * that every KCL still reads the aggregate. The first member of an aggregate says all, in base 36 and hexadecimal:
 *
 *     mr = <incarnation>.<stream uid>.<shard>-<run>[~<stream>]….<index>.<sub-sequence number>.<range start>.<range end>
 *
 * with the streams by way of which it came, and the run of shipping in which nothing was left out on the last way.
 * A following one says how far its index is behind that of the member before it, and its sub-sequence number
 * unless that is 0; nothing when it is the next record. A member without a tag has no mark.
 */
import { hexOfBytes, type systemRandom } from "@millrace/engine";
import type { AggregateMember, AggregateTag } from "../aggregation/format.ts";
import {
  compareHashKeys,
  type HashKey,
  type HashKeyRange,
  hashKeyOf,
} from "../aggregation/hash-key.ts";

/** Key of the tag. */
const TAG = "mr";
const FULL =
  /^([0-9a-f]{32})\.([0-9a-z]{1,7})\.([0-9a-z]{1,7}-[0-9a-f]{16})((?:~[0-9a-f]{16}){0,16})\.([0-9a-z]{1,11})\.([0-9a-z]{1,7})\.([0-9a-f]{0,32})\.([0-9a-f]{0,32})$/;
const NEXT = /^([0-9a-z]{1,11})(?:\.([0-9a-z]{1,7}))?$/;

/** Random bytes that name a run. */
const RUN_BYTES = 8;
/** Streams that a mark names by way of which a record came; behind more it passes for the last one's own. */
const VIA_MAX = 16;

/** The log, the stream and the shard that records were put into first, and the hash keys that are spoken for. */
export interface MarkSource {
  /** Incarnation, stream, shard and run as one text: positions are compared within it. */
  readonly origin: string;
  /** Random id of a log, 32 hexadecimal digits. */
  readonly incarnation: string;
  /** Of the stream in its log. */
  readonly streamUid: number;
  /** Names of the streams by way of which it came, as {@link nameOfStream} gives them; none for a direct way. */
  readonly via: readonly string[];
  /**
   * Who stored the record there says: of the run's records with these hash keys, all between its first one and this
   * one are stored, too.
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

/** What is put into a shard, as one run of shipping sends it; `run` is 16 hexadecimal digits. */
export function sourceOf(
  { incarnation, streamUid }: Pick<MarkSource, "incarnation" | "streamUid">,
  shardIndex: number,
  run: string,
  range: HashKeyRange,
): MarkSource {
  const origin = `${incarnation}.${streamUid.toString(36)}.${shardIndex.toString(36)}-${run}`;
  return { origin, incarnation, streamUid, via: [], range };
}

/** How marks name a stream of a log by way of which records came. */
export function nameOfStream({
  incarnation,
  streamUid,
}: Pick<MarkSource, "incarnation" | "streamUid">): string {
  return digestOf(`${incarnation}.${streamUid}`);
}

/**
 * A source as a run of a stream in between sends it on. What that run left out was not said by the one before it, so
 * the two of them are a run of their own. Undefined when it came by way of too many streams.
 */
export function relayed(
  source: MarkSource,
  run: string,
  stream: string,
  range: HashKeyRange,
): MarkSource | undefined {
  if (source.via.length === VIA_MAX) return undefined;
  const origin = joinedOrigin(source.origin, run);
  return { ...source, origin, via: [...source.via, stream], range };
}

/** An origin as a run has it that takes up what is there: in as many characters. */
function joinedOrigin(origin: string, run: string): string {
  return `${origin.slice(0, origin.lastIndexOf("-"))}-${digestOf(`${origin}.${run}`)}`;
}

/** Names a run that nobody has begun: 16 hexadecimal digits. */
export function newRun(random: Pick<typeof systemRandom, "fill">): string {
  return hexOfBytes(random.fill(new Uint8Array(RUN_BYTES)));
}

/** 64 bits of a text's MD5, in hexadecimal. */
function digestOf(text: string): string {
  return hexOf(hashKeyOf(text)).slice(0, 16);
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

/** Whether two ranges are the same. */
export function sameRange(left: HashKeyRange, right: HashKeyRange): boolean {
  return (
    compareHashKeys(left.start, right.start) === 0 && compareHashKeys(left.end, right.end) === 0
  );
}

/** A part of a range that holds a hash key and takes few digits to tell. */
export function briefRange(range: HashKeyRange, hashKey: HashKey): HashKeyRange {
  const hex = hexOf(hashKey);
  for (let digits = 0; digits < encodeRange(range).length / 2; digits++) {
    const prefix = hex.slice(0, digits);
    const part = decodeRange(prefix, prefix);
    const within =
      compareHashKeys(range.start, part.start) <= 0 && compareHashKeys(part.end, range.end) <= 0;
    if (within) return part;
  }
  return range;
}

function sameSource(left: MarkSource, right: MarkSource): boolean {
  if (left === right) return true;
  return left.origin === right.origin && sameRange(left.range, right.range);
}

/** The tag of a mark, in an aggregate whose member before it has the mark `before`. */
export function tagOf(mark: ReplicationMark, before: ReplicationMark | undefined): AggregateTag {
  const { source, index, subSequenceNumber } = mark;
  const sub = subSequenceNumber.toString(36);
  if (before === undefined || index < before.index || !sameSource(source, before.source)) {
    const place = `${index.toString(36)}.${sub}`;
    const via = source.via.map((stream) => `~${stream}`).join("");
    return { key: TAG, value: `${source.origin}${via}.${place}.${encodeRange(source.range)}` };
  }
  const behind = index - before.index;
  if (subSequenceNumber > 0) return { key: TAG, value: `${behind.toString(36)}.${sub}` };
  return behind === 1 ? { key: TAG } : { key: TAG, value: behind.toString(36) };
}

function fullMark(value: string): ReplicationMark | undefined {
  const parts = FULL.exec(value);
  if (parts === null) return undefined;
  const [, incarnation = "", uid = "", shard = "", streams = "", ...position] = parts;
  const [index = "", sub = "", start = "", end = ""] = position;
  const range = decodeRange(start, end);
  if (compareHashKeys(range.start, range.end) > 0) return undefined;
  const streamUid = Number.parseInt(uid, 36);
  const via = streams.split("~").slice(1);
  const source = { origin: `${incarnation}.${uid}.${shard}`, incarnation, streamUid, via, range };
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

/**
 * A member with a mark, as it is written behind a member that has the mark `before`; without one where that is
 * undefined. Its other tags stay.
 */
export function markedAs(
  { tags = [], ...member }: AggregateMember,
  mark: ReplicationMark | undefined,
  before: ReplicationMark | undefined,
): AggregateMember {
  const others = tags.filter(({ key }) => key !== TAG);
  return { ...member, tags: mark === undefined ? others : [tagOf(mark, before), ...others] };
}

type Tagged = { readonly tags?: readonly AggregateTag[] | undefined };

function tagIn({ tags = [] }: Tagged): AggregateTag | undefined {
  return tags.find(({ key }) => key === TAG);
}

/**
 * The members of an aggregate as a run of copying has them, whose marks say that run, too, in as many characters;
 * undefined when none of them has a mark.
 */
export function joinRun(
  members: readonly AggregateMember[],
  run: string,
): readonly AggregateMember[] | undefined {
  if (members.every((member) => tagIn(member) === undefined)) return undefined;
  return members.map((member) => {
    const tags = member.tags?.map((tag) => (tag.key === TAG ? joinedTag(tag, run) : tag));
    return { ...member, tags };
  });
}

/** A tag that says less than all stays as it is: it goes on from the one before it. */
function joinedTag(tag: AggregateTag, run: string): AggregateTag {
  const { key, value = "" } = tag;
  const mark = fullMark(value);
  if (mark === undefined) return tag;
  const { origin } = mark.source;
  return { key, value: `${joinedOrigin(origin, run)}${value.slice(origin.length)}` };
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
