/** What is there of which origin, in the hash keys of one shard, and how that is written into a lease's state. */
import type { HashKey, HashKeyRange } from "../aggregation/hash-key.ts";
import type { StateValue } from "../groups/group-types.ts";
import { commonRange, decodeRange, encodeRange, type ReplicationMark } from "./mark.ts";
import { clipped, coversPosition, type Pieces, raised } from "./repeat-pieces.ts";

/** A table is written in so many parts, so that little is written when little changed. */
const PARTS = 16;
/** Origins of one part; beyond that, whoever was not heard of for longest is forgotten. */
const PART_ORIGINS_MAX = 64;

/** Origins of one part of a table; the one that was heard of last is at the end. */
type Part = ReadonlyMap<string, Pieces>;

/** The state of one part; null where it holds nothing. */
export interface WrittenPart {
  readonly part: number;
  readonly value: StateValue;
}

function partOf(origin: string): number {
  let sum = 0;
  for (let i = 0; i < origin.length; i++) sum = (sum * 31 + origin.charCodeAt(i)) % 65_521;
  return sum % PARTS;
}

function writePart(part: Part): StateValue {
  const lines = Array.from(part, ([origin, pieces]) => [
    origin,
    ...pieces.map(({ start, end, index, subSequenceNumber }) => {
      const place = `${index.toString(36)}.${subSequenceNumber.toString(36)}`;
      return `${encodeRange({ start, end })}.${place}`;
    }),
  ]);
  return lines.length === 0 ? null : lines;
}

function readPieces(texts: readonly unknown[]): Pieces {
  return texts.map((text) => {
    const [start = "", end = "", index = "0", sub = "0"] = String(text).split(".");
    return {
      ...decodeRange(start, end),
      index: Number.parseInt(index, 36),
      subSequenceNumber: Number.parseInt(sub, 36),
    };
  });
}

/** See above. */
export class RepeatTable {
  readonly #range: HashKeyRange;
  readonly #parts: Part[] = Array.from({ length: PARTS }, () => new Map());

  /** An empty one for the hash keys of a shard. */
  constructor(range: HashKeyRange) {
    this.#range = range;
  }

  /** Whether it knows of no origin. */
  get empty(): boolean {
    return this.#parts.every(({ size }) => size === 0);
  }

  /** Takes up what was written of this shard, or of one that it came of. */
  add(value: StateValue): void {
    if (!Array.isArray(value)) return;
    for (const line of value as readonly StateValue[]) {
      const [origin, ...texts] = Array.isArray(line) ? (line as readonly StateValue[]) : [];
      if (typeof origin !== "string") continue;
      for (const piece of clipped(readPieces(texts), this.#range)) {
        this.#set(origin, raised(this.#get(origin), piece, piece));
      }
    }
  }

  /** Whether a record was there before. */
  holds({ source, ...position }: ReplicationMark, hashKey: () => HashKey): boolean {
    const pieces = this.#get(source.origin);
    return pieces.length > 0 && coversPosition(pieces, position, hashKey);
  }

  /** A record is there. */
  note({ source, ...position }: ReplicationMark): void {
    const range = commonRange(source.range, this.#range);
    if (range === undefined) return;
    this.#set(source.origin, raised(this.#get(source.origin), range, position));
  }

  /** Another table that says the same; what is noted in one is not noted in the other. */
  copy(): RepeatTable {
    const copy = new RepeatTable(this.#range);
    for (const [i, part] of this.#parts.entries()) copy.#parts[i] = new Map(part);
    return copy;
  }

  /** The table once these records are there, too; the table itself does not change, and parts are shared. */
  changedBy(marks: readonly ReplicationMark[]): RepeatTable {
    const next = new RepeatTable(this.#range);
    for (const [i, part] of this.#parts.entries()) next.#parts[i] = part;
    const copied = new Set<number>();
    for (const mark of marks) {
      const part = partOf(mark.source.origin);
      if (!copied.has(part)) next.#parts[part] = new Map(next.#parts[part]);
      copied.add(part);
      next.note(mark);
    }
    return next;
  }

  /** What is to be written where another table was written last; everything without one. */
  written(since?: RepeatTable): WrittenPart[] {
    return this.#parts.flatMap((part, i) => {
      const before = since === undefined ? undefined : since.#parts[i];
      if (before === part || (before === undefined && part.size === 0)) return [];
      return [{ part: i, value: writePart(part) }];
    });
  }

  /** The table of a shard that came of this one's. */
  within(range: HashKeyRange): RepeatTable {
    const child = new RepeatTable(range);
    for (const part of this.#parts) {
      for (const [origin, pieces] of part) {
        const inside = clipped(pieces, range);
        if (inside.length > 0) child.#set(origin, inside);
      }
    }
    return child;
  }

  #get(origin: string): Pieces {
    return this.#parts[partOf(origin)]?.get(origin) ?? [];
  }

  #set(origin: string, pieces: Pieces): void {
    const part = this.#parts[partOf(origin)] as Map<string, Pieces>;
    // Only what comes near its limit is kept in order.
    if (part.size * 2 >= PART_ORIGINS_MAX) part.delete(origin);
    part.set(origin, pieces);
    if (part.size <= PART_ORIGINS_MAX) return;
    const [oldest] = part.keys();
    if (oldest !== undefined) part.delete(oldest);
  }
}
