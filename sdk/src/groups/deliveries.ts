/** Cuts what was read of a shard into deliveries: de-aggregated, without what was processed before. */
import type { ShardHashKeys } from "../aggregation/index.ts";
import type { RepeatFilter } from "../replication/repeat-filter.ts";
import type { UserRecord } from "./group-types.ts";
import { comparePositions, type IndexOf, type RecordPosition } from "./held-lease.ts";
import type { FetchedPart } from "./shard-source.ts";
import { asIs, explode } from "./stored-user-record.ts";

/** What is handed to a processor at once. */
export interface Delivery {
  /** None when everything was left out. */
  readonly records: readonly UserRecord[];
  /** The last record that was looked at, also when it was left out. */
  readonly end: RecordPosition;
  /** How far the delivery's end is behind the newest record of the shard, in ms. */
  readonly millisBehindLatest: number;
}

/** How a shard's records are cut. */
export interface DeliveryRules {
  readonly shard: ShardHashKeys;
  readonly recordsMax: number;
  readonly deaggregate: boolean;
  /** How the shard's records are numbered. */
  readonly indexOf: IndexOf;
  /** An aggregate was left out because a member falls outside of the shard. */
  readonly onDropped: (sequenceNumber: string, records: number) => void;
  /** Leaves out what was there before; nothing is left out when undefined. */
  readonly repeats?: RepeatFilter | undefined;
  /** So many records were left out. */
  readonly onRepeats?: (records: number) => void;
}

/** The position of a user record. */
export function positionOf(record: UserRecord, indexOf: IndexOf): RecordPosition {
  const { sequenceNumber, subSequenceNumber } = record;
  return { index: indexOf(sequenceNumber), subSequenceNumber };
}

/** The records after a position, which may be none of theirs. */
export function recordsAfter(
  records: readonly UserRecord[],
  position: RecordPosition | undefined,
  indexOf: IndexOf,
): readonly UserRecord[] {
  if (position === undefined) return records;
  const isAfter = (one: UserRecord): boolean =>
    comparePositions(positionOf(one, indexOf), position) > 0;
  const first = records.findIndex(isAfter);
  return first < 0 ? [] : records.slice(first);
}

/** The deliveries of one shard, in the order of its records. */
export class Deliveries {
  readonly #rules: DeliveryRules;
  /** Records up to this one were processed before; undefined once the reading is behind it. */
  #processed: RecordPosition | undefined;

  constructor(rules: DeliveryRules, processed: RecordPosition | undefined) {
    this.#rules = rules;
    this.#processed = processed;
  }

  /** The deliveries of a part. */
  *of({ batch, part }: FetchedPart): IterableIterator<Delivery> {
    const { recordsMax, indexOf } = this.#rules;
    const partEnd = part.firstRecord + part.recordCount;
    const newestMs =
      part.recordCount === 0 ? 0 : batch.arrivalMs(partEnd - 1) + part.millisBehindLatest;
    let records: UserRecord[] = [];
    let last: UserRecord | undefined;
    const cut = (end: UserRecord): Delivery => {
      const delivery = {
        records,
        end: positionOf(end, indexOf),
        millisBehindLatest: Math.max(0, newestMs - end.arrivalMs),
      };
      records = [];
      last = undefined;
      return delivery;
    };
    for (let i = part.firstRecord; i < partEnd; i++) {
      const { kept, end } = this.#take(i, batch);
      for (const record of kept) {
        records.push(record);
        last = record;
        if (records.length === recordsMax) yield cut(record);
      }
      if (kept.length === 0 && end !== undefined) last = end;
    }
    if (last !== undefined) yield cut(last);
  }

  /** What of a stored record is to be delivered, and its last user record unless it was processed before. */
  #take(
    i: number,
    batch: FetchedPart["batch"],
  ): { kept: readonly UserRecord[]; end: UserRecord | undefined } {
    const { shard, deaggregate, onDropped, repeats, onRepeats } = this.#rules;
    const stored = batch.get(i);
    const { records, dropped } = deaggregate ? explode(stored, shard) : asIs(stored);
    const fresh =
      this.#processed === undefined ? records : records.filter((one) => this.#isNew(one));
    const end = fresh.at(-1);
    if (end !== undefined) this.#processed = undefined;
    if (!dropped) {
      const kept = repeats?.sift(fresh) ?? fresh;
      if (kept.length < fresh.length) onRepeats?.(fresh.length - kept.length);
      return { kept, end };
    }
    if (end !== undefined) onDropped(end.sequenceNumber, records.length);
    return { kept: [], end };
  }

  #isNew(record: UserRecord): boolean {
    const processed = this.#processed;
    if (processed === undefined) return true;
    return comparePositions(positionOf(record, this.#rules.indexOf), processed) > 0;
  }
}
