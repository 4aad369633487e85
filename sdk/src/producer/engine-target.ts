/** A stream of an open engine as what a producer puts into. */
import { type EngineClient, ResourceNotFoundError, type StreamDescription } from "@millrace/engine";
import { PutRecordsResult } from "../put-records-result.ts";
import { RecordBatcher } from "../record-batcher.ts";
import { allShards } from "../shard-turns.ts";
import type { PutTarget, TargetListing, TargetOutcome, TargetRecord } from "./put-target.ts";

/** AWS's: what a shard takes in a second. */
const SHARD_RATE = { recordsPerSecond: 1000, bytesPerSecond: 1_048_576 };
/** A batch holds 1 MiB; up to 500 rows have up to 64 bytes each besides key and data. */
const ONE_BATCH_BYTES = 1_048_576 - 65_536;

/** One stream. Calls of other producers and of the application go beside it. */
export class EngineTarget implements PutTarget {
  readonly name: string;
  /** A call that fits one batch is appended in order, and the batch's order is the shard's. */
  readonly orderedBytesMax = ONE_BATCH_BYTES;
  readonly #client: EngineClient;
  readonly #streamName: string;
  readonly #uid: number;
  readonly #quotas: boolean;
  readonly #batcher: RecordBatcher;

  /** `quotas`: whether the engine enforces AWS's. */
  constructor(client: EngineClient, stream: StreamDescription, quotas: boolean) {
    this.name = `stream ${stream.name}`;
    this.#client = client;
    this.#uid = stream.uid;
    this.#quotas = quotas;
    this.#streamName = stream.name;
    this.#batcher = new RecordBatcher(client, stream, false);
  }

  async putRecords(records: readonly TargetRecord[]): Promise<readonly TargetOutcome[]> {
    const parts = this.#batcher.put(records, (i) => `records[${i}]`, undefined);
    // At once, so that the call begins a batch of its own, and so that a page that ends has sent it.
    this.#batcher.flush();
    return [...new PutRecordsResult(await parts)];
  }

  async listShards(): Promise<TargetListing> {
    const description = await this.#client.call("describeStream", { name: this.#streamName });
    // Another one of the same name is not the one that was asked for.
    if (description.uid !== this.#uid) throw ResourceNotFoundError.stream(this.#streamName);
    this.#batcher.update(description);
    const shards = allShards(description).map((shard) => ({
      shardId: shard.shardId,
      startingHashKey: shard.startingHashKey,
      endingHashKey: shard.endingHashKey,
      open: shard.closedMs === undefined,
    }));
    return {
      shards,
      spread: description.distribution === "AUTO",
      recordBytesMax: description.recordKibMax * 1024,
      ...(this.#quotas ? { shardRate: SHARD_RATE } : {}),
    };
  }
}
