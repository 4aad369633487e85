/**
 * Resharding: which shards close and which take over their hash keys. Pure: from a stream as it is to
 * the control records that change it; nothing here commits.
 */
import { ACCOUNT_ID, InvalidArgumentError, ResourceNotFoundError } from "../errors/index.ts";
import type { ControlRecord, ShardDefinition, StreamDefinition } from "../log/control-records.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import {
  decimalHashKey,
  type HashKeyRange,
  hashKeyOf,
  splitRange,
  splitsAt,
} from "./hash-ranges.ts";

/** One step of a reshard. */
export type ReshardRecord = Extract<ControlRecord, { kind: "stream-resharded" }>;

/** What a reshard takes from its surroundings. */
export interface ReshardMoment {
  /** Uid that the first new shard gets; the following ones count up. */
  readonly nextShardUid: number;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
}

/** Shards that close, and the ranges of the children that take over, lower hash keys first. */
export interface ReshardStep {
  /** Parent, and the adjacent parent of a merge. */
  readonly parents: readonly [ShardDefinition] | readonly [ShardDefinition, ShardDefinition];
  readonly children: readonly HashKeyRange[];
}

/** Whether a shard takes records. */
export function isOpen(shard: ShardDefinition): boolean {
  return shard.closedMs === undefined;
}

/** A stream's open shards by their hash keys. */
export function openShardsOf(stream: StreamDefinition): ShardDefinition[] {
  return stream.shards.filter(isOpen).sort(byHashKey);
}

/** Shards that a shard was split or merged into; lower hash keys first. */
export function childrenOf(stream: StreamDefinition, shardIndex: number): ShardDefinition[] {
  return stream.shards.filter((shard) => parentIndexesOf(shard).includes(shardIndex));
}

/** Indexes of the shards that were split or merged into a shard: none, one or two. */
export function parentIndexesOf(shard: ShardDefinition): number[] {
  return [shard.parentShardIndex, shard.adjacentParentShardIndex].filter(
    (index) => index !== undefined,
  );
}

function byHashKey(left: ShardDefinition, right: ShardDefinition): number {
  return left.startingHashKey < right.startingHashKey ? -1 : 1;
}

/** A stream's shards while a reshard is being planned. */
export class Resharding {
  readonly #streamUid: number;
  readonly #nowMs: number;
  readonly #records: ReshardRecord[] = [];
  #open: ShardDefinition[];
  #nextShardIndex: number;
  #nextShardUid: number;

  constructor(stream: StreamDefinition, moment: ReshardMoment) {
    this.#streamUid = stream.uid;
    this.#nowMs = moment.nowMs;
    this.#open = openShardsOf(stream);
    this.#nextShardIndex = stream.nextShardIndex;
    this.#nextShardUid = moment.nextShardUid;
  }

  /** The records so far, in the order in which they apply. */
  get records(): readonly ReshardRecord[] {
    return this.#records;
  }

  /** Shards that are open after the records so far, by their hash keys. */
  get open(): readonly ShardDefinition[] {
    return this.#open;
  }

  /** Takes steps at once: none may concern a child of another. Nothing happens without a step. */
  take(steps: readonly ReshardStep[]): void {
    if (steps.length === 0) return;
    const closed = new Set(steps.flatMap(({ parents }) => parents.map(({ uid }) => uid)));
    const opened = steps.flatMap((step) => step.children.map((range) => this.#child(step, range)));
    this.#open = [...this.#open.filter(({ uid }) => !closed.has(uid)), ...opened].sort(byHashKey);
    this.#records.push({
      kind: "stream-resharded",
      streamUid: this.#streamUid,
      atMs: this.#nowMs,
      closed: [...closed],
      opened,
    });
  }

