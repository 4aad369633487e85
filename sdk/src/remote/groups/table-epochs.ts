/**
 * Epochs of leases in a table: checkpoint and state of a lease in one step. What other rows or streams would have
 * to change with it is not, for nothing there changes them together.
 */
import {
  type EpochState,
  InvalidArgumentError,
  type LeaseCheckpoint,
  LeaseLostError,
  MillraceError,
  NotSupportedError,
  pause,
  ResourceNotFoundError,
  shardIndexOf,
} from "@millrace/engine";
import { backOffMs } from "../../groups/back-off.ts";
import type { EpochEffects, EpochStep, EpochStore } from "../../groups/epoch-committer.ts";
import { comparePositions, type HeldLease } from "../../groups/held-lease.ts";
import type { ReadFailureListener } from "../../groups/shard-source.ts";
import type { WorkerSurroundings } from "../../groups/worker-surroundings.ts";
import type { LeaseRow, LeaseTable } from "../../lease-table.ts";
import { SHARD_END, shardIdOf } from "./lease-rows.ts";
import { type StateChanges, stateAfter } from "./lease-state.ts";
import type { OwnedRow } from "./owned-row.ts";
import type { ReadNumbers } from "./read-numbers.ts";
import type { ShardDiscovery } from "./shard-discovery.ts";
import type { TableSession } from "./table-session.ts";

/** First pause before a change is made again, in ms. */
const RETRY_MS = 100;
/** So often a row is looked for, and changed where others do not at the same time; and so often what fails oddly is tried. */
const ATTEMPTS_MAX = 5;

/** What epochs of one worker are committed with. */
export interface TableEpochsParts {
  readonly table: LeaseTable;
  readonly session: TableSession;
  readonly discovery: ShardDiscovery;
  readonly surroundings: WorkerSurroundings;
  readonly onFailure: ReadFailureListener;
}

/** See above. */
export class TableEpochs implements EpochStore {
  readonly #parts: TableEpochsParts;
  readonly #numbers = new WeakMap<HeldLease, ReadNumbers>();
  /** Leases whose shards are known to be closed. */
  readonly #closed = new WeakSet<HeldLease>();

  constructor(parts: TableEpochsParts) {
    this.#parts = parts;
  }

  /** How the records of a lease are numbered, said before any of them is read. */
  number(lease: HeldLease, numbers: ReadNumbers): void {
    lease.indexOf = numbers.indexOf;
    this.#numbers.set(lease, numbers);
  }

  /** The service said that the lease's shard is closed. */
  noteClosed(lease: HeldLease): void {
    this.#closed.add(lease);
  }

  async settle(steps: readonly EpochStep[], effects: EpochEffects): Promise<void> {
    if (effects.outputs !== undefined && effects.outputs.length > 0) {
      throw new NotSupportedError(
        "outputs cannot be stored together with a checkpoint of a stream elsewhere: put them first",
        { argument: "what.outputs", value: effects.outputs.length, limit: "none" },
      );
    }
    const [only] = steps;
    if (steps.length === 1 && only !== undefined) return await this.#settleOne(only, effects);
    // Each in a row of its own: what is lost is noted, and the others go on.
    const settled = await Promise.allSettled(steps.map((step) => this.#settleOne(step, {})));
    for (const one of settled) {
      if (one.status === "rejected" && !(one.reason instanceof LeaseLostError)) throw one.reason;
    }
  }

  async #settleOne(step: EpochStep, effects: EpochEffects): Promise<void> {
    const { lease, checkpoint } = step;
    try {
      const owned = this.#parts.session.find(lease);
      if (owned === undefined) lease.lose();
      lease.requireHeld();
      await this.#checkProgress(step);
      if (owned !== undefined) await this.#commit(owned, step, effects);
    } catch (error) {
      if (error instanceof LeaseLostError) lease.lose(error);
      throw error;
    }
    lease.advance(checkpoint);
    if ("index" in checkpoint) this.#forgetBefore(lease, checkpoint.index);
    if (lease.ended) this.#parts.session.finish(lease);
  }

  /** What a delivery that fails is cut by must be known as long as it may fail. */
  #forgetBefore(lease: HeldLease, index: number): void {
    const { deliveredFrom } = lease;
    this.#numbers.get(lease)?.forgetBefore(Math.min(index, deliveredFrom?.index ?? index));
  }

  /** Refuses what a lease cannot have come to. @throws InvalidArgumentError, and what ListShards throws. */
  async #checkProgress({ lease, checkpoint }: EpochStep): Promise<void> {
    const { processed, shardId } = lease;
    if ("index" in checkpoint) {
      if (processed === undefined || comparePositions(checkpoint, processed) >= 0) return;
      throw refused("before the last checkpoint", shardId, "the last checkpoint or after it");
    }
    if (checkpoint.at !== SHARD_END || this.#closed.has(lease)) return;
    const shards = await this.#parts.discovery.shards(lease.signal);
    const shard = shards.find((one) => one.shardId === shardId);
    // One that is not listed any more was closed long ago.
    if (shard === undefined || shard.closedMs !== undefined) return this.noteClosed(lease);
    throw refused("the end of an open shard", shardId, "a record that was delivered");
  }

