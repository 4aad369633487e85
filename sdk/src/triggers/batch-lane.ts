/** Records that wait to be handed over, of one shard or of some of its partition keys: cut into batches. */
import { type EngineClient, pause, withSignal } from "@millrace/engine";
import type { PendingRecord } from "./shard-progress.ts";

/** What Lambda takes as an event, in bytes: 6 MB. */
const EVENT_BYTES_MAX = 6_291_456;
/** The longest time that a timer takes. */
const FOR_EVER_MS = 2 ** 31 - 1;

/** How a lane is cut. */
export interface LaneRules {
  readonly client: EngineClient;
  readonly leaving: AbortSignal;
  readonly batchSize: number;
  readonly batchWindowMs: number;
  /** After so long without a record an empty batch is given, in ms; undefined for never. */
  readonly idleMs: number | undefined;
  /** Whether two records may be in one batch. */
  readonly together: (first: PendingRecord, other: PendingRecord) => boolean;
}

/** See above. */
export class BatchLane {
  readonly #rules: LaneRules;
  readonly #waiting: PendingRecord[] = [];
  #bytes = 0;
  /** When the first of them came, monotonic, in ms. */
  #firstMs = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(rules: LaneRules) {
    this.#rules = rules;
  }

  /** A record comes last. */
  push(entry: PendingRecord): void {
    if (this.#waiting.length === 0) this.#firstMs = this.#rules.client.clock.monotonicMs();
    this.#waiting.push(entry);
    this.#bytes += entry.bytes;
    this.#wake();
  }

  /** No record comes any more; what waits is given at once. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The next batch; undefined at the lane's end. @throws the reason for leaving. */
  async next(): Promise<readonly PendingRecord[] | undefined> {
    const { leaving, idleMs } = this.#rules;
    for (;;) {
      leaving.throwIfAborted();
      const empty = this.#waiting.length === 0;
      if (empty && this.#ended) return undefined;
      const dueMs = empty ? idleMs : this.#dueMs();
      if (!empty && dueMs !== undefined && dueMs <= 0) return this.#cut();
      if ((await this.#change(dueMs)) === "late" && empty && this.#waiting.length === 0) return [];
    }
  }

  /** When the batch is to be given whether it is full or not, in ms from now. */
  #dueMs(): number {
    const { client, batchSize, batchWindowMs, together } = this.#rules;
    const [first, last] = [this.#waiting[0], this.#waiting.at(-1)];
    const full = this.#waiting.length >= batchSize || this.#bytes >= EVENT_BYTES_MAX;
    const apart = first !== undefined && last !== undefined && !together(first, last);
    if (full || apart || this.#ended) return 0;
    return this.#firstMs + batchWindowMs - client.clock.monotonicMs();
  }

  #cut(): readonly PendingRecord[] {
    const { batchSize, together, client } = this.#rules;
    const [first] = this.#waiting;
    if (first === undefined) return [];
    let bytes = 0;
    let count = 0;
    for (const entry of this.#waiting) {
      bytes += entry.bytes;
      const fits = count === 0 || (bytes <= EVENT_BYTES_MAX && together(first, entry));
      if (count === batchSize || !fits) break;
      count += 1;
    }
    const batch = this.#waiting.splice(0, count);
    for (const entry of batch) this.#bytes -= entry.bytes;
    // What waits on begins to be gathered now, as with Lambda.
    this.#firstMs = client.clock.monotonicMs();
    return batch;
  }

  /** Resolves with the next record, at the end, or when it is late. @throws the reason for leaving. */
  async #change(delayMs: number | undefined): Promise<"woken" | "late"> {
    const { client, leaving } = this.#rules;
    const ending = new AbortController();
    const woken = new Promise<"woken">((resolve) => {
      this.#wake = () => resolve("woken");
    });
    const passed = pause(client.clock, delayMs ?? FOR_EVER_MS, ending.signal);
    const late = passed.then(() => "late" as const);
    late.catch(() => undefined);
    try {
      return await withSignal(leaving, Promise.race([woken, late]));
    } finally {
      ending.abort();
    }
  }
}
