/** What waits for one shard: user records in groups, oldest first, and when the next one may be sent. */
import type { PendingRecord } from "./pending-record.ts";
import { type GroupLimits, RecordGroup } from "./record-group.ts";
import type { TokenBucket } from "./token-bucket.ts";

/** Groups of all lanes that are complete and wait; what a call is filled from. */
export interface Backlog {
  count: number;
  byteLength: number;
}

/** From here on the head of the array is given back to the memory. */
const TAKEN_MAX = 1024;

/** The line of one predicted shard. */
export class ShardLane {
  /** The predicted shard; empty where no prediction can be made. */
  readonly shardId: string;
  /** Calls under way with records of this lane. */
  inFlight = 0;
  readonly #limits: GroupLimits;
  readonly #backlog: Backlog;
  readonly #bucket: TokenBucket | undefined;
  /** Those before `#taken` are gone. */
  #groups: (RecordGroup | undefined)[] = [];
  #taken = 0;
  #sealedBytes = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #failedMs = Number.NEGATIVE_INFINITY;

  constructor(
    shardId: string,
    limits: GroupLimits,
    backlog: Backlog,
    bucket: TokenBucket | undefined,
  ) {
    this.shardId = shardId;
    this.#limits = limits;
    this.#backlog = backlog;
    this.#bucket = bucket;
  }

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#taken === this.#groups.length;
  }

  /** The oldest user record that waits; undefined when none does. */
  get head(): PendingRecord | undefined {
    return this.#groups[this.#taken]?.members[0];
  }

  /** Bytes of the groups that are complete. */
  get sealedBytes(): number {
    return this.#sealedBytes;
  }

  /** Calls in a row that failed. */
  get failures(): number {
    return this.#failures;
  }

  /** A user record joins the last group, or begins the next one. */
  add(record: PendingRecord): void {
    const last = this.empty ? undefined : this.#groups.at(-1);
    if (last !== undefined) {
      const wasSealed = last.sealed;
      const added = last.add(record);
      if (last.sealed && !wasSealed) this.#count(last, 1);
      if (added) return;
    }
    const group = new RecordGroup(record, this.#limits);
    this.#groups.push(group);
    if (group.sealed) this.#count(group, 1);
  }

  /** Groups that were taken and not stored go first again, in their order. */
  giveBack(groups: readonly RecordGroup[]): void {
    for (const group of groups.toReversed()) {
      group.seal();
      this.#count(group, 1);
      if (this.#taken > 0) this.#groups[--this.#taken] = group;
      else this.#groups.unshift(group);
    }
  }

  /** Monotonic time at which the oldest group is sent, complete or not; infinite when there is none. */
  dueMs(maxBufferedMs: number, flushedOrdinal: number): number {
    const { head } = this;
    if (head === undefined) return Number.POSITIVE_INFINITY;
    return head.ordinal <= flushedOrdinal ? head.putMs : head.putMs + maxBufferedMs;
  }

  /** Monotonic time from which the oldest group may be sent, as far as retries and rate allow. */
  freeMs(nowMs: number): number {
    const group = this.#groups[this.#taken];
    if (group === undefined || this.#bucket === undefined) return this.#notBeforeMs;
    const wait = this.#bucket.waitMs(group.byteLength, nowMs);
    return Math.max(this.#notBeforeMs, wait === 0 ? nowMs : nowMs + wait);
  }

  /** Takes the oldest group when it is complete or `allowOpen`, and holds at most `bytesMax`. */
  take(bytesMax: number, allowOpen: boolean): RecordGroup | undefined {
    const group = this.#groups[this.#taken];
    if (group === undefined || !(group.sealed || allowOpen)) return undefined;
    const { byteLength } = group;
    if (byteLength > bytesMax) return undefined;
    if (group.sealed) this.#count(group, -1);
    this.#bucket?.take(byteLength);
    this.#dropHead();
    return group;
  }

  /** Takes out the user records at the head that are too old. */
  takeExpired(nowMs: number): PendingRecord[] {
    const expired: PendingRecord[] = [];
    while ((this.head?.expiresMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      const group = this.#groups[this.#taken];
      if (group === undefined) break;
      if (group.sealed) this.#count(group, -1);
      expired.push(...group.takeExpired(nowMs));
      if (group.members.length === 0) this.#dropHead();
      else if (group.sealed) this.#count(group, 1);
    }
    return expired;
  }

  /** Takes out everything, oldest first. */
  drain(): PendingRecord[] {
    const groups = this.#groups.slice(this.#taken).filter((group) => group !== undefined);
    for (const group of groups) if (group.sealed) this.#count(group, -1);
    this.#groups = [];
    this.#taken = 0;
    return groups.flatMap(({ members }) => members);
  }

  /**
   * A call failed that was sent at `sentMs`: nothing is sent before `notBeforeMs`. Those that were under
   * way together count as one failure.
   */
  fail(sentMs: number, nowMs: number, notBeforeMs: number): void {
    if (sentMs >= this.#failedMs) {
      this.#failures += 1;
      this.#failedMs = nowMs;
    }
    this.#notBeforeMs = Math.max(this.#notBeforeMs, notBeforeMs);
  }

  /** A call succeeded for all records of this lane. */
  succeed(): void {
    this.#failures = 0;
  }

  #count(group: RecordGroup, by: 1 | -1): void {
    const byteLength = by * group.byteLength;
    this.#sealedBytes += byteLength;
    this.#backlog.count += by;
    this.#backlog.byteLength += byteLength;
  }

  #dropHead(): void {
    this.#groups[this.#taken] = undefined;
    this.#taken += 1;
    if (this.#taken < TAKEN_MAX || this.#taken * 2 < this.#groups.length) return;
    this.#groups.splice(0, this.#taken);
    this.#taken = 0;
  }
}
