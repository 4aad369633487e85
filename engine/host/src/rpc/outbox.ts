/**
 * The bound on what a page has given away and not got acknowledged: batches beyond it wait their turn,
 * first come, first served.
 */
import { BackpressureError } from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";

interface Waiting {
  readonly byteLength: number;
  readonly send: () => void;
  readonly refuse: (reason: unknown) => void;
  /** Stops the timer and the listening that end the wait. */
  cancel: () => void;
}

/** What an outbox is made with. */
export interface OutboxOptions {
  readonly clock: Clock;
  /** Bytes of unacknowledged batches; a larger batch goes when it is alone. */
  readonly bytesMax: number;
  /** How long a batch may wait, in ms. */
  readonly waitMsMax: number;
}

/** Counts the bytes of unacknowledged batches and lets the next ones go in order. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Bytes that were let go and not released. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Batches that wait for room. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /**
   * Calls `send` as soon as there is room and all batches before were let go: at once, before this
   * returns, when that is so already. Otherwise, one of: `send` later; `refuse` with the signal's
   * reason, with a BackpressureError when the wait took too long, or with what {@link refuseAll} says.
   */
  admit(
    byteLength: number,
    send: () => void,
    refuse: (reason: unknown) => void,
    signal?: AbortSignal,
  ): void {
    if (signal?.aborted === true) {
      refuse(signal.reason);
      return;
    }
    if (this.#waiting.length === 0 && this.#hasRoom(byteLength)) {
      this.#bytes += byteLength;
      send();
      return;
    }
    const waiting: Waiting = { byteLength, send, refuse, cancel: () => undefined };
    const abort = (): void => this.#withdraw(waiting, signal?.reason);
    const stopTimer = this.#options.clock.after(this.#options.waitMsMax, () =>
      this.#withdraw(waiting, this.#tooLong()),
    );
    signal?.addEventListener("abort", abort, { once: true });
    waiting.cancel = () => {
      stopTimer();
      signal?.removeEventListener("abort", abort);
    };
    this.#waiting.push(waiting);
  }

  /** A batch that was let go is settled; lets the next ones go. */
  release(byteLength: number): void {
    this.#bytes -= byteLength;
    this.#letGo();
  }

  /** Lets everything go that waits, room or not: for a page that ends and will send nothing later. */
  letAllGo(): void {
    for (const next of this.#waiting.splice(0)) this.#send(next);
  }

  /** Refuses everything that waits. */
  refuseAll(reason: unknown): void {
    for (const waiting of this.#waiting.splice(0)) {
      waiting.cancel();
      waiting.refuse(reason);
    }
  }

  #letGo(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || !this.#hasRoom(next.byteLength)) return;
      this.#waiting.shift();
      this.#send(next);
    }
  }

  #send(next: Waiting): void {
    next.cancel();
    this.#bytes += next.byteLength;
    next.send();
  }

  #hasRoom(byteLength: number): boolean {
    return this.#bytes === 0 || this.#bytes + byteLength <= this.#options.bytesMax;
  }

  #withdraw(waiting: Waiting, reason: unknown): void {
    const position = this.#waiting.indexOf(waiting);
    if (position < 0) return;
    this.#waiting.splice(position, 1);
    waiting.cancel();
    waiting.refuse(reason);
    this.#letGo();
  }

  #tooLong(): BackpressureError {
    const { bytesMax, waitMsMax } = this.#options;
    return new BackpressureError(
      `the outbox of ${bytesMax} bytes had no room for ${waitMsMax} ms; the engine does not keep up. ` +
        "Nothing was sent: put again later, or put less",
      { argument: "records", value: this.#bytes, limit: bytesMax },
    );
  }
}
