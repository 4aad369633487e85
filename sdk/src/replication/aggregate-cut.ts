/**
 * Cuts an aggregate into several, one or more for each shard that its members belong to, which consumers would leave
 * out as a whole. The members keep their order and their marks.
 */
import { AggregateBuilder } from "../aggregation/aggregate-builder.ts";
import type { AggregateMember } from "../aggregation/format.ts";
import type { HashKey } from "../aggregation/hash-key.ts";
import { markedAs, marksOf, type ReplicationMark } from "./mark.ts";

/** A member of an aggregate, and where it belongs. */
export interface RoutedPart {
  readonly member: AggregateMember;
  readonly hashKey: HashKey;
  /** The same for members of one shard. */
  readonly place: number;
}

/** A part of an aggregate: an aggregate by itself. */
export interface AggregatePiece {
  /** Of its first member. */
  readonly hashKey: HashKey;
  readonly data: Uint8Array<ArrayBuffer>;
}

interface MarkedPart extends RoutedPart {
  readonly mark: ReplicationMark | undefined;
}

/** See above. No piece has more bytes than `bytesMax`, which are those of the aggregate. */
export function cutAggregate(parts: readonly RoutedPart[], bytesMax: number): AggregatePiece[] {
  const marks = marksOf(parts.map(({ member }) => member));
  const byPlace = new Map<number, MarkedPart[]>();
  for (const [i, part] of parts.entries()) {
    const marked = { ...part, mark: marks?.[i] };
    const others = byPlace.get(part.place);
    if (others === undefined) byPlace.set(part.place, [marked]);
    else others.push(marked);
  }
  return [...byPlace.values()].flatMap((ofPlace) => packed(ofPlace, bytesMax));
}

/** Marks that say how far they are behind others take more bytes when those are elsewhere. */
function packed(parts: readonly MarkedPart[], bytesMax: number): AggregatePiece[] {
  const pieces: AggregatePiece[] = [];
  let builder = new AggregateBuilder();
  let first: MarkedPart | undefined;
  let before: ReplicationMark | undefined;
  const finish = (): void => {
    if (first !== undefined) pieces.push({ hashKey: first.hashKey, data: builder.finish() });
    builder = new AggregateBuilder();
  };
  for (const part of parts) {
    const { member, mark } = part;
    const fits = first !== undefined && builder.add(markedAs(member, mark, before), bytesMax);
    before = mark;
    if (fits) continue;
    finish();
    first = part;
    if (builder.add(markedAs(member, mark, undefined), bytesMax)) continue;
    // Without its mark it takes no more than it did; consumers then get it once more if it comes again.
    before = undefined;
    builder.add(markedAs(member, undefined, undefined));
  }
  finish();
  return pieces;
}
