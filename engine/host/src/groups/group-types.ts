/** The vocabulary of consumer groups as all layers above use it: plain data, no behaviour. */
import type { DocumentValue } from "../log/control-records.ts";
import type { StartingPosition } from "../streams/stream-types.ts";

/** Where a group begins with the shards that it finds when it is created (KCL: initial position in stream). */
export type GroupPosition = Extract<
  StartingPosition,
  { type: "TRIM_HORIZON" | "LATEST" | "AT_TIMESTAMP" }
>;

/**
 * The last record of a shard that a group has processed. Whoever goes on reads from `index` on and leaves
 * out what is not after (index, subSequenceNumber). Or one of the KCL's sentinels, where there is no such
 * record: the place to begin at, or that the shard is finished.
 */
export type LeaseCheckpoint =
  | { readonly at: "TRIM_HORIZON" | "LATEST" | "SHARD_END" }
  | { readonly at: "AT_TIMESTAMP"; readonly timestampMs: number }
  | { readonly index: number; readonly subSequenceNumber: number };

/** What a consumer group is created with. */
export interface GroupSpec {
  /** Unique in its engine; 1 to 128 of a-z, A-Z, 0-9, `_`, `.` and `-`. */
  readonly name: string;
  readonly streamName: string;
  readonly startingPosition: GroupPosition;
  /** A worker that says nothing for this long is dead, in ms: 10,000 when absent, 500 or more. */
  readonly failoverMs?: number | undefined;
  /** A lease that its owner is to hand over is taken after this time, in ms: 30,000 when absent. */
  readonly handOverMs?: number | undefined;
  /**
   * What its workers copy into the stream, as text: a stream elsewhere that one group of each stream may be the
   * replica of. 1 to 2,048 characters; none when absent.
   */
  readonly replicaOf?: string | undefined;
  /** Where its workers ship the stream to, as text: only one place ever. 1 to 2,048 characters; none when absent. */
  readonly shipsTo?: string | undefined;
}

/** A consumer group as it was created. */
export interface GroupDefinition {
  readonly name: string;
  readonly streamName: string;
  readonly streamUid: number;
  readonly startingPosition: GroupPosition;
  readonly failoverMs: number;
  readonly handOverMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  /** What its workers copy into the stream; absent where that is nothing. */
  readonly replicaOf?: string | undefined;
  /** Where its workers ship the stream to; absent where that is nowhere. */
  readonly shipsTo?: string | undefined;
}

/** Who owns a lease. */
export interface LeaseOwner {
  /** As the worker calls itself; two workers of one group at one time must not have the same. */
  readonly workerId: string;
  /** The context that the worker runs in (`MemberStatus.memberId`), by whose lock its death is noticed at once. */
  readonly memberId: string | null;
}

/**
 * How a lease is doing: it waits until its shard's parents are finished; it is for anyone to take; it is
 * owned; its owner is asked to hand it over; its shard is finished.
 */
export type LeaseStatus = "waiting-for-parents" | "available" | "owned" | "handing-over" | "ended";

/** A checkpoint with the record named by its sequence number, a decimal string. */
export type CheckpointDescription =
  | Exclude<LeaseCheckpoint, { index: number }>
  | { readonly sequenceNumber: string; readonly subSequenceNumber: number };

/** A lease as it is described to the application. */
export interface LeaseDescription {
  /** `shardId-000000000000`. */
  readonly shardId: string;
  readonly shardIndex: number;
  readonly status: LeaseStatus;
  readonly owner: LeaseOwner | null;
  /** Rises with every change of owner; fences whoever owned the lease before (KCL: leaseCounter). */
  readonly leaseCounter: number;
  /** Number of the last epoch that was committed for the lease; 0 before the first. */
  readonly epoch: number;
  readonly checkpoint: CheckpointDescription;
  /** What the owner is about to make its checkpoint (KCL: pendingCheckpoint); null for nothing. */
  readonly pendingCheckpoint: CheckpointDescription | null;
  /** Changes of owner since the last checkpoint (KCL: ownerSwitchesSinceCheckpoint). */
  readonly ownerSwitches: number;
  /** Whether records were dropped that the group was to begin the shard with; only while it has no checkpoint yet. */
  readonly trimmed: boolean;
  /** Records behind the checkpoint. */
  readonly lagRecords: number;
  /** Age of the oldest record behind the checkpoint in ms, 0 when there is none (AWS: MillisBehindLatest). */
  readonly iteratorAgeMs: number;
}

