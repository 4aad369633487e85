/** Which leases a group is to have: the KCL's own example, and what the engine asks on top of it. */
import { describe, expect, it } from "vitest";
import type { LeaseCheckpoint } from "../../src/groups/group-types.ts";
import { changesOf, firstLeases, Waiting } from "../../src/groups/lease-discovery.ts";
import type { ShardDefinition } from "../../src/log/control-records.ts";

function shard(
  shardIndex: number,
  parents: readonly number[] = [],
  closedMs?: number,
): ShardDefinition {
  const [parentShardIndex, adjacentParentShardIndex] = parents;
  return {
    ...{ uid: shardIndex + 100, shardIndex, createdSeconds: 1 },
    ...{ startingHashKey: "", endingHashKey: "" },
    ...(parentShardIndex === undefined ? {} : { parentShardIndex }),
    ...(adjacentParentShardIndex === undefined ? {} : { adjacentParentShardIndex }),
    ...(closedMs === undefined ? {} : { closedMs }),
  };
}

/**
 * 0 1 2 3 4 5   until 102
 *  6   7  4 5   until 205
 *    8    4 9 10
 */
const FOREST = [
  ...[0, 1, 2, 3].map((index) => shard(index, [], 102)),
  shard(4),
  shard(5, [], 205),
  shard(6, [0, 1], 205),
  shard(7, [2, 3], 205),
  shard(8, [6, 7]),
  shard(9, [5]),
  shard(10, [5]),
];

const ENDED: LeaseCheckpoint = { at: "SHARD_END" };
const OPEN: LeaseCheckpoint = { index: 7, subSequenceNumber: 0 };

function leases(entries: Record<number, LeaseCheckpoint>) {
  return new Map(
    Object.entries(entries).map(([index, checkpoint]) => [Number(index), { checkpoint }]),
  );
}

const indexes = (list: readonly { shardIndex: number }[]): number[] =>
  list.map(({ shardIndex }) => shardIndex).sort((one, other) => one - other);

describe("the KCL's example: leases of the shards 4, 5 and 7 are there", () => {
  const known = leases({ 4: OPEN, 5: OPEN, 7: OPEN });

  it.each([
    [{ type: "LATEST" } as const, [6]],
    [{ type: "TRIM_HORIZON" } as const, [0, 1]],
    [{ type: "AT_TIMESTAMP", timestampMs: 200 } as const, [0, 1]],
  ])("%j", (position, expected) => {
    const { created, deleted } = changesOf(FOREST, known, position);
    expect(indexes(created)).toEqual(expected);
    expect(deleted).toEqual([]);
    expect(new Set(created.map(({ checkpoint }) => "at" in checkpoint && checkpoint.at))).toEqual(
      new Set([position.type]),
    );
  });
});

describe("a new group", () => {
  it.each([
    [{ type: "LATEST" } as const, [4, 8, 9, 10]],
    [{ type: "TRIM_HORIZON" } as const, [0, 1, 2, 3, 4, 5]],
    [{ type: "AT_TIMESTAMP", timestampMs: 50 } as const, [0, 1, 2, 3, 4, 5]],
    [{ type: "AT_TIMESTAMP", timestampMs: 150 } as const, [4, 5, 6, 7]],
    [{ type: "AT_TIMESTAMP", timestampMs: 300 } as const, [4, 8, 9, 10]],
  ])("begins at %j", (position, expected) => {
    const first = firstLeases(FOREST, position);
    expect(indexes(first)).toEqual(expected);
    const known = new Map(first.map(({ shardIndex, checkpoint }) => [shardIndex, { checkpoint }]));
    expect(changesOf(FOREST, known, position).created).toEqual([]);
  });

  it("begins with the shards whose parents retention has dropped", () => {
    const left = FOREST.filter(({ shardIndex }) => shardIndex > 3);
    expect(indexes(firstLeases(left, { type: "TRIM_HORIZON" }))).toEqual([4, 5, 6, 7]);
  });
});

describe("children", () => {
  const position = { type: "LATEST" } as const;

  it("get their leases when a parent is finished, and wait for the other one", () => {
    const known = leases({ 4: OPEN, 5: OPEN, 6: ENDED, 7: OPEN });
    expect(changesOf(FOREST, known, position).created).toEqual([
      { shardIndex: 8, checkpoint: { at: "TRIM_HORIZON" } },
    ]);
    const all = leases({ 4: OPEN, 5: OPEN, 6: ENDED, 7: OPEN, 8: { at: "TRIM_HORIZON" } });
    expect(new Waiting(FOREST, all).waits(8)).toBe(true);
    const finished = leases({ 4: OPEN, 5: OPEN, 6: ENDED, 7: ENDED, 8: { at: "TRIM_HORIZON" } });
    expect(new Waiting(FOREST, finished).waits(8)).toBe(false);
  });

  it("wait for a parent that is yet to get a lease itself", () => {
    // 0 -> 2, 3; then 1 + 3 -> 4.
    const shards = [
      shard(0, [], 10),
      shard(1, [], 20),
      shard(2, [0]),
      shard(3, [0], 20),
      shard(4, [1, 3]),
    ];
    const known = leases({ 0: OPEN, 1: ENDED });
    expect(indexes(changesOf(shards, known, { type: "TRIM_HORIZON" }).created)).toEqual([4]);
    const waiting = new Waiting(shards, leases({ 0: OPEN, 1: ENDED, 4: { at: "TRIM_HORIZON" } }));
    expect(waiting.waits(4)).toBe(true);
    expect(indexes(waiting.lacking())).toEqual([2, 3]);
  });

  it("get their leases when retention has dropped a parent that was not finished", () => {
    const left = FOREST.filter(({ shardIndex }) => shardIndex !== 5);
    const { created, deleted } = changesOf(left, leases({ 4: OPEN, 5: OPEN, 8: OPEN }), position);
    expect(indexes(created)).toEqual([9, 10]);
    expect(deleted).toEqual([5]);
    const waiting = new Waiting(left, leases({ 4: OPEN, 8: OPEN, 9: OPEN, 10: OPEN }));
    expect([9, 10].map((index) => waiting.waits(index))).toEqual([false, false]);
  });
});
