/**
 * Up to which position an origin's records are there, over hash keys: pieces of the ring, each with a position.
 * They only ever rise, so that knowing less than there is shows a repeat, and never hides a record.
 */
import {
  compareHashKeys,
  type HashKey,
  type HashKeyRange,
  hashKeyFrom,
  rangeHolds,
} from "../aggregation/hash-key.ts";
import { commonRange, compareMarks, type ReplicationMark } from "./mark.ts";

/** Beyond so many the first ones are forgotten. */
const PIECES_MAX = 64;

/** A position in the shard that records were put into first. */
export type MarkPosition = Pick<ReplicationMark, "index" | "subSequenceNumber">;

/** All records of an origin with these hash keys are there up to a position. */
export interface Piece extends HashKeyRange, MarkPosition {}

/** In the order of the hash keys, of which each is in one at most. Never changed. */
export type Pieces = readonly Piece[];

function moved(key: HashKey, by: bigint): HashKey {
  let value = 0n;
  for (const word of key) value = (value << 32n) | BigInt(word);
  return hashKeyFrom(BigInt.asUintN(128, value + by));
}

const before = (key: HashKey): HashKey => moved(key, -1n);
const after = (key: HashKey): HashKey => moved(key, 1n);

function sameRange(left: HashKeyRange, right: HashKeyRange): boolean {
  return (
    compareHashKeys(left.start, right.start) === 0 && compareHashKeys(left.end, right.end) === 0
  );
}

/** Whether a record with a hash key is there already. The key is only asked for where it matters. */
export function coversPosition(
  pieces: Pieces,
  position: MarkPosition,
  hashKey: () => HashKey,
): boolean {
  if (pieces.every((piece) => compareMarks(position, piece) > 0)) return false;
  const key = hashKey();
  const piece = pieces.find((one) => rangeHolds(one, key));
  return piece !== undefined && compareMarks(position, piece) <= 0;
}

/** The pieces once all records of a range are there up to a position. */
export function raised(pieces: Pieces, range: HashKeyRange, position: MarkPosition): Pieces {
  const { index, subSequenceNumber } = position;
  const added = (start: HashKey, end: HashKey): Piece => ({ start, end, index, subSequenceNumber });
  const [only] = pieces;
  if (only === undefined || (pieces.length === 1 && sameRange(only, range))) {
    const known = only !== undefined && compareMarks(only, position) >= 0;
    return known ? pieces : [added(range.start, range.end)];
  }
  const next: Piece[] = [];
  /** Where the part of the range begins that no piece was found for yet; undefined once there is none. */
  let from: HashKey | undefined = range.start;
  for (const piece of pieces) {
    const inside = commonRange(piece, range);
    const end = inside === undefined ? piece.start : inside.start;
    // What lies between the pieces.
    if (from !== undefined && compareHashKeys(from, end) < 0) {
      const last = before(end);
      next.push(added(from, compareHashKeys(last, range.end) <= 0 ? last : range.end));
      from = compareHashKeys(last, range.end) < 0 ? end : undefined;
    }
    next.push(...(inside === undefined ? [piece] : cut(piece, inside, position)));
    if (inside !== undefined) {
      from = compareHashKeys(inside.end, range.end) < 0 ? after(inside.end) : undefined;
    }
  }
  if (from !== undefined) next.push(added(from, range.end));
  return joined(next);
}

/** A piece of which a part is raised. */
function cut(piece: Piece, inside: HashKeyRange, position: MarkPosition): Piece[] {
  const { index, subSequenceNumber } = compareMarks(piece, position) >= 0 ? piece : position;
  const parts: Piece[] = [{ ...inside, index, subSequenceNumber }];
  if (compareHashKeys(piece.start, inside.start) < 0) {
    parts.unshift({ ...piece, end: before(inside.start) });
  }
  if (compareHashKeys(inside.end, piece.end) < 0) {
    parts.push({ ...piece, start: after(inside.end) });
  }
  return parts;
}

/** Neighbours that say the same are one. */
function joined(pieces: Pieces): Pieces {
  const next: Piece[] = [];
  for (const piece of pieces) {
    const last = next.at(-1);
    const goesOn =
      last !== undefined &&
      compareMarks(last, piece) === 0 &&
      compareHashKeys(after(last.end), piece.start) === 0;
    if (goesOn) next[next.length - 1] = { ...last, end: piece.end };
    else next.push(piece);
  }
  return next.slice(-PIECES_MAX);
}

/** What of the pieces lies within a range. */
export function clipped(pieces: Pieces, range: HashKeyRange): Pieces {
  return pieces.flatMap((piece) => {
    const inside = commonRange(piece, range);
    const { index, subSequenceNumber } = piece;
    return inside === undefined ? [] : [{ ...inside, index, subSequenceNumber }];
  });
}
