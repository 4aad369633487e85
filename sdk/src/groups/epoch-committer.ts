/**
 * Commits epochs of a worker's leases: one lease with outputs and state, or the bare checkpoints of several
 * at once. An epoch whose outcome is not known is committed again until it is.
 */
import {
  type EngineClient,
  type EpochState,
  type LeaseCheckpoint,
  LeaseLostError,
  MillraceError,
  type PackedBatch,
  pause,
  RecordTooLargeError,
  ResourceNotFoundError,
} from "@millrace/engine";
import { backOffMs } from "./back-off.ts";
import { copyOf, type EpochOutputs } from "./epoch-outputs.ts";
import type { CheckpointWith, OutputRecord, StateValue } from "./group-types.ts";
import { comparePositions, type HeldLease } from "./held-lease.ts";

/** First pause before an epoch is committed again, in ms. */
const RETRY_MS = 100;

/** What a committer works with. */
export interface CommitterParts {
  readonly client: EngineClient;
  readonly groupName: string;
  readonly workerId: string;
  readonly outputs: EpochOutputs;
}

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
  readonly state?: Readonly<Record<string, StateValue>> | undefined;
  /** State of shards that came of the lease's, by shard id. */
  readonly childState?: CheckpointWith["childState"] | undefined;
}

/** See above. */
export class EpochCommitter {
  readonly #parts: CommitterParts;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
  }

  /**
   * Commits one epoch of a lease, after those before it. @throws LeaseLostError; InvalidArgumentError for a
   * checkpoint behind the last one; and what the engine throws.
   */
  async commit({ lease, checkpoint }: NextEpoch, effects: EpochEffects): Promise<void> {
    const { outputs = [], state = {}, childState = {} } = effects;
    const changes = [
      ...changesOf(lease.shardIndex, state),
      ...Object.entries(childState).flatMap(([id, own]) => changesOf(shardIndexOf(id), own)),
    ];
    await lease.exclusively(async () => {
      lease.requireHeld();
      const step = {
        lease,
        checkpoint: typeof checkpoint === "function" ? checkpoint() : checkpoint,
      };
      await this.#withOutputs(outputs, (batches) => this.#settle([step], changes, batches));
    });
  }

  /**
   * Commits the checkpoints of several leases at once. Leases that are busy, lost or further already are left
   * out; what is lost is noted. @throws what the engine throws.
   */
  async commitAll(steps: readonly EpochStep[]): Promise<void> {
    const due = steps.filter(({ lease }) => !lease.busy);
    await inTurn(due, async () => {
      const wanted = due.filter(isAhead);
      if (wanted.length === 0) return;
      try {
        await this.#settle(wanted, [], []);
      } catch (error) {
        if (!(error instanceof LeaseLostError) || wanted.length === 1) throw error;
        // One of them is lost; the others go on.
        await Promise.all(wanted.map((step) => this.#settleAlone(step)));
      }
    });
  }

  async #settleAlone(step: EpochStep): Promise<void> {
    try {
      await this.#settle([step], [], []);
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error;
    }
  }

  /** Packs the outputs, anew when a stream of theirs may be another one by now, or take larger records. */
  async #withOutputs(
    records: readonly OutputRecord[],
    commit: (batches: readonly PackedBatch[]) => Promise<void>,
  ): Promise<void> {
    if (records.length === 0) return await commit([]);
    const { outputs } = this.#parts;
    try {
      await commit(await outputs.pack(records));
    } catch (error) {
      const stale = error instanceof ResourceNotFoundError || error instanceof RecordTooLargeError;
      if (!stale) throw error;
      outputs.forget();
      await commit(await outputs.pack(records));
    }
  }

  /** Commits until it is known what came of it. */
  async #settle(
    steps: readonly EpochStep[],
    state: readonly EpochState[],
    outputs: readonly PackedBatch[],
  ): Promise<void> {
    const { client, groupName, workerId } = this.#parts;
    const checkpoints = steps.map(({ lease, checkpoint }) => {
      const { shardIndex, leaseCounter, nextEpoch: epoch } = lease;
      return { shardIndex, leaseCounter, epoch, checkpoint };
    });
    const commit = { groupName, workerId, checkpoints, state };
    for (let failures = 1; ; failures++) {
      try {
        await client.commitEpoch(commit, outputs.map(copyOf));
        for (const { lease, checkpoint } of steps) lease.advance(checkpoint);
        return;
      } catch (error) {
        const unsure = error instanceof MillraceError && error.indeterminate && !client.closed;
        if (!unsure) {
          if (error instanceof LeaseLostError && steps.length === 1) steps[0]?.lease.lose(error);
          throw error;
        }
        await pause(client.clock, backOffMs(RETRY_MS, failures));
      }
    }
  }
}

function changesOf(
  shardIndex: number,
  state: Readonly<Record<string, StateValue>>,
): readonly EpochState[] {
  return Object.entries(state).map(([key, value]) => ({ shardIndex, key, value }));
}

/** The number in `shardId-000000000000`. */
function shardIndexOf(shardId: string): number {
  return Number(shardId.slice(shardId.lastIndexOf("-") + 1));
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
