/** Cuts what was read of a shard into deliveries: de-aggregated, without what was processed before. */
import { parseSequenceNumber } from "@millrace/engine";
import type { ShardHashKeys } from "../aggregation/index.ts";
import type { UserRecord } from "./group-types.ts";
import { comparePositions, type RecordPosition } from "./held-lease.ts";
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
  /** An aggregate was left out because a member falls outside of the shard. */
  readonly onDropped: (sequenceNumber: string, records: number) => void;
}

/** The position of a user record. */
export function positionOf(record: UserRecord): RecordPosition {
  const { sequenceNumber, subSequenceNumber } = record;
  return { index: parseSequenceNumber(sequenceNumber).sequenceIndex, subSequenceNumber };
}

/** The records after a position, which may be none of theirs. */
export function recordsAfter(
  records: readonly UserRecord[],
  position: RecordPosition | undefined,
): readonly UserRecord[] {
  if (position === undefined) return records;
  const first = records.findIndex((one) => comparePositions(positionOf(one), position) > 0);
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
    const { recordsMax } = this.#rules;
    const partEnd = part.firstRecord + part.recordCount;
    const newestMs =
      part.recordCount === 0 ? 0 : batch.arrivalMs(partEnd - 1) + part.millisBehindLatest;
    let records: UserRecord[] = [];
    let last: UserRecord | undefined;
    const cut = (end: UserRecord): Delivery => {
      const delivery = {
        records,
        end: positionOf(end),
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
    const { shard, deaggregate, onDropped } = this.#rules;
    const stored = batch.get(i);
    const { records, dropped } = deaggregate ? explode(stored, shard) : asIs(stored);
    const fresh =
      this.#processed === undefined ? records : records.filter((one) => this.#isNew(one));
    const end = fresh.at(-1);
    if (end !== undefined) this.#processed = undefined;
    if (!dropped) return { kept: fresh, end };
    if (end !== undefined) onDropped(end.sequenceNumber, records.length);
    return { kept: [], end };
  }

  #isNew(record: UserRecord): boolean {
    const processed = this.#processed;
    return processed === undefined || comparePositions(positionOf(record), processed) > 0;
  }
}