/** A shard that expired before the group was done with it: records behind its checkpoint were lost to the group. */
export interface ExpiredShard {
  /** `shardId-000000000000`. */
  readonly shardId: string;
  readonly shardIndex: number;
  /** How far the group was. */
  readonly checkpoint: CheckpointDescription;
  /** When the shard went, in ms since the Unix epoch. */
  readonly expiredMs: number;
}

/** A worker of a group. */
export interface WorkerDescription extends LeaseOwner {
  readonly leases: number;
  /** Leases that it wants to own at most; null for any number. */
  readonly leasesMax: number | null;
  /** Whether it is joined to this leader; otherwise it is waited for until its leases go to others. */
  readonly joined: boolean;
}

/** A consumer group as it is. */
export interface GroupDescription {
  readonly definition: GroupDefinition;
  /** By shard index. */
  readonly leases: readonly LeaseDescription[];
  /** By worker id. */
  readonly workers: readonly WorkerDescription[];
  /** By shard index, the last 100 at most, until `groupsForgetExpired` is told that they are known. */
  readonly expired: readonly ExpiredShard[];
}

/** A lease as its owner gets it. */
export interface OwnedLease {
  readonly shardId: string;
  readonly shardIndex: number;
  readonly streamUid: number;
  /** Fences every commit of the owner; a lease with another one is another lease. */
  readonly leaseCounter: number;
  /** Number of the last committed epoch: the next one is one above it. */
  readonly epoch: number;
  readonly checkpoint: LeaseCheckpoint;
  /** What an earlier owner was about to make its checkpoint; null for nothing. */
  readonly pendingCheckpoint: LeaseCheckpoint | null;
  /** First index to read, by the checkpoint as it was when the poll was answered. */
  readonly nextIndex: number;
  /** State of the lease's processor, by key. */
  readonly state: Readonly<Record<string, DocumentValue>>;
  /** Whether the owner is to checkpoint and release it. */
  readonly handOver: boolean;
}

/** What a poll is answered: all leases that the worker owns. */
export interface GroupPollAnswer {
  /** Rises when the worker's leases change; epochs that are committed do not change it. */
  readonly version: number;
  readonly leases: readonly OwnedLease[];
}

/** Progress of one lease in an epoch. */
export interface EpochCheckpoint {
  readonly shardIndex: number;
  readonly leaseCounter: number;
  /** One above the last committed epoch of the lease. */
  readonly epoch: number;
  /** A sentinel only where it is what the lease has already, or SHARD_END for a shard that is closed and read. */
  readonly checkpoint: LeaseCheckpoint;
  /** Notes it as what is about to become the checkpoint, which stays (KCL: prepareCheckpoint). */
  readonly pending?: boolean | undefined;
}

/** One entry of a processor's state that an epoch changes; null removes it. */
export interface EpochState {
  /** A shard of one of the epoch's checkpoints, or one that was split or merged from such a shard. */
  readonly shardIndex: number;
  /** 1 to 128 of a-z, A-Z, 0-9, `_`, `.` and `-`. */
  readonly key: string;
  /** JSON of 65,536 characters at most. */
  readonly value: DocumentValue;
}

/** The shards that a stream had when outputs were made for them: every split and merge brings newer ones. */
export interface NewestShard {
  readonly streamUid: number;
  readonly shardIndex: number;
}

/** All that one step of a worker changes besides the records that it puts out. */
export interface EpochCommit {
  readonly groupName: string;
  readonly workerId: string;
  /** One per lease, at least one. */
  readonly checkpoints: readonly EpochCheckpoint[];
  readonly state: readonly EpochState[];
  /** Refuses the epoch with ResourceInUseError when one of these streams that its outputs go to has newer shards. */
  readonly newestShards?: readonly NewestShard[] | undefined;
}

/** What came of an epoch. */
export interface EpochAnswer {
  /** Whether it had been committed before: this was the same commit again, and changed nothing. */
  readonly repeated: boolean;
}