  async #commit(
    owned: OwnedRow,
    { lease, checkpoint }: EpochStep,
    { state = {}, childState = {} }: EpochEffects,
  ): Promise<void> {
    const companion = lease.companion?.stateAt(checkpoint) ?? [];
    const position = this.#positionOf(lease, checkpoint);
    const changes = [...Object.entries(state), ...changesIn(companion, lease.shardIndex)];
    for (const [shardId, own] of childChanges(lease, childState, companion)) {
      await this.#giveToChild(lease, shardId, own);
    }
    await this.#untilKnown(lease, () =>
      owned.change((row) => ({
        ...{ ...row, ...position, ownerSwitches: 0, state: stateAfter(row, changes) },
      })),
    );
  }

  /** What a row is to say. */
  #positionOf(lease: HeldLease, checkpoint: LeaseCheckpoint): Partial<LeaseRow> {
    if ("index" in checkpoint) {
      const sequenceNumber = this.#numbers.get(lease)?.numberAt(checkpoint.index);
      if (sequenceNumber === undefined) return {};
      const { subSequenceNumber } = checkpoint;
      return { checkpoint: sequenceNumber, subSequenceNumber };
    }
    if (checkpoint.at !== SHARD_END) return {};
    return { checkpoint: SHARD_END, subSequenceNumber: 0, owner: null, wantedBy: null };
  }

  /** A row that the lease's shard must be finished before; it is changed first, so that nothing is missing then. */
  async #giveToChild(lease: HeldLease, shardId: string, changes: StateChanges): Promise<void> {
    const { table, discovery, surroundings } = this.#parts;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      lease.requireHeld();
      const found = (await table.list()).find(({ leaseKey }) => leaseKey === shardId);
      if (found === undefined) await discovery.run(lease.signal);
      else if (!found.parentShardIds.includes(lease.shardId)) break;
      else {
        const state = stateAfter(found, changes);
        const next = { ...found, state, counter: found.counter + 1 };
        if (await table.replace(next, found.counter)) return;
      }
      await pause(surroundings.clock, backOffMs(RETRY_MS, attempt), lease.signal);
    }
    throw new ResourceNotFoundError(`${lease.shardId} has no child ${shardId}`, {
      ...{ argument: "what.childState", value: shardId },
    });
  }

  /** Makes a change until it is known what came of it, or the lease is lost for that; tells each failure. */
  async #untilKnown(lease: HeldLease, change: () => Promise<void>): Promise<void> {
    const { clock } = this.#parts.surroundings;
    for (let failures = 1; ; failures++) {
      try {
        await change();
        return;
      } catch (error) {
        const hopeless = !(error instanceof MillraceError) && failures >= ATTEMPTS_MAX;
        if (this.#parts.surroundings.closed || hopeless || !isUnsure(error)) throw error;
        const retryMs = backOffMs(RETRY_MS, failures);
        this.#parts.onFailure([lease.shardIndex], { attempt: failures, error, retryMs });
        await pause(clock, retryMs, lease.signal);
      }
    }
  }
}

function refused(what: string, shardId: string, limit: string): InvalidArgumentError {
  return new InvalidArgumentError(`the checkpoint of ${shardId} cannot become ${what}`, {
    ...{ argument: "what.at", value: what, limit },
  });
}

/** Whether the same change may go well, or did. */
function isUnsure(error: unknown): boolean {
  return !(error instanceof MillraceError) || error.indeterminate || error.retryable;
}

function changesIn(states: readonly EpochState[], shardIndex: number): StateChanges {
  const own = states.filter((one) => one.shardIndex === shardIndex);
  return own.map(({ key, value }) => [key, value]);
}

/** By shard id what children of the lease's shard are given. */
function childChanges(
  lease: HeldLease,
  childState: NonNullable<EpochEffects["childState"]>,
  companion: readonly EpochState[],
): ReadonlyMap<string, StateChanges> {
  const changes = new Map<string, StateChanges>();
  for (const [shardId, own] of Object.entries(childState)) {
    changes.set(shardIdOf(shardIndexOf(shardId)), Object.entries(own));
  }
  for (const { shardIndex } of companion) {
    if (shardIndex === lease.shardIndex) continue;
    const shardId = shardIdOf(shardIndex);
    const own = Object.entries(childState[shardId] ?? {});
    changes.set(shardId, [...own, ...changesIn(companion, shardIndex)]);
  }
  return changes;
}
