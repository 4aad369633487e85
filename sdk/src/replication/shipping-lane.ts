/**
 * What goes to one shard of the far side, or with one partition key: records in their order, of which one entry of
 * a call at a time is under way.
 */
import { AggregateBuilder } from "../aggregation/aggregate-builder.ts";
import { hasAggregateMagic } from "../aggregation/format.ts";
import { formatHashKey, type HashKeyRange } from "../aggregation/hash-key.ts";
import { utf8Bytes } from "../aggregation/protobuf-writer.ts";
import type { TargetRecord } from "../producer/put-target.ts";
import { AGGREGATE_KEY } from "../producer/record-group.ts";
import { briefRange, commonRange, type MarkSource, type ReplicationMark, tagOf } from "./mark.ts";
import type { ShippedRecord } from "./shipment.ts";

/** From here on the head of the array is given back to the memory. */
const TAKEN_MAX = 1024;

/** How entries are made. */
export interface EntryLimits {
  /** Bytes that an aggregate grows to; one record alone may be larger. */
  readonly aggregateBytesMax: number;
  /** Bytes that data and key of an entry may have on the far side. */
  readonly recordBytesMax: number;
}

/** Records that go as one entry of a call. */
export interface ShippedEntry {
  readonly records: readonly ShippedRecord[];
  readonly target: TargetRecord;
  /** Data and key. */
  readonly byteLength: number;
  /** Whether consumers drop it in a shard that has not the hash keys of all its records. */
  readonly aggregated: boolean;
}

/** A record that no entry of the far side can hold. */
export interface OversizeRecord {
  readonly record: ShippedRecord;
  readonly byteLength: number;
}

/** Where the records of a lane go. */
export interface LanePlace {
  /** The shard, or the partition key where nothing is aggregated. */
  readonly key: string;
  /** Hash keys of the shard; undefined where nothing is aggregated. */
  readonly range: HashKeyRange | undefined;
}

/** See above. */
export class ShippingLane {
  readonly place: LanePlace;
  /** Monotonic time before which nothing is sent. */
  notBeforeMs = Number.NEGATIVE_INFINITY;
  /** Entries in a row that were refused. */
  failures = 0;
  /** Whether its entry is under way. */
  underWay = false;
  #entry: ShippedEntry | undefined;
  /** Those before `#taken` are gone. */
  #queue: (ShippedRecord | undefined)[] = [];
  #taken = 0;
  /** What this lane says of a source: that its shard has no other hash keys than these. */
  readonly #sources = new WeakMap<MarkSource, MarkSource>();

  constructor(place: LanePlace) {
    this.place = place;
  }

  /** Whether nothing waits and nothing is under way. */
  get empty(): boolean {
    return this.#entry === undefined && this.#taken === this.#queue.length;
  }

  /** A record waits behind the others. */
  add(record: ShippedRecord): void {
    this.#queue.push(record);
  }

