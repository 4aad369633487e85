import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidArgumentError, ResourceNotFoundError } from "../../src/errors/index.ts";
import type { ShardDefinition, StreamDefinition } from "../../src/log/control-records.ts";
import { decimalHashKey, hashKeyOf, RING, uniformRanges } from "../../src/streams/hash-ranges.ts";
import {
  childrenOf,
  isOpen,
  merge,
  openShardsOf,
  parentIndexesOf,
  type ReshardRecord,
  split,
} from "../../src/streams/lineage.ts";
import { planUniform } from "../../src/streams/uniform-scaling.ts";

const createdMs = Date.UTC(2026, 0, 1);

function streamOf(count: number): StreamDefinition {
  return {
    uid: 7,
    name: "clicks",
    createdMs,
    retentionHours: 24,
    recordKibMax: 1024,
    mode: "PROVISIONED",
    distribution: "USER_PARTITION_KEY",
    writeCapacity: null,
    durability: "strict",
    whenFull: "refuse-new",
    nextShardIndex: count,
    shards: uniformRanges(count).map((range, shardIndex) => ({
      uid: shardIndex + 1,
      shardIndex,
      createdSeconds: createdMs / 1000,
      ...range,
    })),
  };
}

/** What the control state makes of a reshard, written down a second time. */
function applied(stream: StreamDefinition, records: readonly ReshardRecord[]): StreamDefinition {
  let shards = stream.shards;
  for (const record of records) {
    expect(record.streamUid).toBe(stream.uid);
    for (const uid of record.closed) expect(shards.filter(isOpen).map((s) => s.uid)).toContain(uid);
    for (const { uid } of record.opened) expect(shards.map((s) => s.uid)).not.toContain(uid);
    shards = [
      ...shards.map((shard) =>
        record.closed.includes(shard.uid) ? { ...shard, closedMs: record.atMs } : shard,
      ),
      ...record.opened,
    ];
    checkRing(shards);
  }
  return { ...stream, shards, nextShardIndex: shards.length };
}

function checkRing(shards: readonly ShardDefinition[]): void {
  let next = 0n;
  const open = shards.filter(isOpen);
  open.sort((a, b) => (hashKeyOf(a.startingHashKey) < hashKeyOf(b.startingHashKey) ? -1 : 1));
  for (const shard of open) {
    expect(hashKeyOf(shard.startingHashKey)).toBe(next);
    next = hashKeyOf(shard.endingHashKey) + 1n;
  }
  expect(next).toBe(RING);
}

/** Children cover exactly what their parents covered, are numbered by hash key and are younger. */
function checkLineage(stream: StreamDefinition): void {
  expect(stream.shards.map(({ shardIndex }) => shardIndex)).toEqual(stream.shards.map((_, i) => i));
  for (const shard of stream.shards) {
    const parents = parentIndexesOf(shard).map((index) => stream.shards[index]);
    for (const parent of parents) {
      expect(parent && isOpen(parent)).toBe(false);
      expect(shard.createdSeconds).toBeGreaterThan(parent?.createdSeconds ?? Number.NaN);
      expect(shard.shardIndex).toBeGreaterThan(parent?.shardIndex ?? Number.NaN);
    }
    if (isOpen(shard)) continue;
    const children = childrenOf(stream, shard.shardIndex);
    if (children.length === 2) {
      expect(children.map((child) => parentIndexesOf(child))).toEqual([
        [shard.shardIndex],
        [shard.shardIndex],
      ]);
      const [lower, upper] = children;
      expect(lower?.startingHashKey).toBe(shard.startingHashKey);
      expect(upper?.endingHashKey).toBe(shard.endingHashKey);
      expect(hashKeyOf(lower?.endingHashKey ?? "0") + 1n).toBe(
        hashKeyOf(upper?.startingHashKey ?? "0"),
      );
    } else {
      expect(children).toHaveLength(1);
      const parentsOfChild = parentIndexesOf(children[0] ?? shard);
      expect(parentsOfChild).toHaveLength(2);
      const ranges = parentsOfChild.map((index) => stream.shards[index]);
      const widths = ranges.map((p) =>
        p === undefined ? 0n : hashKeyOf(p.endingHashKey) - hashKeyOf(p.startingHashKey) + 1n,
      );
      const [child] = children;
      expect(
        hashKeyOf(child?.endingHashKey ?? "0") - hashKeyOf(child?.startingHashKey ?? "0") + 1n,
      ).toBe(widths.reduce((sum, width) => sum + width, 0n));
    }
  }
}

