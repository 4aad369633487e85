/**
 * Keeps records out that a shard had before: those that somebody shipped again because the answer was lost, and
 * those that come back to the stream that they were put into first. What it knows goes into the lease's state with
 * every checkpoint, as it was at that checkpoint's record, and to the shards that come of its shard.
 */
import { InvalidArgumentError, type LeaseCheckpoint } from "@millrace/engine";
import {
  type HashKey,
  type HashKeyRange,
  hashKeyOf,
  parseHashKey,
} from "../aggregation/hash-key.ts";
import type { ShardHashKeys } from "../aggregation/index.ts";
import type { StateValue, UserRecord } from "../groups/group-types.ts";
import {
  comparePositions,
  type IndexOf,
  indexInEngine,
  type RecordPosition,
} from "../groups/held-lease.ts";
import { compareMarks, encodeRange, nameOfStream, type ReplicationMark } from "./mark.ts";
import type { MarkPosition } from "./repeat-pieces.ts";
import { ALL_PARTS, type NotedMark, RepeatTable } from "./repeat-table.ts";

/** What keys of state begin with that hold such tables; nobody else's may. */
export const REPEATS_STATE_PREFIX = "millrace.repeats.";
/** Beyond so many records without a checkpoint, some are only told apart at the checkpoints after them. */
const PENDING_MAX = 65_536;

/** The log and the stream that a filter's shard belongs to. */
export interface OwnStream {
  /** Random id of the log, 32 hexadecimal digits. */
  readonly incarnation: string;
  readonly streamUid: number;
}

/** A shard and its hash keys. */
export interface FilteredShard extends ShardHashKeys {
  readonly shardIndex: number;
}

/** What a filter begins with. */
export interface RepeatFilterParts {
  readonly shard: FilteredShard;
  /** As the last checkpoint left it; other entries are passed over. */
  readonly state?: Readonly<Record<string, StateValue>>;
  /** Records that were first put into this stream are copies of what is there; undefined where nothing can be. */
  readonly own?: OwnStream | undefined;
  /** How the shard's records are numbered; as an engine does when absent. */
  readonly indexOf?: IndexOf | undefined;
}

/** What a filter reads of a record. */
export type FilteredRecord = Pick<
  UserRecord,
  "mark" | "partitionKey" | "explicitHashKey" | "sequenceNumber" | "subSequenceNumber"
>;

/** One entry of state of one shard; null removes it. */
export interface RepeatState {
  readonly shardIndex: number;
  readonly key: string;
  readonly value: StateValue;
}

/** A record that was let through since the last checkpoint, and stands for those of its source from `low` on. */
interface Pending extends NotedMark, RecordPosition {}

function keyAt(decimal: string): HashKey {
  const key = parseHashKey(decimal);
  if (key !== undefined) return key;
  const limit = "0 to 2^128 - 1 in decimal";
  throw new InvalidArgumentError(`a hash key must be ${limit}: ${decimal}`, {
    ...{ argument: "shard", value: decimal, limit },
  });
}

function rangeOf({ startingHashKey, endingHashKey }: ShardHashKeys): HashKeyRange {
  return { start: keyAt(startingHashKey), end: keyAt(endingHashKey) };
}

/** See above. Records are shown to it in the shard's order, each once. */
export class RepeatFilter {
  readonly #shard: FilteredShard;
  readonly #range: HashKeyRange;
  readonly #own: OwnStream | undefined;
  /** How marks name the stream. */
  readonly #ownName: string | undefined;
  readonly #indexOf: IndexOf;
  /** Up to the record that was shown last. */
  #seen: RepeatTable;
  /** Up to the last checkpoint. */
  #stored: RepeatTable;
  /** What is being stored. */
  #storing: { readonly table: RepeatTable; readonly checkpoint: LeaseCheckpoint } | undefined;
  #pending: Pending[] = [];
  /** Entries to go with the next checkpoint: those of the shards that this one came of, and what was forgotten. */
  #stale: readonly string[] = [];
  /** Shards that come of this one, when they are known. */
  children: readonly FilteredShard[] = [];

  /** @throws InvalidArgumentError for a shard whose hash keys are none. */
  constructor({ shard, state = {}, own, indexOf = indexInEngine }: RepeatFilterParts) {
    const range = rangeOf(shard);
    this.#shard = shard;
    this.#range = range;
    this.#own = own;
    this.#ownName = own === undefined ? undefined : nameOfStream(own);
    this.#indexOf = indexOf;
    this.#seen = new RepeatTable(range);
    const mine = this.#prefix(shard.shardIndex);
    const keys = Object.keys(state).filter((key) => key.startsWith(REPEATS_STATE_PREFIX));
    for (const key of keys) this.#seen.add(state[key] ?? null);
    this.#stored = this.#seen.copy();
    this.#stale = keys.filter((key) => !key.startsWith(mine));
  }

  /** Whether there is anything that a checkpoint or a child would have to know. */
  get empty(): boolean {
    return this.#seen.empty;
  }

