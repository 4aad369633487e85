/**
 * Has a worker look at the shards when that is due, beside its leases: what the service does not answer must not keep
 * them from being renewed.
 */
import { randomFraction, systemRandom } from "@millrace/engine";
import type { WorkerSurroundings } from "../../groups/worker-surroundings.ts";
import type { ShardDiscovery } from "./shard-discovery.ts";

/** What rounds are made with. */
export interface DiscoveryRoundsParts {
  readonly discovery: ShardDiscovery;
  readonly clock: WorkerSurroundings["clock"];
  /** Until it is tried again after a failure, in ms. */
  readonly retryMs: number;
  /** A round is over; there may be leases that were not there before. */
  readonly onDone: () => void;
  readonly onFailure: (error: unknown) => void;
}

/** See above. */
export class DiscoveryRounds {
  readonly #parts: DiscoveryRoundsParts;
  readonly #ending = new AbortController();
  #dueMs = Number.NEGATIVE_INFINITY;
  #running = false;

  constructor(parts: DiscoveryRoundsParts) {
    this.#parts = parts;
  }

  /** The next {@link look} begins a round. */
  soon(): void {
    this.#dueMs = Number.NEGATIVE_INFINITY;
  }

  /** Begins a round if it is due and none is under way. */
  look(): void {
    const { clock } = this.#parts;
    if (this.#running || this.#ending.signal.aborted || clock.monotonicMs() < this.#dueMs) return;
    this.#running = true;
    this.#dueMs = Number.POSITIVE_INFINITY;
    void this.#round().finally(() => {
      this.#running = false;
    });
  }

  /** Ends the round under way, and begins no other. */
  stop(): void {
    this.#ending.abort();
  }

  async #round(): Promise<void> {
    const { discovery, clock, retryMs, onDone, onFailure } = this.#parts;
    const { signal } = this.#ending;
    let nextMs = retryMs;
    try {
      nextMs = await discovery.run(signal);
      if (!signal.aborted) onDone();
    } catch (error) {
      if (!signal.aborted) onFailure(error);
    }
    // What was asked for meanwhile is not put off. Workers that began together do not stay together.
    if (this.#dueMs < Number.POSITIVE_INFINITY) return;
    this.#dueMs = clock.monotonicMs() + nextMs * (1 - randomFraction(systemRandom) / 2);
  }
}
