/** What the workers of this tab did for one group: what they counted, and what came to them again. */
import type { StateValue, UserRecord } from "millrace";
import { RateWindow } from "../live/rate-window.ts";

/** A count that is stored together with the checkpoint, and so counts every record once. */
export interface Counted {
  readonly records: number;
  /** Bytes of data. */
  readonly bytes: number;
}

/** What is known of one shard. */
export interface ShardTally {
  /** As the last checkpoint of a worker of this tab left it; by all workers of the group, in any tab. */
  readonly counted: Counted;
  /** Records of the delivery that is worked on; 0 between deliveries. */
  readonly inHand: number;
}

const NOTHING: ShardTally = { counted: { records: 0, bytes: 0 }, inHand: 0 };

type Position = Pick<UserRecord, "sequenceNumber" | "subSequenceNumber">;

function isAfter(one: Position, other: Position): boolean {
  if (one.sequenceNumber !== other.sequenceNumber) {
    // Sequence numbers have 56 digits each: they are ordered as texts are.
    return one.sequenceNumber > other.sequenceNumber;
  }
  return one.subSequenceNumber > other.subSequenceNumber;
}

function numberIn(state: Readonly<Record<string, StateValue>>, key: string): number {
  const value = state[key];
  return typeof value === "number" ? value : 0;
}

/** The count that a checkpoint's state holds; zeros where there is none. */
export function countedIn(state: Readonly<Record<string, StateValue>>): Counted {
  return { records: numberIn(state, "records"), bytes: numberIn(state, "bytes") };
}

/** A count with the records of one delivery added. */
export function countedWith(counted: Counted, records: readonly UserRecord[]): Counted {
  const bytes = records.reduce((sum, { data }) => sum + data.byteLength, 0);
  return { records: counted.records + records.length, bytes: counted.bytes + bytes };
}

/** The tally of one group. */
export class GroupTally {
  readonly #shards = new Map<string, ShardTally>();
  readonly #furthest = new Map<string, Position>();
  readonly #rate: RateWindow;
  #processed = 0;
  #again = 0;

  /** `nowMs` is any clock that only goes forward, here and below. */
  constructor(nowMs: number) {
    this.#rate = new RateWindow(nowMs);
  }

  /** Records that workers of this tab checkpointed. */
  get processed(): number {
    return this.#processed;
  }

  /** Records that were delivered to this tab's workers more than once. */
  get again(): number {
    return this.#again;
  }

  /** Records that workers of this tab checkpoint in a second. */
  perSecond(nowMs: number): number {
    return this.#rate.perSecond(nowMs);
  }

  /** What is known of a shard; undefined when no worker of this tab has had its lease. */
  shard(shardId: string): ShardTally | undefined {
    return this.#shards.get(shardId);
  }

  /** A worker of this tab begins with a shard, which was counted so far. */
  begin(shardId: string, counted: Counted): void {
    this.#shards.set(shardId, { counted, inHand: 0 });
  }

  /** Records were delivered. */
  deliver(shardId: string, records: readonly UserRecord[]): void {
    const { counted } = this.#shards.get(shardId) ?? NOTHING;
    this.#shards.set(shardId, { counted, inHand: records.length });
    for (const record of records) {
      const furthest = this.#furthest.get(shardId);
      if (furthest !== undefined && !isAfter(record, furthest)) this.#again += 1;
      else {
        const { sequenceNumber, subSequenceNumber } = record;
        this.#furthest.set(shardId, { sequenceNumber, subSequenceNumber });
      }
    }
  }

  /** The delivery is over without a checkpoint. */
  drop(shardId: string): void {
    const { counted } = this.#shards.get(shardId) ?? NOTHING;
    this.#shards.set(shardId, { counted, inHand: 0 });
  }

  /** A checkpoint stored the count. */
  store(shardId: string, counted: Counted, records: number, nowMs: number): void {
    this.#shards.set(shardId, { counted, inHand: 0 });
    this.#processed += records;
    this.#rate.add(records, nowMs);
  }
}
