/** User records that go into the stream as one record. */
import { AggregateBuilder } from "../aggregation/aggregate-builder.ts";
import { hasAggregateMagic } from "../aggregation/format.ts";
import { formatHashKey } from "../aggregation/hash-key.ts";
import type { PendingRecord } from "./pending-record.ts";
import type { TargetRecord } from "./put-target.ts";

/** Partition key of aggregated records; their shard is decided by an explicit hash key. The KPL has the same. */
export const AGGREGATE_KEY = "a";

/** How large a group may grow. */
export interface GroupLimits {
  /** False: one user record each. */
  readonly aggregation: boolean;
  readonly bytesMax: number;
  readonly countMax: number;
}

/**
 * One user record, which goes as it is, or several, which go as an aggregated record under the hash key of
 * the first one. One that begins as an aggregated record does is wrapped, lest consumers take it for one.
 */
export class RecordGroup {
  readonly #limits: GroupLimits;
  #members: PendingRecord[];
  #builder: AggregateBuilder | undefined;
  #sealed = false;

  constructor(first: PendingRecord, limits: GroupLimits) {
    this.#limits = limits;
    this.#members = [first];
    if (!limits.aggregation) this.#sealed = true;
    else this.#rebuild();
  }

  /** The user records, in the order of their puts. */
  get members(): readonly PendingRecord[] {
    return this.#members;
  }

  /** Whether it takes no more user records. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** Whether it goes as an aggregated record. */
  get aggregated(): boolean {
    const [first] = this.#members;
    if (this.#builder === undefined || first === undefined) return false;
    return this.#members.length > 1 || hasAggregateMagic(first.data);
  }

  /** Bytes of data alone. */
  get dataBytes(): number {
    if (!this.aggregated) return this.#members[0]?.data.byteLength ?? 0;
    return this.#builder?.byteLength ?? 0;
  }

  /** Bytes of data and key. */
  get byteLength(): number {
    if (!this.aggregated) return this.#members[0]?.byteLength ?? 0;
    return this.dataBytes + AGGREGATE_KEY.length;
  }

  /** Adds a user record unless the group is sealed or would be too large, and is then sealed. */
  add(record: PendingRecord): boolean {
    if (this.#sealed || this.#builder === undefined) return false;
    const { bytesMax, countMax } = this.#limits;
    const fits = this.#members.length < countMax && this.#builder.add(record, bytesMax);
    if (fits) this.#members.push(record);
    else this.#sealed = true;
    if (this.#members.length >= countMax) this.#sealed = true;
    return fits;
  }

  /** Takes no more user records. */
  seal(): void {
    this.#sealed = true;
  }

  /** Takes out the user records that are too old. */
  takeExpired(nowMs: number): PendingRecord[] {
    const expired = this.#members.filter((record) => record.expiresMs <= nowMs);
    if (expired.length === 0) return expired;
    this.#members = this.#members.filter((record) => record.expiresMs > nowMs);
    this.#rebuild();
    return expired;
  }

  /** The record as it goes into the stream; of an empty group there is none. */
  encode(): TargetRecord {
    const [first] = this.#members;
    if (first === undefined) throw new RangeError("a group without members is never sent");
    if (this.aggregated && this.#builder !== undefined) {
      const explicitHashKey = formatHashKey(first.hashKey);
      return { partitionKey: AGGREGATE_KEY, explicitHashKey, data: this.#builder.finish() };
    }
    const { partitionKey, explicitHashKey, data } = first;
    return { partitionKey, data, ...(explicitHashKey === undefined ? {} : { explicitHashKey }) };
  }

  #rebuild(): void {
    if (!this.#limits.aggregation) return;
    this.#builder = new AggregateBuilder();
    for (const record of this.#members) this.#builder.add(record);
  }
}
