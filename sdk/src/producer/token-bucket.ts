/** How much may be sent to one shard: tokens for records and for bytes that come back with time. */
import type { ShardRate } from "./put-target.ts";

/** Records and bytes of at most one second may be sent at once. */
export class TokenBucket {
  readonly #recordsPerMs: number;
  readonly #bytesPerMs: number;
  readonly #recordsMax: number;
  readonly #bytesMax: number;
  #records: number;
  #bytes: number;
  #filledMs: number;

  /** Full at the monotonic time `nowMs`. */
  constructor({ recordsPerSecond, bytesPerSecond }: ShardRate, nowMs: number) {
    this.#recordsPerMs = recordsPerSecond / 1000;
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#recordsMax = Math.max(1, recordsPerSecond);
    this.#bytesMax = bytesPerSecond;
    this.#records = this.#recordsMax;
    this.#bytes = this.#bytesMax;
    this.#filledMs = nowMs;
  }

  /** Milliseconds until a record of so many bytes may be sent; 0 when it may be now. */
  waitMs(byteLength: number, nowMs: number): number {
    this.#fill(nowMs);
    // What is larger than the bucket waits until it is full, and leaves a debt.
    const bytesMissing = Math.min(byteLength, this.#bytesMax) - this.#bytes;
    const wait = Math.max(
      (1 - this.#records) / this.#recordsPerMs,
      bytesMissing / this.#bytesPerMs,
    );
    // A fraction of a token that only rounding withholds is not worth a timer.
    return wait <= 1e-6 ? 0 : wait;
  }

  /** A record of so many bytes is sent. */
  take(byteLength: number): void {
    this.#records -= 1;
    this.#bytes -= byteLength;
  }

  #fill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#filledMs);
    this.#filledMs = Math.max(nowMs, this.#filledMs);
    this.#records = Math.min(this.#recordsMax, this.#records + passedMs * this.#recordsPerMs);
    this.#bytes = Math.min(this.#bytesMax, this.#bytes + passedMs * this.#bytesPerMs);
  }
}
