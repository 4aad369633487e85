/**
 * Which leases a group is to have, as the KCL finds them: those that its starting position calls for, the
 * children of shards that are finished, and none for shards that are gone. Pure.
 */
import type { ShardDefinition } from "../log/control-records.ts";
import { isEnded } from "./checkpoints.ts";
import type { StoredLease } from "./group-documents.ts";
import type { GroupPosition, LeaseCheckpoint } from "./group-types.ts";

/** What discovery looks at of a lease. */
type KnownLease = Pick<StoredLease, "checkpoint">;

/** A lease to be created. */
export interface NewLease {
  readonly shardIndex: number;
  readonly checkpoint: LeaseCheckpoint;
  /** Whether the group begins with it: what was dropped of the shard before is no loss to the group. */
  readonly first?: boolean;
}

/** What is to change so that a group has the leases that it is to have. */
export interface LeaseChanges {
  readonly created: readonly NewLease[];
  /** Shard indexes of the leases to be deleted. */
  readonly deleted: readonly number[];
}

type ShardMap = ReadonlyMap<number, ShardDefinition>;
type LeaseMap = ReadonlyMap<number, KnownLease>;

/** The checkpoint that stands for a starting position. */
export function checkpointOf(position: GroupPosition): LeaseCheckpoint {
  if (position.type === "AT_TIMESTAMP")
    return { at: position.type, timestampMs: position.timestampMs };
  return { at: position.type };
}

/** Indexes of a shard's parents, whether they are still there or not. */
export function parentsOf({
  parentShardIndex,
  adjacentParentShardIndex,
}: ShardDefinition): number[] {
  return [parentShardIndex, adjacentParentShardIndex].filter((index) => index !== undefined);
}

function byIndex(shards: readonly ShardDefinition[]): ShardMap {
  return new Map(shards.map((shard) => [shard.shardIndex, shard]));
}

/**
 * The leases that a new group begins with: at LATEST those of the open shards; at TRIM_HORIZON of the shards
 * that no other one came before; at a time of the shards that took records then.
 */
export function firstLeases(
  shards: readonly ShardDefinition[],
  position: GroupPosition,
): NewLease[] {
  const known = byIndex(shards);
  const checkpoint = checkpointOf(position);
  const endedBy = (shard: ShardDefinition): boolean => {
    if (position.type === "TRIM_HORIZON" || shard.closedMs === undefined) return false;
    return position.type === "LATEST" || shard.closedMs <= position.timestampMs;
  };
  const called = shards.filter((shard) => {
    const parents = parentsOf(shard).flatMap((index) => known.get(index) ?? []);
    return !endedBy(shard) && parents.every(endedBy);
  });
  return called.map(({ shardIndex }) => ({ shardIndex, checkpoint, first: true }));
}

/** The leases that a group lacks, and those that it has for shards that are gone. */
export function changesOf(
  shards: readonly ShardDefinition[],
  leases: LeaseMap,
  position: GroupPosition,
): LeaseChanges {
  const known = byIndex(shards);
  const created = new Map<number, LeaseCheckpoint>();
  for (const { shardIndex } of childrenToCreate(shards, leases, known)) {
    created.set(shardIndex, { at: "TRIM_HORIZON" });
  }
  const has = (index: number): boolean => leases.has(index) || created.has(index);
  const search = new MissingAncestors({ known, has, position });
  for (const shard of shards) if (shard.closedMs === undefined) search.visit(shard);
  for (const index of search.missing) created.set(index, checkpointOf(position));
  return {
    created: [...created].map(([shardIndex, checkpoint]) => ({ shardIndex, checkpoint })),
    deleted: [...leases.keys()].filter((index) => !known.has(index)),
  };
}

/** Shards without a lease, a parent of which is finished or gone with its lease still there. */
function childrenToCreate(
  shards: readonly ShardDefinition[],
  leases: LeaseMap,
  known: ShardMap,
): ShardDefinition[] {
  return shards.filter((shard) => {
    if (leases.has(shard.shardIndex)) return false;
    return parentsOf(shard).some((index) => {
      const lease = leases.get(index);
      return lease !== undefined && (isEnded(lease) || !known.has(index));
    });
  });
}

/**
 * Goes from open shards up to the ones that have leases, as the KCL's syncer does. A shard that descends from
 * one with a lease gets its own when that one is finished; the other parent of a merge needs one at once.
 */
class MissingAncestors {
  readonly missing = new Set<number>();
  readonly #known: ShardMap;
  readonly #has: (shardIndex: number) => boolean;
  readonly #position: GroupPosition;
  /** By shard index: whether it has a lease, gets one, or descends from one that does. */
  readonly #covered = new Map<number, boolean>();

  constructor(parts: {
    readonly known: ShardMap;
    readonly has: (shardIndex: number) => boolean;
    readonly position: GroupPosition;
  }) {
    this.#known = parts.known;
    this.#has = parts.has;
    this.#position = parts.position;
  }

  /** Looks at an open shard and at what came before it. */
  visit(shard: ShardDefinition): void {
    if (!this.#covers(shard)) this.missing.add(shard.shardIndex);
  }

  #covers(shard: ShardDefinition): boolean {
    const { shardIndex } = shard;
    const found = this.#covered.get(shardIndex);
    if (found !== undefined) return found;
    const covered = this.#has(shardIndex) || this.#coveredByParents(shard);
    this.#covered.set(shardIndex, covered);
    return covered;
  }

  #coveredByParents(shard: ShardDefinition): boolean {
    const parents = parentsOf(shard).flatMap((index) => this.#known.get(index) ?? []);
    const bare = parents.filter((parent) => !this.#covers(parent));
    if (parents.length === 0) {
      if (this.#position.type === "LATEST") return false;
      this.missing.add(shard.shardIndex);
      return true;
    }
    if (bare.length === parents.length) return false;
    for (const { shardIndex } of bare) this.missing.add(shardIndex);
    return true;
  }
}

/** Tells of shards whether something that a group must process first is not finished. */
export class Waiting {
  readonly #known: ShardMap;
  readonly #leases: LeaseMap;
  readonly #before = new Map<number, boolean>();

  constructor(shards: readonly ShardDefinition[], leases: LeaseMap) {
    this.#known = byIndex(shards);
    this.#leases = leases;
  }

  /** Whether a shard must wait for a parent. */
  waits(shardIndex: number): boolean {
    const found = this.#before.get(shardIndex);
    if (found !== undefined) return found;
    const shard = this.#known.get(shardIndex);
    const waits = shard !== undefined && parentsOf(shard).some((index) => this.#blocks(index));
    this.#before.set(shardIndex, waits);
    return waits;
  }

  /** Shards without a lease that get one when others are finished. */
  lacking(): ShardDefinition[] {
    return [...this.#known.values()].filter(
      ({ shardIndex }) => !this.#leases.has(shardIndex) && this.waits(shardIndex),
    );
  }

  /** A parent with a lease blocks until it is finished; one without when it is about to get one. */
  #blocks(shardIndex: number): boolean {
    const lease = this.#leases.get(shardIndex);
    if (lease !== undefined) return !isEnded(lease);
    return this.waits(shardIndex);
  }
}