  #child({ parents: [parent, adjacent] }: ReshardStep, range: HashKeyRange): ShardDefinition {
    // A child is younger than its parents by a second at least, also in a reshard of several steps,
    // so that its sequence numbers are above all of theirs.
    const parentSeconds = Math.max(parent.createdSeconds, adjacent?.createdSeconds ?? 0);
    return {
      uid: this.#nextShardUid++,
      shardIndex: this.#nextShardIndex++,
      ...range,
      createdSeconds: Math.max(Math.floor(this.#nowMs / 1000), parentSeconds + 1),
      parentShardIndex: parent.shardIndex,
      ...(adjacent === undefined ? {} : { adjacentParentShardIndex: adjacent.shardIndex }),
    };
  }
}

/** The step that merges two shards that lie side by side. `parent` is the one that AWS calls ParentShardId. */
export function mergeStep(parent: ShardDefinition, adjacent: ShardDefinition): ReshardStep {
  const [lower, upper] = [parent, adjacent].sort(byHashKey);
  return {
    parents: [parent, adjacent],
    children: [
      {
        startingHashKey: (lower ?? parent).startingHashKey,
        endingHashKey: (upper ?? adjacent).endingHashKey,
      },
    ],
  };
}

/** The step that splits a shard so that its upper child begins at a hash key. */
export function splitStep(shard: ShardDefinition, at: bigint): ReshardStep {
  return { parents: [shard], children: splitRange(shard, at) };
}

function place(shardIndex: number, stream: StreamDefinition): string {
  return `shard ${shardIdOf(shardIndex)} in stream ${stream.name} under account ${ACCOUNT_ID}`;
}

/** A shard that is to be resharded. @throws ResourceNotFoundError, InvalidArgumentError when it is closed. */
function requireReshardable(
  stream: StreamDefinition,
  shardIndex: number,
  argument: string,
): ShardDefinition {
  const shard = stream.shards.find((candidate) => candidate.shardIndex === shardIndex);
  const value = shardIdOf(shardIndex);
  if (shard === undefined) {
    throw new ResourceNotFoundError(`Could not find ${place(shardIndex, stream)}.`, {
      argument,
      value,
    });
  }
  if (isOpen(shard)) return shard;
  throw new InvalidArgumentError(
    `Shard ${value} in stream ${stream.name} under account ${ACCOUNT_ID} has already been merged or ` +
      "split, and thus is not eligible for merging or splitting.",
    { argument, value },
  );
}

/**
 * Splits a shard (SplitShard).
 * @throws ResourceNotFoundError, InvalidArgumentError when the shard is closed or the hash key leaves one of
 * the children without room.
 */
export function split(
  stream: StreamDefinition,
  shardIndex: number,
  newStartingHashKey: bigint,
  moment: ReshardMoment,
): ReshardRecord[] {
  const shard = requireReshardable(stream, shardIndex, "ShardToSplit");
  if (!splitsAt(shard, newStartingHashKey)) {
    throw new InvalidArgumentError(
      `NewStartingHashKey ${newStartingHashKey} used in SplitShard() on ${place(shardIndex, stream)} ` +
        "is not both greater than one plus the shard's StartingHashKey " +
        `${decimalHashKey(shard.startingHashKey)} and less than the shard's EndingHashKey ` +
        `${decimalHashKey(shard.endingHashKey)}.`,
      { argument: "NewStartingHashKey", value: String(newStartingHashKey) },
    );
  }
  const plan = new Resharding(stream, moment);
  plan.take([splitStep(shard, newStartingHashKey)]);
  return [...plan.records];
}

/**
 * Merges two shards that lie side by side, in either order (MergeShards).
 * @throws ResourceNotFoundError, InvalidArgumentError when one is closed or they are not side by side.
 */
export function merge(
  stream: StreamDefinition,
  shardIndex: number,
  adjacentShardIndex: number,
  moment: ReshardMoment,
): ReshardRecord[] {
  const shard = requireReshardable(stream, shardIndex, "ShardToMerge");
  const adjacent = requireReshardable(stream, adjacentShardIndex, "AdjacentShardToMerge");
  if (!touch(shard, adjacent) && !touch(adjacent, shard)) {
    throw new InvalidArgumentError(
      `Shards ${shardIdOf(shardIndex)} and ${shardIdOf(adjacentShardIndex)} in stream ${stream.name} ` +
        `under account ${ACCOUNT_ID} are not an adjacent pair of shards eligible for merging`,
      { argument: "AdjacentShardToMerge", value: shardIdOf(adjacentShardIndex) },
    );
  }
  const plan = new Resharding(stream, moment);
  plan.take([mergeStep(shard, adjacent)]);
  return [...plan.records];
}

function touch(lower: ShardDefinition, upper: ShardDefinition): boolean {
  return hashKeyOf(lower.endingHashKey) + 1n === hashKeyOf(upper.startingHashKey);
}
