/** What a worker takes from wherever its group is: leases, their records, and a place for checkpoints. */
import type { OwnedLease } from "@millrace/engine";
import type { Delivery } from "./deliveries.ts";
import type { EpochCommitter, EpochStore } from "./epoch-committer.ts";
import type { GivenLease, HeldLease } from "./held-lease.ts";
import type { OpenShard } from "./shard-consumer.ts";
import type { HeldBytes, ReadFailureListener } from "./shard-source.ts";
import type { WorkerSettings } from "./worker-settings.ts";
import type { WorkerSurroundings } from "./worker-surroundings.ts";

/** Gives a worker its leases. */
export interface LeaseGiver {
  /** Returns after {@link leave}. @throws ResourceNotFoundError when the group is deleted, EngineClosedError. */
  run(): Promise<void>;
  /** The worker is about to leave: what it gives back must not come to it again. */
  closing?(): void;
  /** Gives a lease back; one that is lost is none any more. */
  release(lease: GivenLease): Promise<void>;
  /** Ends the session; the leases go to others at once. */
  leave(): Promise<void>;
}

/** A worker, as its backend sees it. */
export interface WorkerHost {
  readonly settings: WorkerSettings;
  /** What the worker holds of all shards. */
  readonly held: HeldBytes;
  /** Hears all leases that the worker owns, whenever they change. */
  readonly onLeases: (leases: readonly OwnedLease[]) => void;
  readonly onFailure: ReadFailureListener;
}

/** Records that are given up, and why. */
export interface GivenUpDelivery {
  readonly delivery: Delivery;
  readonly attempts: number;
  readonly error: unknown;
}

/** See above. */
export interface WorkerBackend {
  readonly surroundings: WorkerSurroundings;
  readonly session: LeaseGiver;
  readonly epochs: EpochStore;
  /** Finds the records of a lease. @throws ResourceNotFoundError. */
  open(lease: HeldLease): Promise<OpenShard>;
  /** Puts records of a lease into a dead-letter stream, and checkpoints them. */
  park(
    streamName: string,
    lease: HeldLease,
    given: GivenUpDelivery,
    committer: EpochCommitter,
  ): Promise<void>;
  /** Gives up all reads. */
  close(): void;
}