  /** The entry that is to be sent: the one that was refused before, or the next one. */
  next(limits: EntryLimits): ShippedEntry | OversizeRecord | undefined {
    if (this.#entry !== undefined) return this.#entry;
    const first = this.#queue[this.#taken];
    if (first === undefined) return undefined;
    const made = this.place.range === undefined ? plainEntry(first) : this.#aggregate(limits);
    if (made.byteLength > limits.recordBytesMax) {
      return { record: first, byteLength: made.byteLength };
    }
    this.#entry = made;
    this.#drop(made.records.length);
    return made;
  }

  /** The entry under way is done with. */
  finish(): void {
    this.#entry = undefined;
  }

  /** Takes out the records that are not under way and fit a condition, and gives the others a new order of entries. */
  remove(condition: (record: ShippedRecord) => boolean): void {
    if (this.underWay) {
      this.#queue = this.#waiting().filter((record) => !condition(record));
    } else this.#queue = this.drain().filter((record) => !condition(record));
    this.#taken = 0;
  }

  /** Takes out all records, also those of the entry, in their order. */
  drain(): ShippedRecord[] {
    const records = this.peek();
    this.#entry = undefined;
    this.#queue = [];
    this.#taken = 0;
    return records;
  }

  /** All records that are not stored for sure, in their order. */
  peek(): ShippedRecord[] {
    return [...(this.#entry?.records ?? []), ...this.#waiting()];
  }

  /** As many of these records, from the first one on, as one aggregate of so many bytes holds. */
  aggregateOf(records: Iterable<ShippedRecord>, bytesMax: number): ShippedEntry | undefined {
    const builder = new AggregateBuilder();
    const members: ShippedRecord[] = [];
    let before: ReplicationMark | undefined;
    for (const record of records) {
      const mark = this.#markOf(record);
      const { partitionKey, explicitHashKey, data } = record;
      const tags = [tagOf(mark, before)];
      const fits = builder.add({ partitionKey, explicitHashKey, data, tags }, bytesMax);
      if (!fits) break;
      members.push(record);
      before = mark;
    }
    const [first] = members;
    if (first === undefined) return undefined;
    return aggregatedEntry(members, first, builder);
  }

  #aggregate({ aggregateBytesMax, recordBytesMax }: EntryLimits): ShippedEntry {
    const grown = this.aggregateOf(this.#iterate(), aggregateBytesMax - AGGREGATE_KEY.length);
    if (grown !== undefined) return grown;
    const [first] = this.#iterate();
    if (first === undefined) throw new RangeError("a lane without records makes no entry");
    const alone = this.#alone(first, this.#markOf(first));
    if (alone.byteLength <= recordBytesMax) return alone;
    // Never without a mark: in a ring it would go round for ever.
    const mark = this.#markOf(first);
    const range = briefRange(mark.source.range, first.hashKey);
    return this.#alone(first, { ...mark, source: { ...mark.source, range } });
  }

  #alone(record: ShippedRecord, mark: ReplicationMark): ShippedEntry {
    const { partitionKey, explicitHashKey, data } = record;
    const builder = new AggregateBuilder();
    builder.add({ partitionKey, explicitHashKey, data, tags: [tagOf(mark, undefined)] });
    return aggregatedEntry([record], record, builder);
  }

  #markOf({ mark }: ShippedRecord): ReplicationMark {
    const { source, index, subSequenceNumber } = mark;
    let own = this.#sources.get(source);
    if (own === undefined) {
      const { range } = this.place;
      const common = range === undefined ? source.range : commonRange(source.range, range);
      own = { ...source, range: common ?? source.range };
      this.#sources.set(source, own);
    }
    return { source: own, index, subSequenceNumber };
  }

  #waiting(): ShippedRecord[] {
    return [...this.#iterate()];
  }

  *#iterate(): Generator<ShippedRecord> {
    for (let i = this.#taken; i < this.#queue.length; i++) {
      const record = this.#queue[i];
      if (record !== undefined) yield record;
    }
  }

  #drop(count: number): void {
    this.#queue.fill(undefined, this.#taken, this.#taken + count);
    this.#taken += count;
    if (this.#taken < TAKEN_MAX || this.#taken * 2 < this.#queue.length) return;
    this.#queue.splice(0, this.#taken);
    this.#taken = 0;
  }
}

function aggregatedEntry(
  records: readonly ShippedRecord[],
  { hashKey }: ShippedRecord,
  builder: AggregateBuilder,
): ShippedEntry {
  const data = builder.finish();
  const target = { partitionKey: AGGREGATE_KEY, explicitHashKey: formatHashKey(hashKey), data };
  const byteLength = data.byteLength + AGGREGATE_KEY.length;
  return { records, target, byteLength, aggregated: true };
}

/** A record as it is. One that begins as an aggregated record does is wrapped, lest consumers take it for one. */
function plainEntry(record: ShippedRecord): ShippedEntry {
  const { partitionKey, explicitHashKey, data } = record;
  if (hasAggregateMagic(data)) {
    const builder = new AggregateBuilder();
    builder.add({ partitionKey, explicitHashKey, data });
    return aggregatedEntry([record], record, builder);
  }
  const target = {
    ...{ partitionKey, data },
    ...(explicitHashKey === undefined ? {} : { explicitHashKey }),
  };
  const byteLength = data.byteLength + utf8Bytes(partitionKey);
  return { records: [record], target, byteLength, aggregated: false };
}
