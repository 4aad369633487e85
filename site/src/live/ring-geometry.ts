/** The ring of 128-bit hash keys as geometry: shares of a turn, clockwise from the top. */

/** Number of hash keys: 2^128. */
const HASH_KEYS = 1n << 128n;

/** Denominator with which a bigint share becomes a number; 2^40 is finer than any screen. */
const SHARE_STEPS = 1n << 40n;

const HEX_DIGITS = 32;

/** The part of the ring that one shard owns; shares of a turn from 0 to 1. */
export interface Arc {
  readonly shardIndex: number;
  readonly start: number;
  readonly end: number;
}

/** A hash key range as the engine describes it: decimal strings, both ends inclusive. */
export interface HashKeyRange {
  readonly shardIndex: number;
  readonly startingHashKey: string;
  readonly endingHashKey: string;
}

/** A point in the plane of the ring. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

function shareOf(hashKey: bigint): number {
  return Number((hashKey * SHARE_STEPS) / HASH_KEYS) / Number(SHARE_STEPS);
}

/** Arcs of the shards in ring order. */
export function arcsOf(shards: readonly HashKeyRange[]): Arc[] {
  return shards
    .map(({ shardIndex, startingHashKey, endingHashKey }) => ({
      shardIndex,
      start: shareOf(BigInt(startingHashKey)),
      end: shareOf(BigInt(endingHashKey) + 1n),
    }))
    .sort((left, right) => left.start - right.start);
}

/** Point at a share of the turn on a circle around `centre`. */
export function pointAt(share: number, radius: number, centre: number): Point {
  const angle = share * 2 * Math.PI;
  return { x: centre + radius * Math.sin(angle), y: centre - radius * Math.cos(angle) };
}

/** SVG path of an arc; `gap` (a share of the turn) is left free, half of it at each end. */
export function arcPath(arc: Arc, radius: number, centre: number, gap: number): string {
  const width = arc.end - arc.start;
  const inset = Math.min(gap, width / 2) / 2;
  const from = pointAt(arc.start + inset, radius, centre);
  const middle = pointAt(arc.start + width / 2, radius, centre);
  const to = pointAt(arc.end - inset, radius, centre);
  const turn = `A${radius} ${radius} 0 0 1`;
  const text = ({ x, y }: Point): string => `${x.toFixed(3)} ${y.toFixed(3)}`;
  return `M${text(from)}${turn} ${text(middle)}${turn} ${text(to)}`;
}

/** First eight of the 32 hexadecimal digits of a hash key given in decimal: `0x80000000…`. */
export function shortHashKey(decimal: string): string {
  return `0x${BigInt(decimal).toString(16).padStart(HEX_DIGITS, "0").slice(0, 8)}…`;
}

/** All 32 hexadecimal digits of a hash key given in decimal. */
export function hexHashKey(decimal: string): string {
  return `0x${BigInt(decimal).toString(16).padStart(HEX_DIGITS, "0")}`;
}

/** Share of a turn by which successive keys are apart: the golden section never repeats a place. */
const GOLDEN_STEP = 0.618_033_988_749_895;

/** Keys that are remembered; the oldest are forgotten, and get a new place when they come again. */
const KEYS_MAX = 20_000;

/**
 * Gives each partition key its own place in its shard's arc, in the order in which keys first appear.
 * The arc is the engine's answer; the place in it is only for the eye: one key, one place.
 */
export class KeyPlaces {
  readonly #places = new Map<string, number>();
  #next = 0.5;

  /** Share of the turn at which records of this key land. */
  shareOf(partitionKey: string, arc: Arc): number {
    return arc.start + (arc.end - arc.start) * (0.03 + 0.94 * this.#placeOf(partitionKey));
  }

  #placeOf(partitionKey: string): number {
    const known = this.#places.get(partitionKey);
    if (known !== undefined) return known;
    const [oldest] = this.#places.keys();
    if (oldest !== undefined && this.#places.size >= KEYS_MAX) this.#places.delete(oldest);
    this.#next = (this.#next + GOLDEN_STEP) % 1;
    this.#places.set(partitionKey, this.#next);
    return this.#next;
  }
}
