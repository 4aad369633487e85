/** Places in a shard's range of hash keys: where it can be split, and which shards lie beside it. */
import type { HashKeyRange } from "../live/ring-geometry.ts";

/** Parts that a shard is divided into for choosing a place: finer than the pointer can tell. */
export const PLACES = 1000;

/**
 * The hash key at `place` of 1000 parts of a shard as a decimal string: the first one of the upper
 * child. It is kept inside what SplitShard accepts, so that both children own some hash keys.
 */
export function splitKeyAt(
  range: Pick<HashKeyRange, "startingHashKey" | "endingHashKey">,
  place: number,
): string {
  const start = BigInt(range.startingHashKey);
  const end = BigInt(range.endingHashKey);
  const key = start + ((end - start + 1n) * BigInt(Math.round(place))) / BigInt(PLACES);
  const least = start + 2n;
  const most = end - 1n;
  if (key < least) return least.toString();
  return (key > most ? most : key).toString();
}

/** Whether a shard owns enough hash keys to be split. */
export function canSplit(range: Pick<HashKeyRange, "startingHashKey" | "endingHashKey">): boolean {
  return BigInt(range.endingHashKey) - BigInt(range.startingHashKey) >= 3n;
}

/** Two shards that lie side by side on the ring, the one with the lower hash keys first. */
export interface Border<Range extends HashKeyRange> {
  readonly lower: Range;
  readonly upper: Range;
}

/** Borders between neighbours, by their hash keys. The ends of the ring do not count as neighbours. */
export function bordersOf<Range extends HashKeyRange>(ranges: readonly Range[]): Border<Range>[] {
  const ordered = [...ranges].sort((left, right) =>
    BigInt(left.startingHashKey) < BigInt(right.startingHashKey) ? -1 : 1,
  );
  return ordered.slice(1).flatMap((upper, i) => {
    const lower = ordered[i];
    if (lower === undefined) return [];
    const adjacent = BigInt(lower.endingHashKey) + 1n === BigInt(upper.startingHashKey);
    return adjacent ? [{ lower, upper }] : [];
  });
}

/** Where a share of the turn lies in an arc, in 1000 parts; its ends where it lies outside. */
export function placeInArc(share: number, arc: { start: number; end: number }): number {
  const width = arc.end - arc.start;
  const inside = width === 0 ? 0.5 : (share - arc.start) / width;
  return Math.round(Math.min(Math.max(inside, 0.001), 0.999) * PLACES);
}

/** Share of the turn, clockwise from the top, of a point relative to the ring's centre. */
export function shareOfPoint(x: number, y: number): number {
  const turn = Math.atan2(x, -y) / (2 * Math.PI);
  return turn < 0 ? turn + 1 : turn;
}
