/** The history of shards laid out over time. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LineageShard, lineageOf } from "../src/streams/lineage.ts";

const HASH_KEYS = 1n << 128n;

function shard(
  shardIndex: number,
  from: bigint,
  to: bigint,
  more: Partial<LineageShard>,
): LineageShard {
  return {
    shardIndex,
    shardId: `shardId-${String(shardIndex).padStart(12, "0")}`,
    startingHashKey: from.toString(),
    endingHashKey: to.toString(),
    createdSeconds: 100,
    ...more,
  };
}

const half = HASH_KEYS / 2n;
const whole = HASH_KEYS - 1n;

/** Created at 100 s, split at 200 s, merged again at 300 s. */
const story = [
  shard(0, 0n, whole, { closedMs: 200_000 }),
  shard(1, 0n, half - 1n, { createdSeconds: 201, closedMs: 300_000, parentShardIndex: 0 }),
  shard(2, half, whole, { createdSeconds: 201, closedMs: 300_000, parentShardIndex: 0 }),
  shard(3, 0n, whole, { createdSeconds: 301, parentShardIndex: 1, adjacentParentShardIndex: 2 }),
];

describe("the lineage", () => {
  it("lays shards out by hash keys and draws every edge from a parent's end to its child's start", () => {
    const { lanes, edges } = lineageOf(story, 400_000);
    expect(lanes.map(({ shard: { shardIndex } }) => shardIndex)).toEqual([0, 1, 3, 2]);
    expect(lanes.map(({ origin }) => origin)).toEqual(["created", "split", "merge", "split"]);
    expect(edges).toHaveLength(4);
    for (const { fromPlace, toPlace } of edges) expect(fromPlace).toBeCloseTo(toPlace);
  });

  it("places moments by time", () => {
    const { lanes, ticks } = lineageOf(story, 400_000);
    const byIndex = new Map(lanes.map((lane) => [lane.shard.shardIndex, lane]));
    expect(byIndex.get(0)).toMatchObject({ start: 0, end: 1 / 3 });
    expect(byIndex.get(3)).toMatchObject({ start: 2 / 3, end: 1, endMs: undefined });
    expect(ticks[0]).toEqual({ atMs: 100_000, place: 0 });
    expect(ticks.at(-1)).toEqual({ atMs: 400_000, place: 1 });
  });

  it("gives events the same room where asked, however much later the last one is", () => {
    const { lanes } = lineageOf(story, 1e12, "events");
    expect(lanes.find(({ shard: { shardIndex } }) => shardIndex === 1)).toMatchObject({
      start: 1 / 3,
      end: 2 / 3,
    });
  });

  it("stands when parents were dropped and when children's seconds are ahead of the clock", () => {
    const { lanes, edges } = lineageOf(
      [shard(7, 0n, whole, { createdSeconds: 900, parentShardIndex: 3 })],
      800_000,
    );
    expect(edges).toEqual([]);
    expect(lanes[0]).toMatchObject({ origin: "split", parents: [3], startMs: 800_000, end: 1 });
  });

  it("keeps every lane inside the picture", () => {
    const times = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        times,
        fc.constantFrom("time" as const, "events" as const),
        (seconds, spacing) => {
          const shards = seconds.map((createdSeconds, i) =>
            shard(i, BigInt(i), BigInt(i), {
              createdSeconds,
              ...(i % 2 === 0 ? {} : { closedMs: (createdSeconds + 5) * 1000 }),
            }),
          );
          for (const { start, end } of lineageOf(shards, 10_000_000, spacing).lanes) {
            expect(start).toBeGreaterThanOrEqual(0);
            expect(end).toBeLessThanOrEqual(1);
            expect(start).toBeLessThanOrEqual(end);
          }
        },
      ),
    );
  });
});
