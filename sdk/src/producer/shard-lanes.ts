/** The lanes of all shards: who goes into which, what the next call takes, and when. */
import type { ProducerSettings } from "./options.ts";
import type { PendingRecord } from "./pending-record.ts";
import type { PutTarget, TargetListing } from "./put-target.ts";
import { AGGREGATE_KEY, type RecordGroup } from "./record-group.ts";
import { type Backlog, ShardLane } from "./shard-lane.ts";
import { ShardMap } from "./shard-map.ts";
import { TokenBucket } from "./token-bucket.ts";

/** A group that is taken for a call, and the lane that it came from. */
export interface TakenGroup {
  readonly lane: ShardLane;
  readonly group: RecordGroup;
}

/** Lane of user records whose shard nobody can predict; they are not aggregated. */
const ANYWHERE = "";
/** A lane with this many bytes in complete groups fills calls that nobody else has a part in. */
const LANE_BYTES_MAX = 262_144;

/** All lanes of one stream. */
export class ShardLanes {
  readonly map = new ShardMap();
  readonly #settings: ProducerSettings;
  readonly #orderedBytesMax: number;
  readonly #backlog: Backlog = { count: 0, byteLength: 0 };
  /** In the order in which they have their turn. */
  #lanes = new Map<string, ShardLane>();
  #listing: TargetListing;

  constructor(
    settings: ProducerSettings,
    { orderedBytesMax }: Pick<PutTarget, "orderedBytesMax">,
    listing: TargetListing,
  ) {
    this.#settings = settings;
    this.#orderedBytesMax = orderedBytesMax;
    this.#listing = listing;
    this.map.update(listing);
  }

  /** Bytes that one record of the stream may have, data and key. */
  get recordBytesMax(): number {
    return this.#listing.recordBytesMax;
  }

  /** The stream is like this from now on; lanes are begun anew by {@link rebuild}. */
  update(listing: TargetListing): void {
    this.map.update(listing);
    this.#listing = listing;
  }

  /** Puts a user record in its lane. Says whether a call should be made at once. */
  add(record: PendingRecord, nowMs: number): boolean {
    const lane = this.#laneOf(record, nowMs);
    lane.add(record);
    return lane.sealedBytes >= LANE_BYTES_MAX || this.#full();
  }