function momentOf(stream: StreamDefinition, nowMs = createdMs) {
  return { nextShardUid: Math.max(...stream.shards.map(({ uid }) => uid)) + 1, nowMs };
}

describe("splitting a shard", () => {
  it("gives two children, lower hash keys first, younger than the parent", () => {
    const stream = streamOf(2);
    const [record] = split(stream, 1, hashKeyOf("c".padEnd(32, "0")), momentOf(stream));
    expect(record?.closed).toEqual([2]);
    expect(record?.opened).toEqual([
      {
        uid: 3,
        shardIndex: 2,
        startingHashKey: "8".padEnd(32, "0"),
        endingHashKey: "b".padEnd(32, "f"),
        createdSeconds: createdMs / 1000 + 1,
        parentShardIndex: 1,
      },
      {
        uid: 4,
        shardIndex: 3,
        startingHashKey: "c".padEnd(32, "0"),
        endingHashKey: "f".repeat(32),
        createdSeconds: createdMs / 1000 + 1,
        parentShardIndex: 1,
      },
    ]);
  });

  it("takes hash keys beyond the second one and before the last one only", () => {
    const stream = streamOf(2);
    const first = 1n << 127n;
    const at = (hashKey: bigint) => () => split(stream, 1, hashKey, momentOf(stream));
    expect(at(first)).toThrow(InvalidArgumentError);
    expect(at(first + 1n)).toThrow(InvalidArgumentError);
    expect(at(first + 2n)).not.toThrow();
    expect(at(RING - 2n)).not.toThrow();
    expect(at(RING - 1n)).toThrow(
      `NewStartingHashKey ${RING - 1n} used in SplitShard() on shard shardId-000000000001 in stream ` +
        "clicks under account 000000000000 is not both greater than one plus the shard's " +
        `StartingHashKey ${first} and less than the shard's EndingHashKey ${RING - 1n}.`,
    );
    expect(at(1000n)).toThrow(InvalidArgumentError);
  });

  it("is refused for a shard that is closed or unknown", () => {
    const stream = streamOf(1);
    const after = applied(stream, split(stream, 0, 1n << 127n, momentOf(stream)));
    expect(() => split(after, 0, 1n << 126n, momentOf(after))).toThrow(InvalidArgumentError);
    expect(() => split(after, 0, 1n << 126n, momentOf(after))).toThrow(
      "Shard shardId-000000000000 in stream clicks under account 000000000000 has already been " +
        "merged or split, and thus is not eligible for merging or splitting.",
    );
    expect(() => split(after, 9, 1n << 126n, momentOf(after))).toThrow(ResourceNotFoundError);
  });
});

describe("merging shards", () => {
  it("gives one child of both, the one named first being the parent", () => {
    const stream = streamOf(3);
    const [record] = merge(stream, 1, 0, momentOf(stream, createdMs + 60_000));
    expect(record?.opened).toEqual([
      {
        uid: 4,
        shardIndex: 3,
        startingHashKey: "0".repeat(32),
        endingHashKey: stream.shards[1]?.endingHashKey,
        createdSeconds: createdMs / 1000 + 60,
        parentShardIndex: 1,
        adjacentParentShardIndex: 0,
      },
    ]);
  });

  it("is refused for shards that do not lie side by side, and for one shard twice", () => {
    const stream = streamOf(3);
    const text = "are not an adjacent pair of shards eligible for merging";
    expect(() => merge(stream, 0, 2, momentOf(stream))).toThrow(text);
    expect(() => merge(stream, 0, 0, momentOf(stream))).toThrow(InvalidArgumentError);
    expect(() => merge(stream, 0, 5, momentOf(stream))).toThrow(ResourceNotFoundError);
  });
});

