/** What is there of which origin, in the hash keys of one shard, and how that is written into a lease's state. */
import { type HashKey, type HashKeyRange, rangeHolds } from "../aggregation/hash-key.ts";
import type { StateValue } from "../groups/group-types.ts";
import { commonRange, decodeRange, encodeRange, type ReplicationMark, sameRange } from "./mark.ts";
import {
  clipped,
  coversPosition,
  type MarkPosition,
  type Pieces,
  raised,
} from "./repeat-pieces.ts";

/** A table is written in so many parts, so that little is written when little changed. */
const PARTS = 16;
/** Numbers of all parts. */
export const ALL_PARTS: readonly number[] = Array.from({ length: PARTS }, (_, part) => part);
/** Origins of one part; beyond that, whoever was not heard of for longest is forgotten. */
const PART_ORIGINS_MAX = 64;
/**
 * Characters of one part as JSON. All parts of two shards that are merged go into one row of a lease table, which
 * holds 100,000 characters beside what the processor keeps there.
 */
const PART_SIZE_MAX = 2400;
/** A piece as it is written: its range, the first position and the last one. */
const PIECE =
  /^([0-9a-f]{0,32})\.([0-9a-f]{0,32})\.([0-9a-z]+)\.([0-9a-z]+)\.([0-9a-z]+)\.([0-9a-z]+)$/;

/** Origins of one part of a table; the one that was heard of last is at the end. */
type Part = ReadonlyMap<string, Pieces>;

/** A record that is there, and how far back those of its source before it are. */
export interface NotedMark {
  readonly mark: ReplicationMark;
  readonly low: MarkPosition;
}

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

function placeOf({ index, subSequenceNumber }: MarkPosition): string {
  return `${index.toString(36)}.${subSequenceNumber.toString(36)}`;
}

/** What was heard of last, as much as there is room for; the rest is forgotten with the lease. */
function writePart(part: Part): StateValue {
  const lines: (readonly string[])[] = [];
  let size = 0;
  for (const [origin, pieces] of Array.from(part).reverse()) {
    const texts = pieces.map(
      ({ low, high, ...range }) => `${encodeRange(range)}.${placeOf(low)}.${placeOf(high)}`,
    );
    const line = [origin, ...texts];
    const lineSize = JSON.stringify(line).length + 1;
    if (size + lineSize > PART_SIZE_MAX) continue;
    size += lineSize;
    lines.push(line);
  }
  return lines.length === 0 ? null : lines.reverse();
}

function readPieces(texts: readonly unknown[]): Pieces {
  return texts.flatMap((text) => {
    const parts = PIECE.exec(String(text));
    if (parts === null) return [];
    const [, start = "", end = "", ...numbers] = parts;
    const [index = 0, sub = 0, highIndex = 0, highSub = 0] = numbers.map((digits) =>
      Number.parseInt(digits, 36),
    );
    return {
      ...decodeRange(start, end),
      low: { index, subSequenceNumber: sub },
      high: { index: highIndex, subSequenceNumber: highSub },
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

  /** A record is there, and those of its source before it from `low` on; says whether that was to be noted. */
  note({ source, ...high }: ReplicationMark, low: MarkPosition = high): boolean {
    const range = commonRange(source.range, this.#range);
    if (range === undefined) return false;
    const pieces = this.#get(source.origin);
    const next = raised(pieces, range, { low, high });
    if (next === pieces) return false;
    this.#set(source.origin, next);
    return true;
  }

  /** Whether a mark speaks for the hash key that its record has. */
  speaksFor({ source: { range } }: ReplicationMark, hashKey: () => HashKey): boolean {
    const inside = commonRange(range, this.#range);
    if (inside === undefined) return false;
    // Whatever is delivered of a shard has one of its hash keys.
    return sameRange(inside, this.#range) || rangeHolds(inside, hashKey());
  }

  /** Another table that says the same; what is noted in one is not noted in the other. */
  copy(): RepeatTable {
    const copy = new RepeatTable(this.#range);
    for (const [i, part] of this.#parts.entries()) copy.#parts[i] = new Map(part);
    return copy;
  }

  /** The table once these records are there, too; the table itself does not change, and parts are shared. */
  changedBy(marks: Iterable<NotedMark>): RepeatTable {
    const next = new RepeatTable(this.#range);
    for (const [i, part] of this.#parts.entries()) next.#parts[i] = part;
    const copied = new Set<number>();
    for (const { mark, low } of marks) {
      const part = partOf(mark.source.origin);
      if (!copied.has(part)) next.#parts[part] = new Map(next.#parts[part]);
      copied.add(part);
      next.note(mark, low);
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
    if (part.size > 1) part.delete(origin);
    part.set(origin, pieces);
    if (part.size <= PART_ORIGINS_MAX) return;
    const [oldest] = part.keys();
    if (oldest !== undefined) part.delete(oldest);
  }
}
