/** A stream behind a network, by hand: what AWS's PutRecords may do, at times and chances that a test says. */
import { createHash } from "node:crypto";
import { deaggregate, explodesInto, type UserRecord } from "millrace/aggregation";
import type {
  PutTarget,
  TargetListing,
  TargetOutcome,
  TargetRecord,
  TargetShard,
} from "millrace/producer";
import type { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";

const RING = 1n << 128n;
const THROTTLED = "ProvisionedThroughputExceededException";

/** One record as the stream has it. */
export interface StoredRecord extends TargetRecord {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly arrivalMs: number;
}

/** One call that was made. */
export interface RemoteCall {
  readonly atMs: number;
  readonly records: readonly TargetRecord[];
}

/** What befalls a call; the records that `refuses` are throttled. */
export interface Fate {
  readonly delayMs?: number;
  readonly throws?: Error;
  readonly refuses?: (record: TargetRecord, i: number) => boolean;
  readonly retryAfterMs?: number;
  /** How many outcomes the answer has; all when absent. */
  readonly told?: number;
  /** The order in which the records are stored, as positions in the call. */
  readonly order?: (count: number) => number[];
}

interface RemoteShard extends TargetShard {
  open: boolean;
}

function hashKeyOf({ partitionKey, explicitHashKey }: TargetRecord): bigint {
  if (explicitHashKey !== undefined) return BigInt(explicitHashKey);
  return BigInt(`0x${createHash("md5").update(partitionKey).digest("hex")}`);
}

/** One stream. */
export class RemoteStream implements PutTarget {
  readonly name = "remote stream";
  readonly orderedBytesMax = 0;
  readonly calls: RemoteCall[] = [];
  readonly stored: StoredRecord[] = [];
  readonly shards: RemoteShard[] = [];
  /** What befalls the next calls, in their order; afterwards nothing does. */
  fates: Fate[] = [];
  /** What befalls any call when there is no fate left. */
  fate: () => Fate = () => ({});
  /** What the listing says besides the shards. */
  traits: Partial<Omit<TargetListing, "shards">> = {};
  /** Thrown by the next listings. */
  listingFailures: Error[] = [];
  /** Shards that listings do not show. */
  hidden = new Set<string>();
  listings = 0;
  callsInFlight = 0;
  callsInFlightMax = 0;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock, shards: number) {
    this.#clock = clock;
    const step = RING / BigInt(shards);
    for (let i = 0; i < shards; i++) {
      const last = i === shards - 1;
      this.#add(BigInt(i) * step, last ? RING - 1n : BigInt(i + 1) * step - 1n);
    }
  }

  get openShards(): RemoteShard[] {
    return this.shards.filter(({ open }) => open);
  }

  async putRecords(records: readonly TargetRecord[]): Promise<readonly TargetOutcome[]> {
    const fate = this.fates.shift() ?? this.fate();
    const copies = records.map((record) => ({ ...record, data: Uint8Array.from(record.data) }));
    this.calls.push({ atMs: this.#clock.monotonicMs(), records: copies });
    this.callsInFlight += 1;
    this.callsInFlightMax = Math.max(this.callsInFlightMax, this.callsInFlight);
    try {
      await this.#pass(fate.delayMs ?? 0);
      if (fate.throws !== undefined) throw fate.throws;
      return this.#store(copies, fate).slice(0, fate.told);
    } finally {
      this.callsInFlight -= 1;
    }
  }

  async listShards(): Promise<TargetListing> {
    this.listings += 1;
    const failure = this.listingFailures.shift();
    if (failure !== undefined) throw failure;
    const shards = this.shards.filter(({ shardId }) => !this.hidden.has(shardId));
    return {
      shards: shards.map((shard) => ({ ...shard })),
      spread: false,
      recordBytesMax: 1_048_576,
      ...this.traits,
    };
  }

  /** Splits the open shard of a position in the list of open ones in the middle. */
  split(position: number): void {
    const shard = this.openShards[position];
    if (shard === undefined) throw new Error("there is no such shard");
    shard.open = false;
    const [start, end] = [BigInt(shard.startingHashKey), BigInt(shard.endingHashKey)];
    const middle = (start + end + 1n) / 2n;
    this.#add(start, middle - 1n);
    this.#add(middle, end);
  }

  /** Merges an open shard with the one that its hash keys end at; nothing when it is the last one. */
  merge(position: number): void {
    const shard = this.openShards[position];
    const end = BigInt(shard?.endingHashKey ?? 0);
    const next = this.openShards.find((one) => BigInt(one.startingHashKey) === end + 1n);
    if (shard === undefined || next === undefined) return;
    shard.open = false;
    next.open = false;
    this.#add(BigInt(shard.startingHashKey), BigInt(next.endingHashKey));
  }

  /**
   * User records as a group of consumers gets them: shard by shard in the order of the shards, which puts
   * parents before children, without aggregates that do not explode into their shard.
   */
  consumed(): UserRecord[] {
    return this.shards.flatMap((shard) =>
      this.stored
        .filter(({ shardId }) => shardId === shard.shardId)
        .map((record) => deaggregate(record))
        .filter((records) => explodesInto(records, shard))
        .flat(),
    );
  }

  #add(start: bigint, end: bigint): void {
    this.shards.push({
      shardId: `shardId-${String(this.shards.length).padStart(12, "0")}`,
      startingHashKey: start.toString(),
      endingHashKey: end.toString(),
      open: true,
    });
  }

  #store(records: readonly TargetRecord[], fate: Fate): TargetOutcome[] {
    const order = fate.order?.(records.length) ?? records.map((_, i) => i);
    const outcomes: TargetOutcome[] = [];
    for (const i of order) {
      const record = records[i];
      if (record === undefined) throw new Error("the fate orders more records than there are");
      outcomes[i] = fate.refuses?.(record, i) ? refusal(fate) : this.#storeOne(record);
    }
    return outcomes;
  }

  #storeOne(record: TargetRecord): { shardId: string; sequenceNumber: string } {
    const hashKey = hashKeyOf(record);
    const shard = this.openShards.find(
      ({ startingHashKey, endingHashKey }) =>
        BigInt(startingHashKey) <= hashKey && hashKey <= BigInt(endingHashKey),
    );
    if (shard === undefined) throw new Error("no shard is open for this hash key");
    const { shardId } = shard;
    const sequenceNumber = String(this.stored.length);
    this.stored.push({ ...record, shardId, sequenceNumber, arrivalMs: this.#clock.nowMs() });
    return { shardId, sequenceNumber };
  }

  #pass(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(delayMs, resolve);
    });
  }
}

function refusal({ retryAfterMs }: Fate): TargetOutcome {
  return {
    errorCode: THROTTLED,
    errorMessage: "Rate exceeded.",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
