/** Whose turn it is among shards of one lineage. */
import type { ShardDescription } from "millrace";
import { describe, expect, it } from "vitest";
import { ShardTurns } from "../src/shard-turns.ts";

/** Shards by index with their parents. */
function lineage(parents: Readonly<Record<number, readonly number[]>>) {
  const shards = Object.entries(parents).map(
    ([index, [parentShardIndex, adjacentParentShardIndex]]): ShardDescription => ({
      shardId: `shardId-${index}`,
      shardIndex: Number(index),
      createdSeconds: 1,
      startingHashKey: "0",
      endingHashKey: "0",
      startingSequenceNumber: "0",
      ...(parentShardIndex === undefined ? {} : { parentShardIndex }),
      ...(adjacentParentShardIndex === undefined ? {} : { adjacentParentShardIndex }),
    }),
  );
  return { openShards: shards, closedShards: [] } as never;
}

function begun(parents: Readonly<Record<number, readonly number[]>>, ...indexes: number[]) {
  const turns = new ShardTurns();
  const cursors = indexes.map((shardIndex) => ({ shardIndex, nextIndex: 0 }));
  turns.begin(cursors, lineage(parents));
  return turns;
}

const indexesOf = (turns: ShardTurns): number[] => [...turns.cursors.keys()].sort((a, b) => a - b);

describe("turns of shards", () => {
  // 0 is split into 2 and 3; 3 and 1 are merged into 4.
  const crossed = { 0: [], 1: [], 2: [0], 3: [0], 4: [3, 1] };

  it("are the parents' first, wherever the reading begins", () => {
    expect(indexesOf(begun(crossed, 0, 1, 2, 3, 4))).toEqual([0, 1]);
    expect(indexesOf(begun(crossed, 2, 3, 4))).toEqual([2, 3]);
    expect(indexesOf(begun(crossed, 4, 2))).toEqual([2, 4]);
  });

  it("wait for ancestors that are not known to be read yet", () => {
    const turns = begun(crossed, 0, 1);
    turns.finish(1);
    // 4 has 3 as its other parent, which comes with the end of 0.
    turns.adopt(lineage(crossed), true);
    expect(indexesOf(turns)).toEqual([0]);
    turns.finish(0);
    turns.adopt(lineage(crossed), true);
    expect(indexesOf(turns)).toEqual([2, 3]);
    turns.finish(3);
    turns.adopt(lineage(crossed), true);
    expect(indexesOf(turns)).toEqual([2, 4]);
  });

  it("come to what descends from shards that were removed before anybody knew them", () => {
    const turns = begun({ 0: [] }, 0);
    expect(turns.adopt(lineage({ 0: [], 1: [0], 2: [0] }), false)).toBe(false);
    // 1 was split into 3 and 4; it and 0 are gone.
    expect(turns.adopt(lineage({ 2: [0], 3: [1], 4: [1] }), true)).toBe(true);
    expect(indexesOf(turns)).toEqual([2, 3, 4]);
  });

  it("do not wait for ancestors that the reading passes over", () => {
    const turns = begun({ 5: [4], 4: [3], 3: [0], 6: [5] }, 5, 6);
    expect(indexesOf(turns)).toEqual([5]);
    turns.finish(5);
    expect(indexesOf(turns)).toEqual([6]);
  });
});