  /**
   * Takes all user records out of their lanes and puts them, with others, in the lanes of the shards that
   * there are now, in the order of their puts. Lanes of shards that are closed are given up.
   */
  rebuild(others: readonly PendingRecord[], nowMs: number): void {
    const waiting = [...this.#lanes.values()].flatMap((lane) => lane.drain());
    const before = this.#lanes;
    this.#lanes = new Map();
    for (const record of [...others, ...waiting].sort((a, b) => a.ordinal - b.ordinal)) {
      this.#laneOf(record, nowMs, before).add(record);
    }
    for (const [shardId, lane] of before) {
      if (this.map.isOpen(shardId) && !this.#lanes.has(shardId)) this.#lanes.set(shardId, lane);
    }
  }

  /** Groups that were taken and not stored have their turn again; their user records, where the lane is given up. */
  giveBack(lane: ShardLane, groups: readonly RecordGroup[], nowMs: number): void {
    if (this.#lanes.get(lane.shardId) === lane) lane.giveBack(groups);
    else for (const { members } of groups) for (const record of members) this.add(record, nowMs);
  }

  /** Takes out the user records that are too old. */
  takeExpired(nowMs: number): PendingRecord[] {
    return [...this.#lanes.values()].flatMap((lane) => lane.takeExpired(nowMs));
  }

  /** Takes out all user records. */
  drain(): PendingRecord[] {
    return [...this.#lanes.values()].flatMap((lane) => lane.drain());
  }

  /** Whether a call should be made now. */
  callDue(nowMs: number, flushedOrdinal: number): boolean {
    if (this.#full()) return true;
    for (const lane of this.#lanes.values()) {
      const due =
        lane.sealedBytes >= LANE_BYTES_MAX ||
        lane.dueMs(this.#settings.maxBufferedMs, flushedOrdinal) <= nowMs;
      // Who may not send yet must not make others send early.
      if (due && !this.#mustWait(lane) && lane.freeMs(nowMs) <= nowMs) return true;
    }
    return false;
  }

  /** Monotonic time at which a call should be looked for again; `calling` says that none may be made before one ends. */
  nextMs(nowMs: number, flushedOrdinal: number, calling: boolean): number {
    const full = this.#full();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) {
      const { head } = lane;
      if (head === undefined) continue;
      nextMs = Math.min(nextMs, head.expiresMs);
      if (calling || this.#mustWait(lane)) continue;
      // What fills the backlog must be this lane's own, or its turn would be in vain.
      const hurry = lane.sealedBytes > 0 && (full || lane.sealedBytes >= LANE_BYTES_MAX);
      const dueMs = hurry ? nowMs : lane.dueMs(this.#settings.maxBufferedMs, flushedOrdinal);
      nextMs = Math.min(nextMs, Math.max(dueMs, lane.freeMs(nowMs)));
    }
    return nextMs;
  }

  /**
   * Takes groups for one call, as many as it may hold. `leaving`: there is no later call, so that neither
   * rate nor pauses count.
   */
  collect(nowMs: number, flushedOrdinal: number, leaving: boolean): TakenGroup[] {
    const taken: TakenGroup[] = [];
    let bytesLeft = this.#callBytesMax();
    for (const lane of [...this.#lanes.values()]) {
      if (this.#mustWait(lane)) continue;
      const before = taken.length;
      while (taken.length < this.#settings.collectionMaxCount) {
        if (taken.length > before && this.#singly()) break;
        const bytesMax = taken.length === 0 ? Number.POSITIVE_INFINITY : bytesLeft;
        const group = this.#takeFrom(lane, nowMs, flushedOrdinal, leaving, bytesMax);
        if (group === undefined) break;
        bytesLeft -= group.byteLength;
        taken.push({ lane, group });
      }
      if (taken.length > before) this.#moveBack(lane);
    }
    return taken;
  }

  #takeFrom(
    lane: ShardLane,
    nowMs: number,
    flushedOrdinal: number,
    leaving: boolean,
    bytesMax: number,
  ): RecordGroup | undefined {
    if (leaving) return lane.take(bytesMax, true);
    if (lane.freeMs(nowMs) > nowMs) return undefined;
    const due = lane.dueMs(this.#settings.maxBufferedMs, flushedOrdinal) <= nowMs;
    return lane.take(bytesMax, due);
  }

  #full(): boolean {
    const { count, byteLength } = this.#backlog;
    const { collectionMaxCount, collectionMaxBytes } = this.#settings;
    return count >= collectionMaxCount || byteLength >= collectionMaxBytes;
  }

  get #ordered(): boolean {
    return this.#settings.orderedBy === "partitionKey";
  }

  /** Whether a call may hold only one record of a lane, because the target promises no order. */
  #singly(): boolean {
    return this.#ordered && this.#orderedBytesMax === 0;
  }

  /** Whether a later record could overtake one that is under way. */
  #mustWait(lane: ShardLane): boolean {
    return this.#ordered && lane.inFlight > 0;
  }

  #callBytesMax(): number {
    const { collectionMaxBytes } = this.#settings;
    if (!this.#ordered || this.#orderedBytesMax === 0) return collectionMaxBytes;
    return Math.min(collectionMaxBytes, this.#orderedBytesMax);
  }

  /** Others have their turn first. */
  #moveBack(lane: ShardLane): void {
    this.#lanes.delete(lane.shardId);
    this.#lanes.set(lane.shardId, lane);
  }

  /** `before`: lanes that are gone on with, if the shard had one. */
  #laneOf(
    { hashKey }: PendingRecord,
    nowMs: number,
    before?: ReadonlyMap<string, ShardLane>,
  ): ShardLane {
    const { spread } = this.#listing;
    const shardId = (spread ? undefined : this.map.predict(hashKey)) ?? ANYWHERE;
    const known = this.#lanes.get(shardId);
    if (known !== undefined) return known;
    const lane = before?.get(shardId) ?? this.#newLane(shardId, nowMs);
    this.#lanes.set(shardId, lane);
    return lane;
  }

  #newLane(shardId: string, nowMs: number): ShardLane {
    const { aggregation, aggregationMaxBytes, aggregationMaxCount } = this.#settings;
    const limits = {
      aggregation: aggregation && shardId !== ANYWHERE,
      bytesMax: Math.min(aggregationMaxBytes, this.recordBytesMax - AGGREGATE_KEY.length),
      countMax: aggregationMaxCount,
    };
    return new ShardLane(shardId, limits, this.#backlog, this.#newBucket(shardId, nowMs));
  }

  #newBucket(shardId: string, nowMs: number): TokenBucket | undefined {
    const { shardRate } = this.#listing;
    if (shardRate === undefined) return undefined;
    const shards = shardId === ANYWHERE ? Math.max(1, this.map.openCount) : 1;
    const factor = (this.#settings.rateLimitPercent / 100) * shards;
    const { recordsPerSecond, bytesPerSecond } = shardRate;
    const rate = {
      recordsPerSecond: recordsPerSecond * factor,
      bytesPerSecond: bytesPerSecond * factor,
    };
    return new TokenBucket(rate, nowMs);
  }
}
