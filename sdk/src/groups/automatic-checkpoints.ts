/** Checkpoints that a worker makes by itself: those of several shards together, and not more often than asked. */
import { pause } from "@millrace/engine";
import type { EpochCommitter } from "./epoch-committer.ts";
import { comparePositions, type HeldLease, type RecordPosition } from "./held-lease.ts";
import type { WorkerSurroundings } from "./worker-surroundings.ts";

/** After a commit that failed, in ms. */
const RETRY_MS = 1000;
/** While all leases are committed otherwise, in ms. */
const BUSY_MS = 10;

/** Hears of a lease whose checkpoint failed, and when it is tried again. */
type CheckpointFailureListener = (
  shardId: string,
  failure: { readonly attempt: number; readonly error: unknown; readonly retryMs: number },
) => void;

/** What a worker's checkpoints are made with. */
export interface AutomaticCheckpointsParts {
  readonly client: WorkerSurroundings;
  readonly committer: EpochCommitter;
  readonly intervalMs: number;
  readonly onFailure: CheckpointFailureListener;
}

/** See above. */
export class AutomaticCheckpoints {
  readonly #client: WorkerSurroundings;
  readonly #committer: EpochCommitter;
  readonly #intervalMs: number;
  readonly #onFailure: CheckpointFailureListener;
  /** How far each lease's records were processed, where that is not committed. */
  readonly #processed = new Map<HeldLease, RecordPosition>();
  #committedMs = Number.NEGATIVE_INFINITY;
  #running = false;
  /** One after the other. */
  #failures = 0;

  constructor({ client, committer, intervalMs, onFailure }: AutomaticCheckpointsParts) {
    this.#client = client;
    this.#committer = committer;
    this.#intervalMs = intervalMs;
    this.#onFailure = onFailure;
  }

  /** The records of a lease are processed up to one, which is to be checkpointed soon. */
  note(lease: HeldLease, position: RecordPosition): void {
    this.#processed.set(lease, position);
    if (!this.#running) void this.#run();
  }

  /** Checkpoints a lease at once, as at its end. @throws LeaseLostError, and what the engine throws. */
  async settle(lease: HeldLease): Promise<void> {
    const position = this.#processed.get(lease);
    if (position === undefined) return;
    // Whoever settles the same lease now waits for its turn, and finds nothing left to do.
    await lease.exclusively(async () => undefined);
    const { processed } = lease;
    const behind = processed === undefined || comparePositions(position, processed) > 0;
    if (behind && !lease.lost && !lease.ended) {
      await this.#committer.commit({ lease, checkpoint: position }, {});
    }
    if (this.#processed.get(lease) === position) this.#processed.delete(lease);
  }

  /** Checkpoints all leases at once. Failures are left to whoever goes on from the checkpoints before. */
  async settleAll(): Promise<void> {
    const leases = [...this.#processed.keys()];
    await Promise.allSettled(leases.map((lease) => this.settle(lease)));
  }

  /** Nothing of a lease is to be committed any more. */
  forget(lease: HeldLease): void {
    this.#processed.delete(lease);
  }

  async #run(): Promise<void> {
    const { clock } = this.#client;
    this.#running = true;
    // What is processed in the same moment goes along.
    await Promise.resolve();
    while (this.#processed.size > 0 && !this.#client.closed) {
      const dueMs = this.#committedMs + this.#intervalMs - clock.monotonicMs();
      if (dueMs > 0) await pause(clock, dueMs);
      this.#committedMs = clock.monotonicMs();
      const due = [...this.#processed].filter(([lease]) => !lease.busy);
      if (due.length === 0) await pause(clock, BUSY_MS);
      else if (!(await this.#commit(due))) await pause(clock, RETRY_MS);
    }
    this.#running = false;
  }

  /** Whether it went well. What did not is committed with the next ones. */
  async #commit(due: readonly (readonly [HeldLease, RecordPosition])[]): Promise<boolean> {
    const steps = due.map(([lease, checkpoint]) => ({ lease, checkpoint }));
    try {
      await this.#committer.commitAll(steps);
    } catch (error) {
      this.#failed(due, error);
      return false;
    }
    this.#failures = 0;
    for (const [lease, position] of due) {
      if (this.#processed.get(lease) === position) this.#processed.delete(lease);
    }
    return true;
  }

  /** Forgets leases that are gone, and tells of the others that are not checkpointed. */
  #failed(due: readonly (readonly [HeldLease, RecordPosition])[], error: unknown): void {
    this.#failures += 1;
    const { clock, closed } = this.#client;
    const dueMs = this.#committedMs + this.#intervalMs - clock.monotonicMs();
    const failure = { attempt: this.#failures, error, retryMs: Math.max(RETRY_MS, dueMs) };
    for (const [lease, position] of due) {
      const { shardId, processed } = lease;
      if (lease.lost || lease.ended) this.#processed.delete(lease);
      else if (closed) continue;
      else if (processed === undefined || comparePositions(position, processed) > 0) {
        this.#onFailure(shardId, failure);
      }
    }
  }
}
