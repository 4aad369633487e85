/**
 * From which position up to which one an origin's records are there, over hash keys: pieces of the ring, each with
 * the first position that came and the last one. They only ever rise, so that knowing less than there is shows a
 * repeat, and never hides a record; what comes from below the first position was never here.
 */
import {
  compareHashKeys,
  type HashKey,
  type HashKeyRange,
  hashKeyFrom,
  rangeHolds,
} from "../aggregation/hash-key.ts";
import { commonRange, compareMarks, type ReplicationMark, sameRange } from "./mark.ts";

/** Beyond so many, neighbours are told as one where that hides nothing, and then the first ones are forgotten. */
const PIECES_MAX = 64;

/** A position in the shard that records were put into first. */
export type MarkPosition = Pick<ReplicationMark, "index" | "subSequenceNumber">;

/** Positions of an origin's records, both inclusive. */
export interface MarkSpan {
  readonly low: MarkPosition;
  readonly high: MarkPosition;
}

/** All records of an origin with these hash keys are there from one position to another one. */
export interface Piece extends HashKeyRange, MarkSpan {}

/** In the order of the hash keys, of which each is in one at most. Never changed. */
export type Pieces = readonly Piece[];

function moved(key: HashKey, by: bigint): HashKey {
  let value = 0n;
  for (const word of key) value = (value << 32n) | BigInt(word);
  return hashKeyFrom(BigInt.asUintN(128, value + by));
}

const before = (key: HashKey): HashKey => moved(key, -1n);
const after = (key: HashKey): HashKey => moved(key, 1n);

function spans({ low, high }: MarkSpan, position: MarkPosition): boolean {
  return compareMarks(low, position) <= 0 && compareMarks(position, high) <= 0;
}

/** Whether a record with a hash key is there already. The key is only asked for where it matters. */
export function coversPosition(
  pieces: Pieces,
  position: MarkPosition,
  hashKey: () => HashKey,
): boolean {
  if (!pieces.some((piece) => spans(piece, position))) return false;
  const key = hashKey();
  const piece = pieces.find((one) => rangeHolds(one, key));
  return piece !== undefined && spans(piece, position);
}

/**
 * The pieces once records of a range came from `low` to `high`, without any left out between a piece's last one and
 * `high`. The very same pieces when that changes nothing.
 */
export function raised(pieces: Pieces, range: HashKeyRange, { low, high }: MarkSpan): Pieces {
  const added = (start: HashKey, end: HashKey): Piece => ({ start, end, low, high });
  const [only] = pieces;
  if (only === undefined) return [added(range.start, range.end)];
  if (pieces.length === 1 && sameRange(only, range)) {
    return compareMarks(only.high, high) >= 0 ? pieces : [{ ...only, high }];
  }
  const next: Piece[] = [];
  let changed = false;
  const add = (start: HashKey, end: HashKey): void => {
    next.push(added(start, end));
    changed = true;
  };
  /** Where the part of the range begins that no piece was found for yet; undefined once there is none. */
  let from: HashKey | undefined = range.start;
  for (const piece of pieces) {
    const inside = commonRange(piece, range);
    const end = inside === undefined ? piece.start : inside.start;
    // What lies between the pieces.
    if (from !== undefined && compareHashKeys(from, end) < 0) {
      const last = before(end);
      add(from, compareHashKeys(last, range.end) <= 0 ? last : range.end);
      from = compareHashKeys(last, range.end) < 0 ? end : undefined;
    }
    const rises = inside !== undefined && compareMarks(piece.high, high) < 0;
    changed ||= rises;
    next.push(...(rises ? cut(piece, inside, high) : [piece]));
    if (inside !== undefined) {
      from = compareHashKeys(inside.end, range.end) < 0 ? after(inside.end) : undefined;
    }
  }
  if (from !== undefined) add(from, range.end);
  return changed ? limited(next) : pieces;
}

/** A piece of which a part is raised. */
function cut(piece: Piece, inside: HashKeyRange, high: MarkPosition): Piece[] {
  const parts: Piece[] = [{ ...piece, ...inside, high }];
  if (compareHashKeys(piece.start, inside.start) < 0) {
    parts.unshift({ ...piece, end: before(inside.start) });
  }
  if (compareHashKeys(inside.end, piece.end) < 0) {
    parts.push({ ...piece, start: after(inside.end) });
  }
  return parts;
}

function limited(pieces: Pieces): Pieces {
  const exact = joined(pieces, (left, right) => compareMarks(left, right) === 0);
  if (exact.length <= PIECES_MAX) return exact;
  return joined(exact, () => true).slice(-PIECES_MAX);
}

/** Neighbours that say the same are one: up to the same position, and from ones that may be taken for the same. */
function joined(
  pieces: Pieces,
  alike: (left: MarkPosition, right: MarkPosition) => boolean,
): Pieces {
  const next: Piece[] = [];
  for (const piece of pieces) {
    const last = next.at(-1);
    const goesOn =
      last !== undefined &&
      compareMarks(last.high, piece.high) === 0 &&
      alike(last.low, piece.low) &&
      compareHashKeys(after(last.end), piece.start) === 0;
    if (goesOn) {
      const low = compareMarks(last.low, piece.low) >= 0 ? last.low : piece.low;
      next[next.length - 1] = { ...last, end: piece.end, low };
    } else next.push(piece);
  }
  return next;
}

/** What of the pieces lies within a range. */
export function clipped(pieces: Pieces, range: HashKeyRange): Pieces {
  return pieces.flatMap((piece) => {
    const inside = commonRange(piece, range);
    return inside === undefined ? [] : [{ ...piece, ...inside }];
  });
}
