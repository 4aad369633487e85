/**
 * Ships the records of one lease: each delivery is on its way until all of it is stored on the far side, and what
 * is stored without a gap is checkpointed meanwhile, so that only what was not answered is sent twice.
 */
import {
  type EngineClient,
  parseSequenceNumber,
  ResourceNotFoundError,
  type StreamDescription,
  shardIndexOf,
  type systemRandom,
} from "@millrace/engine";
import {
  type HashKey,
  type HashKeyRange,
  hashKeyFrom,
  hashKeyOf,
  parseHashKey,
  rangeHolds,
} from "../aggregation/hash-key.ts";
import type {
  Checkpointer,
  InitializeInput,
  ProcessInput,
  ShardProcessor,
  StateValue,
  UserRecord,
} from "../groups/group-types.ts";
import { allShards } from "../shard-turns.ts";
import { commonRange, type MarkSource, nameOfStream, newRun, relayed, sourceOf } from "./mark.ts";
import type { Shipment, ShippableRecord } from "./shipment.ts";
import type { Shipper } from "./shipper.ts";

/** Between two checkpoints within a delivery, in ms. */
const CHECKPOINT_MS = 100;
/**
 * Key of a lease's state that holds its run: 64 bits in hexadecimal. What is said of records holds within one run,
 * which goes on after crashes; whoever resets the group, or ships under another name, begins another one, and so does
 * what comes behind a gap: others may send those records again that were never shipped in it.
 */
const RUN = "millrace.run";
const RING: HashKeyRange = { start: hashKeyFrom(0n), end: hashKeyFrom((1n << 128n) - 1n) };

/** What processors of one replication share. */
export interface ProcessorParts {
  readonly client: EngineClient;
  readonly stream: StreamDescription;
  /** Random id of the local log. */
  readonly incarnation: string;
  readonly random: typeof systemRandom;
  readonly shipper: Shipper;
  /** Ids of shards of which records were gone before they were read, until a run begins behind that. */
  readonly gapped: Set<string>;
}

/** See above. */
export class ShippingProcessor implements ShardProcessor {
  readonly #parts: ProcessorParts;
  readonly #shardId: string;
  /** How marks name the stream. */
  readonly #streamName: string;
  #run = "";
  /** Where records of this shard come from that have no mark; undefined until the run is known. */
  #source: MarkSource | undefined;
  /** What this shard says of sources elsewhere. */
  #foreign = new WeakMap<MarkSource, MarkSource | null>();
  #range: HashKeyRange = RING;
  #leaving: AbortSignal | undefined;
  /** Leaves the lease's checkpoint where it is. */
  #standing: Checkpointer | undefined;

  constructor(parts: ProcessorParts, shardId: string) {
    const { incarnation, stream } = parts;
    this.#parts = parts;
    this.#shardId = shardId;
    this.#streamName = nameOfStream({ incarnation, streamUid: stream.uid });
  }

  async initialize({ leaving, state, checkpointer }: InitializeInput): Promise<void> {
    this.#leaving = leaving;
    this.#standing = checkpointer;
    const { client, stream } = this.#parts;
    const described = await client.call("describeStream", { name: stream.name });
    const shard = allShards(described).find(({ shardId }) => shardId === this.#shardId);
    const start = parseHashKey(shard?.startingHashKey ?? "");
    const end = parseHashKey(shard?.endingHashKey ?? "");
    if (start === undefined || end === undefined) {
      throw new ResourceNotFoundError(
        `stream ${stream.name} has no shard ${this.#shardId} any more`,
      );
    }
    this.#range = { start, end };
    await this.#begin(state[RUN], checkpointer);
  }

  /** Goes on with the run that there is; otherwise a new one is stored before anything is shipped in it. */
  async #begin(stored: StateValue | undefined, checkpointer: Checkpointer): Promise<void> {
    const { incarnation, stream, random } = this.#parts;
    const known = typeof stored === "string" && /^[0-9a-f]{16}$/.test(stored);
    const run = known ? stored : newRun(random);
    if (!known) await checkpointer.checkpoint({ state: { [RUN]: run } });
    this.#run = run;
    this.#foreign = new WeakMap();
    const log = { incarnation, streamUid: stream.uid };
    this.#source = sourceOf(log, shardIndexOf(this.#shardId), run, RING);
  }

