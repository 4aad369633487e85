/** A producer that never pauses: lanes of numbered records, and what became of each. */
import type { Stream } from "millrace";

/** What a producer does. */
export interface ProducerSettings {
  readonly stream: string;
  /** Its name, the beginning of its partition keys. */
  readonly producer: string;
  /** Partition keys, each with numbers of its own. */
  readonly lanes: number;
  /** Records of one call. */
  readonly batchRecords: number;
  /** Calls of one lane that are under way at a time. */
  readonly callsMax: number;
  readonly dataBytes: number;
  /** Pause between two calls of a lane, in ms. */
  readonly pauseMs: number;
}

/** A time without an acknowledgement. */
export interface Outage {
  /** When it began, in ms since the Unix epoch. */
  readonly beganMs: number;
  readonly lastedMs: number;
}

/** What became of a producer's records. */
export interface ProducerReport {
  /** Records that were acknowledged, by partition key: numbers 0 to this. */
  readonly acknowledged: Readonly<Record<string, number>>;
  /** What puts were rejected with. */
  readonly errors: readonly string[];
  /** The longest times without an acknowledgement, the longest first. */
  readonly outages: readonly Outage[];
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const OUTAGE_MS = 50;
const OUTAGES_MAX = 5;

/** The number that a record carries. */
export function numberOf(data: Uint8Array): number {
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(0, true);
}

function dataOf(number: number, byteLength: number): Uint8Array<ArrayBuffer> {
  // Random, for browsers compress what they store.
  const data = crypto.getRandomValues(new Uint8Array(byteLength));
  new DataView(data.buffer).setUint32(0, number, true);
  return data;
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Puts records from `start` to `stop`. */
export class Producer {
  readonly #stream: Stream;
  readonly #settings: ProducerSettings;
  readonly #acknowledged: Record<string, number> = {};
  readonly #errors: string[] = [];
  readonly #latencies: number[] = [];
  readonly #outages: Outage[] = [];
  #lanes: Promise<void>[] = [];
  #stopping = false;
  #lastMs = 0;

  constructor(stream: Stream, settings: ProducerSettings) {
    this.#stream = stream;
    this.#settings = settings;
  }

  /** Records that were acknowledged so far. */
  get acknowledged(): number {
    return Object.values(this.#acknowledged).reduce((sum, count) => sum + count, 0);
  }

  start(): void {
    this.#lastMs = performance.now();
    const { lanes, producer } = this.#settings;
    this.#lanes = Array.from({ length: lanes }, (_, lane) => this.#run(`${producer}-${lane}`));
  }

  /** Resolves when everything that was put is settled. */
  async stop(): Promise<ProducerReport> {
    this.#stopping = true;
    await Promise.all(this.#lanes);
    const sorted = Float64Array.from(this.#latencies).sort();
    return {
      acknowledged: this.#acknowledged,
      errors: this.#errors,
      outages: this.#outages.toSorted((a, b) => b.lastedMs - a.lastedMs).slice(0, OUTAGES_MAX),
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
    };
  }

  async #run(key: string): Promise<void> {
    const { callsMax, pauseMs, batchRecords } = this.#settings;
    const calls = new Set<Promise<void>>();
    for (let number = 0; !this.#stopping; number += batchRecords) {
      const call = this.#put(key, number).finally(() => calls.delete(call));
      calls.add(call);
      if (calls.size >= callsMax) await Promise.race(calls);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    await Promise.all(calls);
  }

  async #put(key: string, first: number): Promise<void> {
    const { batchRecords, dataBytes } = this.#settings;
    const records = Array.from({ length: batchRecords }, (_, i) => ({
      partitionKey: key,
      data: dataOf(first + i, dataBytes),
    }));
    const sentMs = performance.now();
    try {
      const { failedRecordCount } = await this.#stream.putRecords(records);
      if (failedRecordCount > 0) throw new Error(`${failedRecordCount} records were refused`);
    } catch (error) {
      this.#stopping = true;
      this.#errors.push(`${key} ${first}: ${String(error)}`);
      return;
    }
    this.#note(sentMs);
    this.#acknowledged[key] = (this.#acknowledged[key] ?? 0) + batchRecords;
  }

  #note(sentMs: number): void {
    const nowMs = performance.now();
    const lastedMs = nowMs - this.#lastMs;
    if (lastedMs >= OUTAGE_MS) this.#outages.push({ beganMs: Date.now() - lastedMs, lastedMs });
    this.#lastMs = nowMs;
    this.#latencies.push(nowMs - sentMs);
  }
}
