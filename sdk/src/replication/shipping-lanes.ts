/** The lanes to the far side: by predicted shard, or by partition key where nothing is aggregated. */
import type { TargetListing } from "../producer/put-target.ts";
import { ShardMap } from "../producer/shard-map.ts";
import type { Shipment, ShippedRecord } from "./shipment.ts";
import { type EntryLimits, type ShippedEntry, ShippingLane } from "./shipping-lane.ts";

/** Bytes that an aggregate grows to: a part of what a shard takes in a second. */
const AGGREGATE_BYTES_MAX = 131_072;
/** AWS's limit of a record, until the far side says its own. */
const RECORD_BYTES_MAX = 1_048_576;
/** Lane of records whose shard nobody knows yet; nothing is sent of it. */
const NOWHERE = "";

/** An entry that is stored in another shard than it was meant for. */
interface StrangeEntry {
  readonly lane: ShippingLane;
  readonly entry: ShippedEntry;
  readonly shardId: string;
}

/** An entry of which it is known by now whether consumers take it. */
export interface JudgedEntry {
  readonly entry: ShippedEntry;
  readonly stored: boolean;
}

/** See above. */
export class ShippingLanes {
  readonly #aggregate: boolean;
  readonly #aggregateBytesMax: number;
  readonly #map = new ShardMap();
  readonly #lanes = new Map<string, ShippingLane>();
  /** Lanes with something to send of which nothing is under way, in the order of their turns. */
  readonly #ready = new Set<ShippingLane>();
  #strange: StrangeEntry[] = [];
  #limits: EntryLimits = {
    aggregateBytesMax: AGGREGATE_BYTES_MAX,
    recordBytesMax: RECORD_BYTES_MAX,
  };
  /** Whether the shards of the far side have to be asked for. */
  outdated = true;

  /** `bytesMax`: no aggregate grows beyond that, if it is given. */
  constructor(aggregate: boolean, bytesMax: number = AGGREGATE_BYTES_MAX) {
    this.#aggregate = aggregate;
    this.#aggregateBytesMax = Math.min(AGGREGATE_BYTES_MAX, bytesMax);
  }

  /** How entries are made. */
  get limits(): EntryLimits {
    return this.#limits;
  }

  /** All lanes with something in them. */
  get all(): Iterable<ShippingLane> {
    return this.#lanes.values();
  }

  /** A record waits in its lane. */
  add(record: ShippedRecord): void {
    const lane = this.#laneOf(record);
    lane.add(record);
    if (!lane.underWay) this.#ready.add(lane);
  }

  /** The lanes that may send now. */
  *ready(nowMs: number): Generator<ShippingLane> {
    for (const lane of [...this.#ready]) {
      if (lane.notBeforeMs <= nowMs && lane.place.key !== NOWHERE) yield lane;
    }
  }

  /** Monotonic time at which the next lane may send that may not yet. */
  nextMs(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { notBeforeMs } of this.#ready) {
      if (notBeforeMs > nowMs) nextMs = Math.min(nextMs, notBeforeMs);
    }
    return nextMs;
  }

  /** A lane's entry is under way. */
  begin(lane: ShippingLane): void {
    lane.underWay = true;
    this.#ready.delete(lane);
  }

  /** It is not any more. */
  end(lane: ShippingLane, stored: boolean): void {
    lane.underWay = false;
    if (stored) lane.finish();
    this.#putBack(lane);
  }

  /** Whether an entry is stored where consumers may drop it. */
  isStrange({ place }: ShippingLane, { aggregated }: ShippedEntry, shardId: string): boolean {
    const strange = this.#aggregate && place.key !== shardId;
    if (strange) this.outdated = true;
    return strange && aggregated;
  }

  /** Keeps such an entry under way until the shards are known. */
  keepStrange(lane: ShippingLane, entry: ShippedEntry, shardId: string): void {
    this.#strange.push({ lane, entry, shardId });
  }

  /** Such entries with records of a shipment are to be sent again, as far as they are anybody else's. */
  giveUpStrange(shipment: Shipment): ShippedEntry[] {
    const hasPart = ({ entry }: StrangeEntry): boolean =>
      entry.records.some((record) => record.shipment === shipment);
    const given = this.#strange.filter(hasPart);
    this.#strange = this.#strange.filter((strange) => !hasPart(strange));
    for (const { lane } of given) lane.underWay = false;
    return given.map(({ entry }) => entry);
  }

  /** Takes out records that fit a condition and are not under way. */
  remove(condition: (record: ShippedRecord) => boolean): void {
    for (const lane of [...this.#lanes.values()]) {
      lane.remove(condition);
      this.#putBack(lane);
    }
  }

  /**
   * The far side is like this from now on; nothing is under way but strange entries. Gives those of them whose
   * shard is known: consumers take an aggregate where all of its records belong into its shard.
   */
  adopt(listing: TargetListing): JudgedEntry[] {
    this.#map.update(listing);
    const { recordBytesMax } = listing;
    this.#limits = {
      recordBytesMax,
      aggregateBytesMax: Math.min(this.#aggregateBytesMax, recordBytesMax),
    };
    const judged: JudgedEntry[] = [];
    const unknown: StrangeEntry[] = [];
    for (const strange of this.#strange) {
      const { lane, entry, shardId } = strange;
      const held = entry.records.map(({ hashKey }) => this.#map.holds(shardId, hashKey));
      if (held.includes(undefined)) {
        unknown.push(strange);
        continue;
      }
      const stored = !held.includes(false);
      lane.underWay = false;
      if (stored) lane.finish();
      judged.push({ entry, stored });
    }
    this.#strange = unknown;
    this.outdated = unknown.length > 0;
    if (!this.outdated) this.#rebuild();
    return judged;
  }

  /** All records in the lanes of the shards that there are now, in the order in which they came. */
  #rebuild(): void {
    const records = [...this.#lanes.values()].flatMap((lane) => lane.drain());
    this.#lanes.clear();
    this.#ready.clear();
    records.sort((left, right) => left.ordinal - right.ordinal);
    for (const record of records) if (!record.shipment.withdrawn) this.add(record);
  }

  #putBack(lane: ShippingLane): void {
    if (lane.underWay) return;
    if (!lane.empty) {
      // Others have their turn first.
      this.#ready.delete(lane);
      this.#ready.add(lane);
      return;
    }
    this.#ready.delete(lane);
    if (this.#lanes.get(lane.place.key) === lane) this.#lanes.delete(lane.place.key);
  }

  #laneOf({ partitionKey, hashKey }: ShippedRecord): ShippingLane {
    const predicted = this.#aggregate ? this.#map.predict(hashKey) : partitionKey;
    const key = predicted ?? NOWHERE;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    if (predicted === undefined) this.outdated = true;
    const range = this.#aggregate ? this.#map.rangeOf(key) : undefined;
    const lane = new ShippingLane({ key, range });
    this.#lanes.set(key, lane);
    return lane;
  }
}
