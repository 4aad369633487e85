/** What one batch came to in each shard, for the metrics. */
import {
  STATUS_BYTE_RATE,
  STATUS_OK,
  STATUS_RECORD_RATE,
  STATUS_STREAM_BYTE_RATE,
  STATUS_STREAM_RECORD_RATE,
} from "@millrace/core/layout";
import type { ShardPut } from "../metrics/metrics-registry.ts";

/** Refusals by a quota; all others have reasons of the engine's own. */
const THROTTLED: ReadonlySet<number> = new Set<number>([
  STATUS_RECORD_RATE,
  STATUS_BYTE_RATE,
  STATUS_STREAM_RECORD_RATE,
  STATUS_STREAM_BYTE_RATE,
]);

type Counts = { -readonly [Member in keyof ShardPut]: ShardPut[Member] };

/** Counts the rows of one batch. */
export class PutTally {
  readonly #shards = new Map<number, Counts>();
  #last: Counts | undefined;
  /** Bytes of keys and data of all rows, refused ones included. */
  offeredBytes = 0;

  /** Forgets all rows: the batch is appended anew. */
  clear(): void {
    this.#shards.clear();
    this.#last = undefined;
    this.offeredBytes = 0;
  }

  /** Counts a row: its shard, status, and the bytes of its key and data. */
  add(shardIndex: number, status: number, byteLength: number): void {
    const counts = this.#of(shardIndex);
    this.offeredBytes += byteLength;
    if (status === STATUS_OK) {
      counts.storedRecords += 1;
      counts.storedBytes += byteLength;
    } else if (THROTTLED.has(status)) counts.throttledRecords += 1;
    else counts.failedRecords += 1;
  }

  /** The counts of each shard that a row fell into. */
  shards(): readonly ShardPut[] {
    return [...this.#shards.values()];
  }

  #of(shardIndex: number): Counts {
    if (this.#last?.shardIndex === shardIndex) return this.#last;
    let counts = this.#shards.get(shardIndex);
    if (counts === undefined) {
      counts = {
        shardIndex,
        storedRecords: 0,
        storedBytes: 0,
        throttledRecords: 0,
        failedRecords: 0,
      };
      this.#shards.set(shardIndex, counts);
    }
    this.#last = counts;
    return counts;
  }
}
