/**
 * A plain TypeScript model of the shard log, slow and simple: lists of records with counts of how many
 * of them are cut and durable.
 *
 * Where a segment ends depends on memory, which the model leaves out: it learns the ordinal of each
 * record from the cut that takes it, and checks that the ordinals make sense.
 */
import { STATUS_BYTE_RATE, STATUS_OK, STATUS_RECORD_RATE } from "@millrace/core/layout";

/** One record of the model. */
export interface ModelRecord {
  readonly index: number;
  readonly key: string;
  readonly data: Uint8Array;
  readonly arrivalMs: number;
  /** Ordinal of its segment, once it was cut. */
  ordinal: number;
  /** WAL frame, once it is durable. */
  frame: number;
  /** Its segment was closed by hand after it. */
  closes: boolean;
}

interface Tanks {
  readonly records: number;
  readonly bytes: number;
  readonly refillMs: number;
}

/** Records of one durable segment. */
export interface ModelSegment {
  readonly ordinal: number;
  readonly records: readonly ModelRecord[];
  /** Records of it that are not durable. */
  readonly dirty: number;
}

const RECORDS_PER_SECOND = 1_000;
const BYTES_PER_SECOND = 1_048_576;
const FULL: Tanks = { records: RECORDS_PER_SECOND, bytes: 10 * BYTES_PER_SECOND, refillMs: 0 };

/** Bytes that a record's frame takes. */
export function frameBytesOf({ key, data }: { key: string; data: Uint8Array }): number {
  return Math.ceil((40 + new TextEncoder().encode(key).length + data.length) / 8) * 8;
}

/** One shard of the model. */
export class ModelShard {
  readonly records: ModelRecord[] = [];
  cutCount = 0;
  durableCount = 0;
  /** Segment that may have been full before a rewind took its successor back. */
  maybeFull = 0;
  /** Segments taken or declared, by ordinal. */
  readonly stored = new Map<number, "sealing" | "declared">();
  /** Segments that trim dropped. */
  readonly trimmed = new Set<number>();
  readonly writeQuotas: boolean;
  #floor = 0;
  #tanks: Tanks = FULL;
  #cutTanks: Tanks = FULL;
  #durableTanks: Tanks = FULL;

  constructor(writeQuotas: boolean) {
    this.writeQuotas = writeQuotas;
  }

  get nextIndex(): number {
    return Math.max(this.#floor, (this.records.at(-1)?.index ?? -1) + 1);
  }

  get durable(): readonly ModelRecord[] {
    return this.records.slice(0, this.durableCount);
  }

  get durableIndex(): number {
    return (this.durable.at(-1)?.index ?? -1) + 1;
  }

  get lastOrdinal(): number {
    return this.durable.at(-1)?.ordinal ?? 0;
  }

  /** Status of one more record, which is appended unless refused. */
  append(key: string, data: Uint8Array, nowMs: number): number {
    const bytes = new TextEncoder().encode(key).length + data.length;
    if (this.writeQuotas) {
      const elapsedMs = Math.max(0, nowMs - this.#tanks.refillMs);
      const refill = (level: number, perSecond: number, capacity: number): number =>
        Math.min(capacity, level + (elapsedMs * perSecond) / 1_000);
      this.#tanks = {
        records: refill(this.#tanks.records, RECORDS_PER_SECOND, FULL.records),
        bytes: refill(this.#tanks.bytes, BYTES_PER_SECOND, FULL.bytes),
        refillMs: nowMs,
      };
      if (this.#tanks.records < 0.999) return STATUS_RECORD_RATE;
      if (this.#tanks.bytes < bytes - 0.001) return STATUS_BYTE_RATE;
    }
    return this.#push(key, data, nowMs, bytes);
  }

  #push(key: string, data: Uint8Array, arrivalMs: number, bytes: number): number {
    const { records, bytes: level, refillMs } = this.#tanks;
    if (this.writeQuotas) this.#tanks = { records: records - 1, bytes: level - bytes, refillMs };
    this.records.push({
      index: this.nextIndex,
      key,
      data,
      arrivalMs,
      ordinal: 0,
      frame: 0,
      closes: false,
    });
    return STATUS_OK;
  }

  /** Takes back a record that the core refused for want of memory, and its tokens. */
  unappend(): void {
    const record = this.records.pop();
    if (record === undefined || !this.writeQuotas) return;
    const bytes = new TextEncoder().encode(record.key).length + record.data.length;
    const { records, bytes: level, refillMs } = this.#tanks;
    this.#tanks = { records: records + 1, bytes: level + bytes, refillMs };
  }

  cut(): void {
    if (this.records.length === this.durableCount) return;
    this.cutCount = this.records.length;
    this.#cutTanks = this.#tanks;
  }

  commit(frame: number): void {
    if (this.cutCount === this.durableCount) return;
    for (const record of this.records.slice(this.durableCount, this.cutCount)) record.frame = frame;
    this.durableCount = this.cutCount;
    this.#durableTanks = this.#cutTanks;
  }

  rewind(): void {
    if (this.records.length === this.durableCount) return;
    this.maybeFull = this.lastOrdinal;
    this.records.length = this.durableCount;
    this.cutCount = this.durableCount;
    this.#tanks = this.#durableTanks;
    this.#cutTanks = this.#durableTanks;
  }

  /** The open segment, if any, takes no more records, unless a rewind goes back into it. */
  roll(): void {
    const last = this.records.at(-1);
    if (last !== undefined) last.closes = true;
  }

  raise(index: number): void {
    if (index <= this.nextIndex) return;
    this.roll();
    this.#floor = index;
  }

  /** Segments with durable records, in order. */
  get segments(): ModelSegment[] {
    const groups = new Map<number, ModelRecord[]>();
    for (const record of this.durable) {
      groups.set(record.ordinal, [...(groups.get(record.ordinal) ?? []), record]);
    }
    const waiting = this.records.slice(this.durableCount, this.cutCount);
    return Array.from(groups, ([ordinal, records]) => {
      return { ordinal, records, dirty: waiting.filter((one) => one.ordinal === ordinal).length };
    });
  }

  /** Segments that a reader may find. */
  get cached(): ModelSegment[] {
    return this.segments.filter(({ ordinal }) => !this.trimmed.has(ordinal));
  }

  /** Whether the segment is closed for certain. */
  isClosed(ordinal: number): boolean {
    return ordinal < this.lastOrdinal || this.durable.at(-1)?.closes === true;
  }
}

/** The whole log. */
export class LogModel {
  readonly shards: readonly ModelShard[];
  /** Whether memory may run out: then the core may evict and refuse. */
  readonly tight: boolean;
  nowMs = 1_700_000_000_000;
  frame = 0;
  cutInFlight = false;

  constructor(shards: readonly ModelShard[], tight: boolean) {
    this.shards = shards;
    this.tight = tight;
  }

  shard(slot: number): ModelShard {
    const shard = this.shards[slot];
    if (shard === undefined) throw new RangeError(`the model has no slot ${slot}`);
    return shard;
  }
}
