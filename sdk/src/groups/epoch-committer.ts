/**
 * Commits epochs of a worker's leases, each lease's in turn: one lease with outputs and state, or the bare
 * checkpoints of several at once. Where they are kept, the store knows.
 */
import { type LeaseCheckpoint, LeaseLostError } from "@millrace/engine";
import type { CheckpointWith, OutputRecord, StateValue } from "./group-types.ts";
import { comparePositions, type HeldLease } from "./held-lease.ts";

/** Progress of one lease. */
export interface EpochStep {
  readonly lease: HeldLease;
  readonly checkpoint: LeaseCheckpoint;
}

/** The same of one lease alone, which may be asked for when all epochs before it are committed. */
interface NextEpoch {
  readonly lease: HeldLease;
  readonly checkpoint: LeaseCheckpoint | (() => LeaseCheckpoint);
}

/** What an epoch changes besides the checkpoint. */
export interface EpochEffects {
  readonly outputs?: readonly OutputRecord[] | undefined;
  /** What the outputs were made for. */
  readonly newestShards?: CheckpointWith["newestShards"] | undefined;
  readonly state?: Readonly<Record<string, StateValue>> | undefined;
  /** State of shards that came of the lease's, by shard id. */
  readonly childState?: CheckpointWith["childState"] | undefined;
}

/** Where epochs are kept. */
export interface EpochStore {
  /**
   * Commits the next epoch of each of these leases, which advance with it; effects are of the only one. Settles
   * when it is known what came of it. @throws LeaseLostError, and loses the lease where it is the only one.
   */
  settle(steps: readonly EpochStep[], effects: EpochEffects): Promise<void>;
}

/** See above. */
export class EpochCommitter {
  readonly #store: EpochStore;

  constructor(store: EpochStore) {
    this.#store = store;
  }

  /**
   * Commits one epoch of a lease, after those before it. @throws LeaseLostError; InvalidArgumentError for a
   * checkpoint behind the last one; and what the store throws.
   */
  async commit({ lease, checkpoint }: NextEpoch, effects: EpochEffects): Promise<void> {
    await lease.exclusively(async () => {
      lease.requireHeld();
      const step = {
        lease,
        checkpoint: typeof checkpoint === "function" ? checkpoint() : checkpoint,
      };
      await this.#store.settle([step], effects);
      lease.keepState(effects.state ?? {});
    });
  }

  /**
   * Commits the checkpoints of several leases at once. Leases that are busy, lost or further already are left
   * out; what is lost is noted. @throws what the store throws.
   */
  async commitAll(steps: readonly EpochStep[]): Promise<void> {
    const due = steps.filter(({ lease }) => !lease.busy);
    await inTurn(due, async () => {
      const wanted = due.filter(isAhead);
      if (wanted.length === 0) return;
      try {
        await this.#store.settle(wanted, {});
      } catch (error) {
        if (!(error instanceof LeaseLostError) || wanted.length === 1) throw error;
        // One of them is lost; the others go on.
        await Promise.all(wanted.map((step) => this.#settleAlone(step)));
      }
    });
  }

  async #settleAlone(step: EpochStep): Promise<void> {
    try {
      await this.#store.settle([step], {});
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error;
    }
  }
}

/** Whether there is something to commit. */
function isAhead({ lease, checkpoint }: EpochStep): boolean {
  if (lease.lost || lease.ended) return false;
  const { processed } = lease;
  const further = !("index" in checkpoint) || processed === undefined;
  return further || comparePositions(checkpoint, processed) > 0;
}

/** Does something when it is the turn of all these leases. */
async function inTurn(steps: readonly EpochStep[], work: () => Promise<void>): Promise<void> {
  const [first, ...others] = steps;
  if (first === undefined) await work();
  else await first.lease.exclusively(() => inTurn(others, work));
}
