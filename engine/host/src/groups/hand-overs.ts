/** The leases of one group that their owners were asked for, until they give them back or time is over. */
import type { Clock } from "../platform/platform.ts";

interface HandOver {
  /** Whether the time for it is over. */
  forced: boolean;
  readonly cancelTimer: () => void;
}

/** Who is told of hand-overs. */
export interface HandOverListener {
  /** The owner of a lease is asked for it, or not any more. */
  changed(shardIndex: number): void;
  /** Time is over for a lease: it is to be taken. */
  due(): void;
}

/** See above. */
export class HandOvers {
  readonly #clock: Clock;
  readonly #listener: HandOverListener;
  /** By shard index. */
  readonly #asked = new Map<number, HandOver>();

  constructor(clock: Clock, listener: HandOverListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** Whether the owner of a lease was asked for it. */
  has(shardIndex: number): boolean {
    return this.#asked.has(shardIndex);
  }

  /** Whether a lease is to be taken without its owner's word. */
  isForced(shardIndex: number): boolean {
    return this.#asked.get(shardIndex)?.forced === true;
  }

  /** Asks for these leases, and for no others any more but those that are to be taken by force. */
  ask(shardIndexes: readonly number[], handOverMs: number): void {
    const wanted = new Set(shardIndexes);
    for (const [shardIndex, { forced }] of this.#asked) {
      if (!wanted.has(shardIndex) && !forced) this.end(shardIndex);
    }
    for (const shardIndex of wanted) {
      if (this.#asked.has(shardIndex)) continue;
      const cancelTimer = this.#clock.after(handOverMs, () => this.#force(shardIndex));
      this.#asked.set(shardIndex, { forced: false, cancelTimer });
      this.#listener.changed(shardIndex);
    }
  }

  /** Nobody is asked for a lease any more. */
  end(shardIndex: number): void {
    const handOver = this.#asked.get(shardIndex);
    if (handOver === undefined) return;
    handOver.cancelTimer();
    this.#asked.delete(shardIndex);
    this.#listener.changed(shardIndex);
  }

  /** Forgets all, and tells nobody. */
  clear(): void {
    for (const { cancelTimer } of this.#asked.values()) cancelTimer();
    this.#asked.clear();
  }

  #force(shardIndex: number): void {
    const handOver = this.#asked.get(shardIndex);
    if (handOver === undefined) return;
    handOver.forced = true;
    this.#listener.due();
  }
}
