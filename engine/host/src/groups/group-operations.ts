/** The control operations of consumer groups: argument and answer. */
import type {
  GroupDefinition,
  GroupDescription,
  GroupPollAnswer,
  GroupPosition,
  GroupSpec,
} from "./group-types.ts";

/** Operations of groups, and of the workers that are joined to them. */
export interface GroupOperations {
  /**
   * Creates a consumer group with the leases that its starting position calls for; the same group again
   * changes nothing.
   * @throws InvalidArgumentError, ResourceNotFoundError for the stream, ResourceInUseError when a group of
   * that name is another one, and when another group of the stream is the replica of the same; only of that one the
   * error has a `limit`: its name.
   */
  groupsCreate(argument: GroupSpec): GroupDefinition;
  /** All consumer groups by name, or those of one stream. @throws ResourceNotFoundError for the stream. */
  groupsList(argument: { streamName?: string | undefined }): GroupDefinition[];
  /** @throws ResourceNotFoundError. */
  groupsDescribe(argument: { name: string }): GroupDescription;
  /** Deletes a group with its leases and their state; its workers lose them. @throws ResourceNotFoundError. */
  groupsDelete(argument: { name: string }): null;
  /**
   * Sets a group, or its lease of one shard, back to a position, and forgets the processors' state of these
   * leases. A group as a whole gets the leases that the position calls for.
   * @throws ResourceNotFoundError; ResourceInUseError when a worker owns one of them, unless `force` has the
   * owners lose them.
   */
  groupsReset(argument: {
    name: string;
    position: GroupPosition;
    shardId?: string | undefined;
    force?: boolean | undefined;
  }): null;
  /** Forgets expired shards of a group that somebody has heard of; unknown ones are ignored. @throws ResourceNotFoundError. */
  groupsForgetExpired(argument: { name: string; shardIndexes: readonly number[] }): null;
  /**
   * Joins a worker to a group under the present leader. Who joins again under the same `workerId` keeps the
   * leases that it owns, and its session before is lost. @throws ResourceNotFoundError, InvalidArgumentError.
   */
  groupJoin(argument: {
    groupName: string;
    workerId: string;
    /** Of the context that the worker runs in; null when none of its locks tells whether it lives. */
    memberId: string | null;
    /** Leases that it wants to own at most; any number when absent. */
    leasesMax?: number | undefined;
  }): { readonly sessionId: string };
  /**
   * The leases that a worker owns, as soon as their version is another one than `seenVersion`, or after
   * `waitMs` (at most 30,000). A worker without a poll under way is dead after the group's `failoverMs`.
   * @throws GroupSessionLostError when the leader does not know the session: join again.
   */
  groupPoll(argument: {
    groupName: string;
    sessionId: string;
    /** 0 for the first time. */
    seenVersion: number;
    waitMs: number;
  }): GroupPollAnswer;
  /**
   * Ends a worker's session; its leases go to others at once. Of a session that this leader does not know they do,
   * too, unless the worker has joined it in another one.
   */
  groupLeave(argument: { groupName: string; sessionId: string; workerId: string }): null;
  /**
   * Gives a lease back, as a worker does that was asked to hand it over. A lease that the worker does not
   * own any more is ignored. A worker that is `leaving` is given no lease from then on. @throws GroupSessionLostError.
   */
  groupRelease(argument: {
    groupName: string;
    sessionId: string;
    shardIndex: number;
    leaseCounter: number;
    leaving?: boolean;
  }): null;
}
