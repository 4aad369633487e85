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
} from "@millrace/engine";
import {
  type HashKeyRange,
  hashKeyFrom,
  hashKeyOf,
  parseHashKey,
} from "../aggregation/hash-key.ts";
import type {
  Checkpointer,
  InitializeInput,
  ProcessInput,
  ShardProcessor,
  UserRecord,
} from "../groups/group-types.ts";
import { allShards } from "../shard-turns.ts";
import { commonRange, type MarkSource, originOf } from "./mark.ts";
import type { Shipment, ShippableRecord } from "./shipment.ts";
import type { Shipper } from "./shipper.ts";

/** Between two checkpoints within a delivery, in ms. */
const CHECKPOINT_MS = 100;
const RING: HashKeyRange = { start: hashKeyFrom(0n), end: hashKeyFrom((1n << 128n) - 1n) };

/** What processors of one replication share. */
export interface ProcessorParts {
  readonly client: EngineClient;
  readonly stream: StreamDescription;
  /** Random id of the local log. */
  readonly incarnation: string;
  /** Tells replications apart that did not begin at the oldest record; undefined for those that did. */
  readonly group: number | undefined;
  readonly shipper: Shipper;
  /** A delivery is stored; `caughtUp` when there was nothing behind it. */
  readonly onDelivered: (caughtUp: boolean) => void;
}

/** See above. */
export class ShippingProcessor implements ShardProcessor {
  readonly #parts: ProcessorParts;
  readonly #shardId: string;
  /** Where records of this shard come from that have no mark. */
  readonly #source: MarkSource;
  /** What this shard says of sources elsewhere. */
  readonly #foreign = new WeakMap<MarkSource, MarkSource>();
  #range: HashKeyRange = RING;
  #leaving: AbortSignal | undefined;

  constructor(parts: ProcessorParts, shardId: string) {
    const { incarnation, stream, group } = parts;
    this.#parts = parts;
    this.#shardId = shardId;
    const origin = originOf(incarnation, stream.uid, shardIndexOf(shardId), group);
    this.#source = { origin, incarnation, streamUid: stream.uid, range: RING };
  }

  async initialize({ leaving }: InitializeInput): Promise<void> {
    this.#leaving = leaving;
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
  }

  async processRecords(input: ProcessInput): Promise<void> {
    const { records, checkpointer, millisBehindLatest, signal } = input;
    const { shipper, onDelivered } = this.#parts;
    const leaving = this.#leaving;
    leaving?.throwIfAborted();
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
    onDelivered(millisBehindLatest === 0);
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
      await shipment.changed();
      const { prefix } = shipment;
      if (prefix === checkpointed || shipment.ended || clock.monotonicMs() < dueMs) continue;
      const at = records[prefix - 1];
      if (at === undefined) continue;
      await checkpointer.checkpoint({ at });
      checkpointed = prefix;
      dueMs = clock.monotonicMs() + CHECKPOINT_MS;
    }
    const { prefix } = shipment;
    const at = records[prefix - 1];
    if (prefix === records.length) await checkpointer.checkpoint();
    else if (at !== undefined && prefix > checkpointed) await checkpointer.checkpoint({ at });
  }

  #shippable(record: UserRecord): ShippableRecord {
    const { partitionKey, explicitHashKey, data, mark } = record;
    const hashKey = explicitHashKey === undefined ? undefined : parseHashKey(explicitHashKey);
    const { sequenceIndex: index } = parseSequenceNumber(record.sequenceNumber);
    const own = { source: this.#source, index, subSequenceNumber: record.subSequenceNumber };
    return {
      ...{ partitionKey, explicitHashKey, data },
      hashKey: hashKey ?? hashKeyOf(partitionKey),
      mark: mark === undefined ? own : { ...mark, source: this.#foreignSource(mark.source) },
    };
  }

  /** Of records that come from elsewhere, this shard only knows those with its own hash keys. */
  #foreignSource(source: MarkSource): MarkSource {
    let narrowed = this.#foreign.get(source);
    if (narrowed === undefined) {
      const range = commonRange(source.range, this.#range) ?? source.range;
      narrowed = { ...source, range };
      this.#foreign.set(source, narrowed);
    }
    return narrowed;
  }
}