describe("uniform scaling", () => {
  it.each([
    [2, 4, 6],
    [4, 5, 15],
    [10, 13, 37],
    [4, 2, 6],
    [5, 3, 7],
    [10, 3, 17],
  ])("from %i to %i shards ends with %i, closed ones included", (initial, target, total) => {
    const stream = streamOf(initial);
    const after = applied(stream, planUniform(stream, target, momentOf(stream)));
    checkLineage(after);
    expect(after.shards).toHaveLength(total);
    expect(openShardsOf(after)).toHaveLength(target);
  });

  it.each([
    [1, 2],
    [2, 4],
    [4, 5],
    [4, 6],
    [4, 16],
    [10, 11],
    [12, 6],
    [100, 50],
  ])("from %i to %i shards gives ranges of equal size", (initial, target) => {
    const stream = streamOf(initial);
    const after = applied(stream, planUniform(stream, target, momentOf(stream)));
    const widths = openShardsOf(after).map(
      ({ startingHashKey, endingHashKey }) => hashKeyOf(endingHashKey) - hashKeyOf(startingHashKey),
    );
    const even = RING / BigInt(target);
    for (const width of widths) {
      expect(width - even).toBeLessThan(BigInt(initial + target));
      expect(even - width).toBeLessThan(BigInt(initial + target));
    }
  });

  it("is nothing at the number of shards that there are", () => {
    const stream = streamOf(5);
    expect(planUniform(stream, 5, momentOf(stream))).toEqual([]);
  });

  it("of 250 shards to 500 splits each of them once", () => {
    const stream = streamOf(250);
    const after = planUniform(stream, 500, momentOf(stream));
    expect(after.flatMap(({ opened }) => opened)).toHaveLength(500);
  });

  it("takes a stream of hash key slivers to any number of shards", () => {
    let stream = streamOf(1);
    for (let i = 0; i < 6; i++) {
      const [lowest] = openShardsOf(stream);
      if (lowest === undefined) throw new Error("no shard is open");
      const at = 3n + 2n * BigInt(6 - i);
      stream = applied(stream, split(stream, lowest.shardIndex, at, momentOf(stream)));
    }
    const after = applied(stream, planUniform(stream, 14, momentOf(stream)));
    checkLineage(after);
    expect(openShardsOf(after)).toHaveLength(14);
  });
});

describe("any sequence of reshards", () => {
  const command = fc.record({
    kind: fc.constantFrom("split" as const, "merge" as const, "scale" as const),
    shard: fc.nat(50),
    where: fc.bigInt({ min: 0n, max: RING }),
    target: fc.integer({ min: 1, max: 12 }),
    passedMs: fc.integer({ min: 0, max: 5000 }),
  });

  it("leaves the ring covered exactly once, and every child with its parents", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(command, { maxLength: 12 }),
        (initial, commands) => {
          let stream = streamOf(initial);
          let nowMs = createdMs;
          for (const { kind, shard, where, target, passedMs } of commands) {
            nowMs += passedMs;
            const open = openShardsOf(stream);
            const at = shard % open.length;
            const [one, other] = [open[at], open[at + 1]];
            if (one === undefined) throw new Error("no shard is open");
            const moment = momentOf(stream, nowMs);
            const width = hashKeyOf(one.endingHashKey) - hashKeyOf(one.startingHashKey);
            if (kind === "scale") {
              stream = applied(stream, planUniform(stream, target, moment));
              expect(openShardsOf(stream)).toHaveLength(target);
            } else if (kind === "merge" && other !== undefined) {
              const [a, b] = where % 2n === 0n ? [one, other] : [other, one];
              stream = applied(stream, merge(stream, a.shardIndex, b.shardIndex, moment));
            } else if (kind === "split" && width > 4n) {
              const hashKey = hashKeyOf(one.startingHashKey) + 2n + (where % (width - 2n));
              stream = applied(stream, split(stream, one.shardIndex, hashKey, moment));
            }
          }
          checkLineage(stream);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("writes hash keys as AWS does: in decimal", () => {
    expect(decimalHashKey("f".repeat(32))).toBe("340282366920938463463374607431768211455");
  });
});
