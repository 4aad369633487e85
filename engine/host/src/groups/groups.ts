/**
 * The consumer groups of one life of an engine: creates and deletes them, and leads each from the life's
 * beginning to its end.
 */
import { ResourceInUseError, ResourceNotFoundError } from "../errors/index.ts";
import type { ControlRecord, StreamDefinition } from "../log/control-records.ts";
import { shardIdOf, shardIndexOf } from "../sequence/sequence-number.ts";
import type { Catalogue } from "../streams/catalogue.ts";
import { claimingElsewhere, elsewhere, requireOnlyReplica } from "./elsewhere-claims.ts";
import { notingExpiry } from "./expired-shards.ts";
import { Group, type GroupParts } from "./group.ts";
import { checkGroupSpec, checkJoin, checkPosition } from "./group-checks.ts";
import { defineGroup, definitionOf, describeGroup } from "./group-descriptions.ts";
import {
  counterFloor,
  deletingGroups,
  deletingState,
  expiryKey,
  groupKey,
  groupNames,
  groupOfKey,
  leaseKey,
  puttingLease,
  type StoredGroup,
} from "./group-documents.ts";
import { noGroup, withOwner } from "./group-leases.ts";
import type { GroupOperations } from "./group-operations.ts";
import type {
  GroupDefinition,
  GroupDescription,
  GroupPollAnswer,
  GroupSpec,
} from "./group-types.ts";
import { checkpointOf, firstLeases } from "./lease-discovery.ts";
import { creatingLease, freshLease } from "./new-lease.ts";

/** Defaults of a group, in ms. */
const FAILOVER_MS = 10_000;
const HAND_OVER_MS = 30_000;
/** Longest wait of a poll, in ms. */
const POLL_MS_MAX = 30_000;

/** What groups of one life work with. */
export interface GroupsParts extends GroupParts {
  readonly catalogue: Catalogue;
}

/** See above. */
export class Groups {
  readonly #parts: GroupsParts;
  readonly #groups = new Map<string, Group>();
  readonly #stopFollowing: () => void;
  #failure: Error | undefined;