  async processRecords(input: ProcessInput): Promise<void> {
    const { records, checkpointer, signal } = input;
    const { shipper, gapped } = this.#parts;
    const leaving = this.#leaving;
    leaving?.throwIfAborted();
    if (gapped.has(this.#shardId) && this.#standing !== undefined) {
      await this.#begin(undefined, this.#standing);
      gapped.delete(this.#shardId);
    }
    const shipment = shipper.ship(records.map((record) => this.#shippable(record)));
    const withdraw = (): void => shipper.withdraw(shipment);
    signal.addEventListener("abort", withdraw, { once: true });
    leaving?.addEventListener("abort", withdraw, { once: true });
    try {
      await this.#follow(shipment, records, checkpointer);
    } finally {
      withdraw();
      signal.removeEventListener("abort", withdraw);
      leaving?.removeEventListener("abort", withdraw);
    }
    if (shipment.prefix < records.length) {
      // The rest is the next owner's.
      signal.throwIfAborted();
      leaving?.throwIfAborted();
    }
  }

  /** Checkpoints what is stored until nothing is on its way any more. */
  async #follow(
    shipment: Shipment,
    records: readonly UserRecord[],
    checkpointer: Checkpointer,
  ): Promise<void> {
    const { clock } = this.#parts.client;
    let checkpointed = 0;
    let dueMs = clock.monotonicMs() + CHECKPOINT_MS;
    while (!shipment.ended) {
      const whole = wholeRecords(records, shipment.prefix);
      const delayMs = dueMs - clock.monotonicMs();
      const at = records[whole - 1];
      if (at === undefined || whole === checkpointed) await shipment.changed();
      else if (delayMs > 0) await changedOrDue(shipment, clock, delayMs);
      else {
        await checkpointer.checkpoint({ at });
        checkpointed = whole;
        dueMs = clock.monotonicMs() + CHECKPOINT_MS;
      }
    }
    const whole = wholeRecords(records, shipment.prefix);
    const at = records[whole - 1];
    if (whole === records.length) await checkpointer.checkpoint();
    else if (at !== undefined && whole > checkpointed) await checkpointer.checkpoint({ at });
  }

  #shippable(record: UserRecord): ShippableRecord {
    const { partitionKey, explicitHashKey, data, mark } = record;
    const routed = explicitHashKey === undefined ? undefined : parseHashKey(explicitHashKey);
    const hashKey = routed ?? hashKeyOf(partitionKey);
    const { sequenceIndex: index } = parseSequenceNumber(record.sequenceNumber);
    const { subSequenceNumber } = record;
    if (this.#source === undefined) throw new RangeError("nothing is shipped before initialize");
    const own = { source: this.#source, index, subSequenceNumber };
    const foreign = mark === undefined ? null : this.#foreignSource(mark.source, hashKey);
    return {
      ...{ partitionKey, explicitHashKey, data, hashKey },
      mark: mark === undefined || foreign === null ? own : { ...mark, source: foreign },
    };
  }

  /**
   * Of records that come from elsewhere, this shard only knows those with its own hash keys, and only from where its
   * run began. Null for a mark that does not speak for its record, or came by way of too many streams.
   */
  #foreignSource(source: MarkSource, hashKey: HashKey): MarkSource | null {
    if (!rangeHolds(source.range, hashKey)) return null;
    let narrowed = this.#foreign.get(source);
    if (narrowed === undefined) {
      const range = commonRange(source.range, this.#range) ?? source.range;
      narrowed = relayed(source, this.#run, this.#streamName, range) ?? null;
      this.#foreign.set(source, narrowed);
    }
    return narrowed;
  }
}

/**
 * How many records at the beginning make up whole stored records. A checkpoint within an aggregate would look like
 * one behind it to whoever asks how much there is left.
 */
function wholeRecords(records: readonly UserRecord[], prefix: number): number {
  const next = records[prefix]?.sequenceNumber;
  let whole = prefix;
  while (next !== undefined && records[whole - 1]?.sequenceNumber === next) whole -= 1;
  return whole;
}

/** Resolves when something of a shipment changes, or after a time. */
async function changedOrDue(
  shipment: Shipment,
  clock: EngineClient["clock"],
  delayMs: number,
): Promise<void> {
  let cancel: () => void = () => undefined;
  const due = new Promise<void>((resolve) => {
    cancel = clock.after(delayMs, resolve);
  });
  await Promise.race([shipment.changed(), due]).finally(() => cancel());
}
