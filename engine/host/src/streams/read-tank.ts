/**
 * The tank that limits how fast one consumer reads one shard: 2 MiB per second.
 *
 * It works as the read tank of a shard does in the core: whoever is not in debt may read, and what it
 * turned out to be is taken afterwards. A read of the whole tank or more counts from empty, so that it
 * is followed by a pause of its own length.
 */
import { READ_BYTES_PER_SECOND } from "@millrace/core/layout";

/** A debt of less than this many bytes is none: rounding must not turn a wait into two. */
const TOLERANCE_BYTES = 0.001;

/** Tokens of one consumer in one shard, in bytes. Times are monotonic milliseconds. */
export class ReadTank {
  #tokens = READ_BYTES_PER_SECOND;
  #refilledMs: number;

  constructor(nowMs: number) {
    this.#refilledMs = nowMs;
  }

  /** Whole milliseconds until the tank is out of debt; 0 when a read may begin. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs);
    const debtBytes = -this.#tokens - TOLERANCE_BYTES;
    return debtBytes <= 0 ? 0 : Math.ceil((debtBytes * 1000) / READ_BYTES_PER_SECOND);
  }

  /** Takes the bytes of a read. */
  take(byteLength: number, nowMs: number): void {
    this.#refill(nowMs);
    const whole = byteLength >= READ_BYTES_PER_SECOND;
    this.#tokens = (whole ? Math.min(this.#tokens, 0) : this.#tokens) - byteLength;
  }

  #refill(nowMs: number): void {
    const gained = ((nowMs - this.#refilledMs) / 1000) * READ_BYTES_PER_SECOND;
    this.#tokens = Math.min(READ_BYTES_PER_SECOND, this.#tokens + Math.max(0, gained));
    this.#refilledMs = nowMs;
  }
}