  constructor(parts: GroupsParts) {
    this.#parts = parts;
    this.#stopFollowing = parts.log.onApplied((record) => this.#applied(record));
    parts.log.whenExpiring = (shardUids) => this.#noting(shardUids);
    parts.log.guardExpiry = (expire) => parts.catalogue.exclusively(() => this.duringAll(expire));
    parts.catalogue.guardRemovals((streamUid, remove) => this.#duringRemoval(streamUid, remove));
  }

  /** Takes up what the leader before left. */
  resume(): void {
    for (const name of groupNames(this.#parts.documents)) this.#of(name);
  }

  /** Ends with the life: what is under way fails with this error. */
  stop(error: Error): void {
    this.#failure ??= error;
    this.#stopFollowing();
    for (const group of this.#groups.values()) group.end(error);
    this.#groups.clear();
  }

  /** A group. @throws ResourceNotFoundError; what ended the log: a leader that was deposed does not know how its groups are. */
  get(name: string): Group {
    const failure = this.#failure ?? this.#parts.log.failure;
    if (failure !== undefined) throw failure;
    const group = this.#groups.get(name);
    if (group === undefined) throw noGroup(String(name));
    return group;
  }

  /** See {@link GroupOperations.groupsCreate}. */
  async create(spec: GroupSpec): Promise<GroupDefinition> {
    checkGroupSpec(spec);
    const { catalogue, documents, log, clock } = this.#parts;
    return await catalogue.exclusively(async () => {
      const stream = catalogue.get(spec.streamName);
      catalogue.requireUsable(stream);
      const found = documents.get<StoredGroup>(groupKey(spec.name));
      requireOnlyReplica(documents, spec, stream.uid);
      if (found === undefined) {
        const stored = storedOf(spec, stream, clock.nowMs(), counterFloor(documents));
        const leases = firstLeases(stream.shards, stored.startingPosition);
        await log.change([
          documents.putting(groupKey(spec.name), stored),
          ...leases.map((lease) => creatingLease(this.#parts, spec.name, stored, lease)),
        ]);
        // The engine may be closing: it is stored all the same.
        if (this.#failure !== undefined) return definitionOf(spec.name, stored, stream.name);
        this.#of(spec.name);
      } else await this.#requireSame(spec, found, stream);
      return defineGroup(this.get(spec.name).leases);
    });
  }

  /** Of a replication's name, which stream elsewhere it is for is for whoever copies to look at. */
  async #requireSame(
    { replicaOf, shipsTo, ...spec }: GroupSpec,
    found: StoredGroup,
    stream: StreamDefinition,
  ): Promise<void> {
    const { documents, log } = this.#parts;
    const { replicaOf: _, shipsTo: __, ...others } = found;
    const claim = claimingElsewhere(documents, { replicaOf, shipsTo, ...spec }, found);
    if (found.streamUid === stream.uid && claim.length > 0) await log.change(claim);
    requireSame(spec, others, storedOf(spec, stream, found.createdMs, found.firstCounter));
  }

  /** See {@link GroupOperations.groupsList}. */
  list(streamName: string | undefined): GroupDefinition[] {
    const stream = streamName === undefined ? undefined : this.#parts.catalogue.get(streamName);
    const all = groupNames(this.#parts.documents).map((name) => defineGroup(this.get(name).leases));
    return stream === undefined ? all : all.filter(({ streamUid }) => streamUid === stream.uid);
  }

  /** See {@link GroupOperations.groupsDescribe}. */
  async describe(name: string): Promise<GroupDescription> {
    return await describeGroup(this.#parts, this.get(name));
  }

  /** See {@link GroupOperations.groupsDelete}. */
  async delete(name: string): Promise<void> {
    const { catalogue, documents, log } = this.#parts;
    await catalogue.exclusively(async () => {
      const group = this.get(name);
      await group.leases.gates.duringAll(async () => {
        await log.change(deletingGroups(documents, [group.name]));
      });
    });
  }

  /** See {@link GroupOperations.groupsForgetExpired}. */
  async forgetExpired(name: string, shardIndexes: readonly number[]): Promise<void> {
    const { catalogue, documents, log } = this.#parts;
    await catalogue.exclusively(async () => {
      const expiries = this.get(name).leases.expiries();
      const known = shardIndexes.filter((shardIndex) => expiries.has(shardIndex));
      if (known.length === 0) return;
      await log.change(known.map((index) => documents.deleting(expiryKey(name, index))));
    });
  }

  /** See {@link GroupOperations.groupsReset}. */
  async reset(
    { name, position, shardId, force = false }: Parameters<GroupOperations["groupsReset"]>[0],
    again: boolean,
  ): Promise<void> {
    checkPosition("position", position);
    const { catalogue, log } = this.#parts;
    await catalogue.exclusively(async () => {
      const group = this.get(name);
      await group.leases.gates.duringAll(async () => {
        const shardIndex = shardId === undefined ? undefined : shardIndexOf(shardId);
        const owners = this.#requireFree(group, shardIndex, force, again);
        const records =
          shardIndex === undefined
            ? this.#resetAll(group, position)
            : this.#resetOne(group, shardIndex, position);
        await log.change(records);
        for (const workerId of owners) group.touch(workerId);
      });
      group.kick();
    });
  }

  /** See {@link GroupOperations.groupJoin}. */
  async join(argument: Parameters<GroupOperations["groupJoin"]>[0]): Promise<string> {
    checkJoin(argument);
    const { groupName, workerId, memberId, leasesMax = Number.POSITIVE_INFINITY } = argument;
    // A context that shares its engine with nobody has an empty id, and no lock.
    return await this.get(groupName).join({ workerId, memberId: memberId || null }, leasesMax);
  }

  /** See {@link GroupOperations.groupPoll}. */
  async poll({
    groupName,
    sessionId,
    seenVersion,
    waitMs,
  }: Parameters<GroupOperations["groupPoll"]>[0]): Promise<GroupPollAnswer> {
    const wait = Math.min(POLL_MS_MAX, Math.max(0, Number(waitMs) || 0));
    return await this.get(groupName).poll(sessionId, seenVersion, wait);
  }

  /** Does what deletes streams, or everything, once no lease of their groups is being changed. */
  async duringAll(change: () => Promise<void>): Promise<void> {
    await through([...this.#groups.values()], change);
  }

  /** The group, which is led from now on if it was not. */
  #of(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new Group(this.#parts, name);
      this.#groups.set(name, group);
      group.resume();
    }
    return group;
  }

  /** Groups go with their stream. */
  async #duringRemoval(
    streamUid: number,
    remove: (also: readonly ControlRecord[]) => Promise<void>,
  ): Promise<void> {
    const groups = [...this.#groups.values()].filter(
      ({ leases }) => leases.stored.streamUid === streamUid,
    );
    await through(groups, async () => {
      await remove(
        deletingGroups(
          this.#parts.documents,
          groups.map(({ name }) => name),
        ),
      );
    });
  }

  /** What is stored in one step with the expiry of shards. */
  #noting(shardUids: readonly number[]): ControlRecord[] {
    // Which groups there are is not known any more: the next life lets the shards expire.
    if (this.#failure !== undefined) throw this.#failure;
    const nowMs = this.#parts.clock.nowMs();
    return [...this.#groups.values()].flatMap(({ leases }) =>
      leases.failure === undefined ? notingExpiry(this.#parts, leases, shardUids, nowMs) : [],
    );
  }

  /** Follows what becomes of groups and of the shards that they read. */
  #applied(record: ControlRecord): void {
    if (record.kind === "shards-expired") {
      for (const group of this.#groups.values()) group.kick();
    }
    if (record.kind !== "document-deleted") return;
    const name = groupOfKey(record.key);
    if (name === undefined) return;
    this.#groups.get(name)?.end(noGroup(name));
    this.#groups.delete(name);
  }

  /** Owners that a reset would take leases from. @throws ResourceInUseError without force; ResourceNotFoundError. */
  #requireFree(
    group: Group,
    shardIndex: number | undefined,
    force: boolean,
    again: boolean,
  ): Set<string> {
    const leases = [...group.leases.all()].filter(([index]) => (shardIndex ?? index) === index);
    if (shardIndex !== undefined && leases.length === 0) {
      throw new ResourceNotFoundError(
        `Consumer group ${group.name} has no lease of ${shardIdOf(shardIndex)}.`,
        { argument: "shardId", value: shardIdOf(shardIndex) },
      );
    }
    const owners = new Set(leases.flatMap(([, lease]) => group.ownerOf(lease)?.workerId ?? []));
    if (owners.size === 0 || force) return owners;
    throw new ResourceInUseError(
      `Leases of consumer group ${group.name} are owned by ${[...owners].join(", ")}; stop these workers, ` +
        "or use force to take the leases from them.",
      { argument: "name", value: group.name, indeterminate: again },
    );
  }

  /** Leases that come back later must fence off whoever owned one of the same shard before. */
  #resetAll(group: Group, position: StoredGroup["startingPosition"]): ControlRecord[] {
    const { documents } = this.#parts;
    const counters = [...group.leases.all().values()].map(({ leaseCounter }) => leaseCounter + 1);
    const firstCounter = Math.max(group.leases.stored.firstCounter, ...counters);
    const stored = { ...group.leases.stored, firstCounter, startingPosition: position };
    const leases = firstLeases(group.leases.stream.shards, position);
    const kept = new Set(leases.map(({ shardIndex }) => leaseKey(group.name, shardIndex)));
    const gone = documents.keys(`${groupKey(group.name)}/`).filter((key) => !kept.has(key));
    return [
      documents.putting(groupKey(group.name), stored),
      ...gone.map((key) => documents.deleting(key)),
      ...leases.map((lease) => creatingLease(this.#parts, group.name, stored, lease)),
    ];
  }

  #resetOne(
    group: Group,
    shardIndex: number,
    position: StoredGroup["startingPosition"],
  ): ControlRecord[] {
    const { documents, log } = this.#parts;
    const lease = group.leases.get(shardIndex);
    if (lease === undefined) return [];
    const checkpoint = checkpointOf(position);
    const { epoch } = lease;
    const fresh = freshLease(log, group.leases.stored, { shardIndex, checkpoint, first: true });
    const { leaseCounter } = { ...lease, ...withOwner(lease, null) };
    return [
      puttingLease(documents, group.name, shardIndex, { ...fresh, epoch, leaseCounter }),
      ...deletingState(documents, group.name, shardIndex),
    ];
  }
}

/** Makes a change once no lease of any of the groups is being changed. */
async function through(groups: readonly Group[], change: () => Promise<void>): Promise<void> {
  const [first, ...others] = groups;
  if (first === undefined) await change();
  else await first.leases.gates.duringAll(() => through(others, change));
}

function storedOf(
  spec: GroupSpec,
  stream: StreamDefinition,
  createdMs: number,
  firstCounter: number,
): StoredGroup {
  const { startingPosition, failoverMs = FAILOVER_MS, handOverMs = HAND_OVER_MS } = spec;
  const position =
    startingPosition.type === "AT_TIMESTAMP"
      ? { type: startingPosition.type, timestampMs: startingPosition.timestampMs }
      : { type: startingPosition.type };
  return {
    ...{ streamUid: stream.uid, startingPosition: position, failoverMs, handOverMs },
    ...{ createdMs, firstCounter },
    ...elsewhere(spec),
  };
}

/** A group that exists must be the one that is asked for. @throws ResourceInUseError. */
function requireSame(spec: GroupSpec, found: StoredGroup, wanted: StoredGroup): void {
  const different = Object.entries(wanted).find(
    ([member, value]) =>
      JSON.stringify(value) !== JSON.stringify(found[member as keyof StoredGroup]),
  );
  if (different === undefined) return;
  const [member] = different;
  throw new ResourceInUseError(
    `Consumer group ${spec.name} exists with another ${member === "streamUid" ? "stream" : member}.`,
    { argument: member === "streamUid" ? "streamName" : member, value: spec.name },
  );
}
