/** Which shards of a stream may be read now: a child only after all of its parents were read to their end. */
import type { ShardCursor, ShardDescription, StreamDescription } from "@millrace/engine";

type KnownShards = Pick<StreamDescription, "openShards" | "closedShards">;

/** Open and closed shards of a stream, by index. */
export function allShards({ openShards, closedShards }: KnownShards): ShardDescription[] {
  return [...closedShards, ...openShards].sort((a, b) => a.shardIndex - b.shardIndex);
}

/** Indexes of the shards that a shard was made of: none, one after a split, two after a merge. */
export function parentsOf({
  parentShardIndex,
  adjacentParentShardIndex,
}: ShardDescription): number[] {
  return [parentShardIndex, adjacentParentShardIndex].filter((index) => index !== undefined);
}

/** The shards of a list that were made of one. */
export function childrenOf(
  shards: readonly ShardDescription[],
  shardIndex: number,
): ShardDescription[] {
  return shards.filter((one) => parentsOf(one).includes(shardIndex));
}

/** The shards of one reading. */
export class ShardTurns {
  /** Where the next read of each shard begins whose turn it is, by shard index. */
  readonly cursors = new Map<number, number>();
  /** The same of shards whose parents are not done. */
  readonly #held = new Map<number, number>();
  readonly #done = new Set<number>();
  /** Parents of every shard that there is, by its index. */
  #parents = new Map<number, readonly number[]>();
  /** Of the shards that it began with; whatever is newer came of them. */
  #newest = 0;

  /** Adds shards to read, where they are begun. The description must not be older than they are. */
  begin(shards: readonly ShardCursor[], description: KnownShards): void {
    this.#learn(description);
    for (const { shardIndex, nextIndex } of shards) {
      this.#held.set(shardIndex, nextIndex);
      this.#newest = Math.max(this.#newest, shardIndex);
    }
    this.#release();
  }

  /** A shard is read to its end, and those that waited for it have their turn. */
  finish(shardIndex: number): void {
    this.cursors.delete(shardIndex);
    this.#done.add(shardIndex);
    this.#release();
  }

  /**
   * Finishes the shards that retention removed before they were read, and adds what came of those that
   * are done, from its beginning, if the reading follows. Says whether any was removed.
   */
  adopt(description: KnownShards, follows: boolean): boolean {
    this.#learn(description);
    const wanted = [...this.cursors.keys(), ...this.#held.keys()];
    const removed = wanted.filter((index) => !this.#parents.has(index));
    for (const index of removed) {
      this.#held.delete(index);
      this.finish(index);
    }
    for (const [index, parents] of follows ? this.#parents : []) {
      const known = this.cursors.has(index) || this.#held.has(index) || this.#done.has(index);
      // Its own parents may have been removed before anybody heard of them.
      const descends = index > this.#newest || parents.some((parent) => this.#done.has(parent));
      if (!known && descends) this.#held.set(index, 0);
    }
    this.#release();
    return removed.length > 0;
  }

  #learn(description: KnownShards): void {
    this.#parents = new Map(
      allShards(description).map((shard) => [shard.shardIndex, parentsOf(shard)]),
    );
  }

  #release(): void {
    for (const [index, nextIndex] of this.#held) {
      if (this.#hasAncestorToRead(index)) continue;
      this.#held.delete(index);
      this.cursors.set(index, nextIndex);
    }
  }

  /** Whether a shard comes after one that is being read, waits, or is yet to be adopted. */
  #hasAncestorToRead(index: number): boolean {
    // Grows while it is walked; of two parents' common ancestors each is looked at once.
    const ancestors = new Set(this.#parents.get(index));
    for (const ancestor of ancestors) {
      if (this.#done.has(ancestor)) continue;
      if (this.cursors.has(ancestor) || this.#held.has(ancestor)) return true;
      for (const parent of this.#parents.get(ancestor) ?? []) {
        // A child of a shard that is done has its turn before its own children, also if nobody
        // asked for it so far.
        if (this.#done.has(parent)) return true;
        ancestors.add(parent);
      }
    }
    return false;
  }
}