  /** The records of one stored record that were not there before. */
  sift<Record extends FilteredRecord>(records: readonly Record[]): readonly Record[] {
    if (records.every(({ mark }) => mark === undefined)) return records;
    return records.filter((record) => !this.#isRepeat(record));
  }

  /**
   * Records of the shard were gone before they were shown: whatever was there before says nothing of those, which may
   * come again, and is forgotten.
   */
  forget(): void {
    if (this.empty) return;
    this.#seen = new RepeatTable(this.#range);
    this.#stored = this.#seen.copy();
    this.#pending = [];
    this.#storing = undefined;
    this.#stale = [...this.#stale, ...ALL_PARTS.map((part) => this.#key(part))];
  }

  /** What a checkpoint has to be committed with. */
  stateAt(checkpoint: LeaseCheckpoint): RepeatState[] {
    const ended = "at" in checkpoint && checkpoint.at === "SHARD_END";
    const passed = this.#pending.filter((one) => isUpTo(checkpoint, one));
    const table = this.#stored.changedBy(together(passed));
    this.#storing = { table, checkpoint };
    const { shardIndex } = this.#shard;
    const own = table
      .written(this.#stale.length > 0 ? undefined : this.#stored)
      .map(({ part, value }) => ({ shardIndex, key: this.#key(part), value }));
    const written = new Set(own.map(({ key }) => key));
    const removed = [...new Set(this.#stale)]
      .filter((key) => !written.has(key))
      .map((key) => ({ shardIndex, key, value: null }));
    return [...own, ...removed, ...(ended ? this.#ofChildren(table) : [])];
  }

  /** What {@link stateAt} gave last is committed. */
  committed(): void {
    if (this.#storing === undefined) return;
    const { table, checkpoint } = this.#storing;
    this.#stored = table;
    this.#pending = this.#pending.filter((one) => !isUpTo(checkpoint, one));
    this.#stale = [];
    this.#storing = undefined;
  }

  #isRepeat(record: FilteredRecord): boolean {
    const { mark, subSequenceNumber } = record;
    if (mark === undefined) return false;
    if (this.#comesBack(mark)) return true;
    const route = (): HashKey => routeOf(record);
    // Whoever wrote a mark that does not speak for its own record is not believed.
    if (!this.#seen.speaksFor(mark, route)) return false;
    if (this.#seen.holds(mark, route)) return true;
    if (!this.#seen.note(mark)) return false;
    const index = this.#indexOf(record.sequenceNumber);
    if (this.#pending.length >= PENDING_MAX) this.#thin();
    const low = { index: mark.index, subSequenceNumber: mark.subSequenceNumber };
    this.#pending.push({ index, subSequenceNumber, mark, low });
    return false;
  }

  /** Whether a record was put into this very stream first, or came by way of it. */
  #comesBack({ source: { incarnation, streamUid, via } }: ReplicationMark): boolean {
    const own = this.#own;
    if (own === undefined) return false;
    if (own.incarnation === incarnation && own.streamUid === streamUid) return true;
    return this.#ownName !== undefined && via.includes(this.#ownName);
  }

  /**
   * Keeps every other one of a source, the last one always: a checkpoint between two of them then shows a repeat,
   * and loses nothing. Where there are too many sources for that, the first half goes.
   */
  #thin(): void {
    const kept: Pending[] = [];
    /** Of each source the place of the one that takes up the one before it. */
    const later = new Map<string, number>();
    for (let i = this.#pending.length - 1; i >= 0; i--) {
      const one = this.#pending[i];
      if (one === undefined) continue;
      const { origin, range } = one.mark.source;
      const source = `${origin}.${encodeRange(range)}`;
      const place = later.get(source);
      const next = place === undefined ? undefined : kept[place];
      if (place === undefined || next === undefined) {
        later.set(source, kept.push(one) - 1);
      } else {
        kept[place] = { ...next, low: lower(one.low, next.low) };
        later.delete(source);
      }
    }
    this.#pending = kept.slice(0, (PENDING_MAX * 3) / 4).reverse();
  }

  #ofChildren(table: RepeatTable): RepeatState[] {
    return this.children.flatMap((child) =>
      table
        .within(rangeOf(child))
        .written()
        .map(({ part, value }) => ({
          shardIndex: child.shardIndex,
          key: `${this.#prefix(this.#shard.shardIndex)}${part}`,
          value,
        })),
    );
  }

  #key(part: number): string {
    return `${this.#prefix(this.#shard.shardIndex)}${part}`;
  }

  /** Two shards that are merged write to their child, each under its own keys. */
  #prefix(shardIndex: number): string {
    return `${REPEATS_STATE_PREFIX}${shardIndex}.`;
  }
}

/** The hash key that decided the record's shard. */
function routeOf({ partitionKey, explicitHashKey }: FilteredRecord): HashKey {
  return explicitHashKey === undefined ? hashKeyOf(partitionKey) : keyAt(explicitHashKey);
}

/** Whether a record is at or before a checkpoint of its shard. */
function isUpTo(checkpoint: LeaseCheckpoint, one: RecordPosition): boolean {
  if ("index" in checkpoint) return comparePositions(one, checkpoint) <= 0;
  return "at" in checkpoint && checkpoint.at === "SHARD_END";
}

function lower(left: MarkPosition, right: MarkPosition): MarkPosition {
  return compareMarks(left, right) <= 0 ? left : right;
}

/** Of each source what all of its records come to, in the order in which sources began. */
function together(pending: readonly Pending[]): Iterable<NotedMark> {
  const noted = new Map<object, NotedMark>();
  for (const { mark, low } of pending) {
    const before = noted.get(mark.source);
    noted.set(mark.source, { mark, low: before === undefined ? low : lower(before.low, low) });
  }
  return noted.values();
}
