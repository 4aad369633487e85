/** What a consumer group of a stream elsewhere is made with, and what it is told to be. */
import type { CheckpointDescription, GroupPosition, LeaseStatus } from "@millrace/engine";
import type { GroupOptions } from "../../groups/group-types.ts";
import type { LeaseTable } from "../../lease-table.ts";
import type { Millrace } from "../../millrace.ts";

/**
 * Options of a group of a stream elsewhere. `from` counts for shards that have no lease yet; a lease at LATEST that another
 * worker begins than the one whose group object made it gives the five minutes before again, too. All workers of a group must
 * have the same `failoverMs`: an owner gives a lease up that it could not renew for so long, and another one takes it.
 */
export interface RemoteGroupOptions extends GroupOptions {
  /**
   * Where leases and checkpoints are kept: a table that all workers of the group can reach and no other group uses, or
   * an open engine, for workers over that engine. An engine tells streams of one ARN apart by the endpoints that they
   * are reached by: where a client of the application's does not tell its own, it must be a table.
   */
  readonly leases: LeaseTable | Millrace;
}

/** A lease of such a group. */
export interface RemoteLeaseDescription {
  /** `shardId-000000000000`. */
  readonly shardId: string;
  readonly shardIndex: number;
  readonly status: LeaseStatus;
  /** Id of the worker that has it, or had it when it died; null for nobody. */
  readonly owner: string | null;
  /** Rises with every change of the lease and every sign of life of its owner (KCL: leaseCounter). */
  readonly leaseCounter: number;
  readonly checkpoint: CheckpointDescription;
  /** Changes of owner since the last checkpoint (KCL: ownerSwitchesSinceCheckpoint). */
  readonly ownerSwitches: number;
}

/** Such a group as it is. */
export interface RemoteGroupDescription {
  readonly definition: {
    readonly name: string;
    readonly streamName: string;
    readonly startingPosition: GroupPosition;
    readonly failoverMs: number;
    readonly handOverMs: number;
  };
  /** By shard index. */
  readonly leases: readonly RemoteLeaseDescription[];
  /** Who has leases, by worker id; whether a worker is alive, only others that watch it can tell. */
  readonly workers: readonly { readonly workerId: string; readonly leases: number }[];
}
