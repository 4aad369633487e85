import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { framePrincipal } from "../../../src/access/principals.ts";
import { formatPageToken } from "../../../src/model/page-token.ts";
import type { InputOf, StructureOf } from "../../../src/model/shapes.ts";
import { shardOperations } from "../../../src/service/operations/shards.ts";
import { streamOperations } from "../../../src/service/operations/streams.ts";
import { RING } from "../../../src/streams/hash-ranges.ts";
import { openShardsOf } from "../../../src/streams/lineage.ts";
import { failureOf } from "../../support/failures.ts";
import { type ContextOptions, openContext, type TestContext } from "../../support/operations.ts";

const table = { ...streamOperations, ...shardOperations };
const HOUR_MS = 3_600_000;
const StreamName = "clicks";
const middle = String(RING / 2n);

async function open(ShardCount: number, options: ContextOptions = {}): Promise<TestContext> {
  const test = await openContext(options);
  await test.invoke(table, "CreateStream", { StreamName, ShardCount });
  await test.advance(test.context.options.transitionMs ?? 0);
  return test;
}

/** Lets hours pass at one blow, without a sweep every minute. */
function pass(test: TestContext, byMs: number): void {
  test.platform.clock.advanceBy(byMs);
}

function split(test: TestContext, ShardToSplit: string, NewStartingHashKey: string) {
  return test.invoke(table, "SplitShard", { StreamName, ShardToSplit, NewStartingHashKey });
}

function merge(test: TestContext, ShardToMerge: string, AdjacentShardToMerge: string) {
  return test.invoke(table, "MergeShards", { StreamName, ShardToMerge, AdjacentShardToMerge });
}

function scale(test: TestContext, TargetShardCount: number) {
  const input = { StreamName, TargetShardCount, ScalingType: "UNIFORM_SCALING" } as const;
  return test.invoke(table, "UpdateShardCount", input);
}

async function list(
  test: TestContext,
  input: Omit<InputOf<"ListShards">, "StreamName"> = {},
): Promise<readonly StructureOf<"Shard">[]> {
  return (await test.invoke(table, "ListShards", { StreamName, ...input })).Shards ?? [];
}

function ids(shards: readonly StructureOf<"Shard">[]): number[] {
  return shards.map(({ ShardId }) => Number(ShardId.slice(-12)));
}

async function statusOf(test: TestContext): Promise<string> {
  const output = await test.invoke(table, "DescribeStreamSummary", { StreamName });
  return output.StreamDescriptionSummary.StreamStatus;
}

describe("SplitShard and MergeShards", () => {
  it("close the parents and open children that name them", async () => {
    const test = await open(1);
    await test.advance(5000);
    await split(test, "shardId-000000000000", middle);
    await test.advance(2000);
    await merge(test, "shardId-000000000002", "shardId-000000000001");
    const [root, lower, upper, merged] = await list(test);
    expect(root?.SequenceNumberRange.EndingSequenceNumber).toMatch(/^\d{56}$/);
    expect(lower).toMatchObject({
      ShardId: "shardId-000000000001",
      ParentShardId: "shardId-000000000000",
      HashKeyRange: { StartingHashKey: "0", EndingHashKey: String(RING / 2n - 1n) },
    });
    expect(upper).toMatchObject({
      ShardId: "shardId-000000000002",
      ParentShardId: "shardId-000000000000",
      HashKeyRange: { StartingHashKey: middle, EndingHashKey: String(RING - 1n) },
    });
    expect(merged).toMatchObject({
      ShardId: "shardId-000000000003",
      ParentShardId: "shardId-000000000002",
      AdjacentParentShardId: "shardId-000000000001",
      HashKeyRange: { StartingHashKey: "0", EndingHashKey: String(RING - 1n) },
    });
    expect(merged?.SequenceNumberRange.EndingSequenceNumber).toBeUndefined();
    const starts = [root, lower, merged].map((s) =>
      BigInt(s?.SequenceNumberRange.StartingSequenceNumber ?? 0),
    );
    const ends = [root, lower].map((s) => BigInt(s?.SequenceNumberRange.EndingSequenceNumber ?? 0));
    expect(starts[1]).toBeGreaterThan(ends[0] ?? 0n);
    expect(starts[2]).toBeGreaterThan(ends[1] ?? 0n);
    await test.close();
  });

  it("take records on with the children, and leave the parents' where they are", async () => {
    const test = await open(1);
    const { catalogue } = test.context;
    const record = (key: string) => ({
      key,
      data: new Uint8Array([1]),
      explicitHashKey: RING - 1n,
    });
    const [before] = await test.put(catalogue.get(StreamName), [record("a")]);
    expect(before?.shardIndex).toBe(0);
    await split(test, "shardId-000000000000", middle);
    const [after] = await test.put(catalogue.get(StreamName), [record("b")]);
    expect(after?.shardIndex).toBe(2);
    const parent = await test.read(catalogue.get(StreamName), 0, 0);
    const child = await test.read(catalogue.get(StreamName), 2, 0);
    expect(parent.records.map(({ key }) => key)).toEqual(["a"]);
    expect(child.records.map(({ key }) => key)).toEqual(["b"]);
    await test.close();
  });

  it("say what is wrong as AWS does", async () => {
    const test = await open(3);
    const unknown = await failureOf(split(test, "shardId-000000000009", middle));
    expect(unknown.code).toBe("ResourceNotFoundException");
    expect(unknown.message).toBe(
      "Could not find shard shardId-000000000009 in stream clicks under account 000000000000.",
    );
    const noId = await failureOf(split(test, "nonsense", middle));
    expect(noId.code).toBe("ResourceNotFoundException");
    const outside = await failureOf(split(test, "shardId-000000000000", middle));
    expect(outside.code).toBe("InvalidArgumentException");
    const apart = await failureOf(merge(test, "shardId-000000000000", "shardId-000000000002"));
    expect(apart.code).toBe("InvalidArgumentException");
    await merge(test, "shardId-000000000000", "shardId-000000000001");
    const closed = await failureOf(merge(test, "shardId-000000000000", "shardId-000000000002"));
    expect(closed.code).toBe("InvalidArgumentException");
    expect(closed.message).toBe(
      "Shard shardId-000000000000 in stream clicks under account 000000000000 has already been merged " +
        "or split, and thus is not eligible for merging or splitting.",
    );
    const denied = await failureOf(
      test.invoke(
        table,
        "SplitShard",
        { StreamName, ShardToSplit: "shardId-000000000002", NewStartingHashKey: middle },
        framePrincipal("https://shop.example"),
      ),
    );
    expect(denied.code).toBe("AccessDeniedException");
    expect(ids(await list(test))).toEqual([0, 1, 2, 3]);
    await test.close();
  });

  it("are refused while the stream is not ACTIVE, and for on-demand streams", async () => {
    const test = await open(2, { transitionMs: 1000 });
    await split(test, "shardId-000000000000", String(RING / 4n));
    expect(await statusOf(test)).toBe("UPDATING");
    const busy = await failureOf(split(test, "shardId-000000000001", String((RING / 4n) * 3n)));
    expect(busy.code).toBe("ResourceInUseException");
    expect(busy.message).toBe(
      "Stream clicks under account 000000000000 not ACTIVE, instead in state UPDATING",
    );
    await test.advance(1000);
    expect(await statusOf(test)).toBe("ACTIVE");
    await split(test, "shardId-000000000001", String((RING / 4n) * 3n));
    await test.invoke(table, "CreateStream", {
      StreamName: "auto",
      StreamModeDetails: { StreamMode: "ON_DEMAND" },
    });
    await test.advance(1000);
    const onDemand = await failureOf(
      test.invoke(table, "UpdateShardCount", {
        StreamName: "auto",
        TargetShardCount: 8,
        ScalingType: "UNIFORM_SCALING",
      }),
    );
    expect(onDemand.code).toBe("ValidationException");
    expect(onDemand.message).toBe(
      "Request is invalid. Stream auto under account 000000000000 is in On-Demand mode.",
    );
    await test.close();
  });

  it("are refused at 500 open shards", async () => {
    const test = await open(500);
    const failure = await failureOf(split(test, "shardId-000000000000", "1000"));
    expect(failure.code).toBe("LimitExceededException");
    await merge(test, "shardId-000000000000", "shardId-000000000001");
    await split(test, "shardId-000000000500", "1000");
    await test.close();
  });
});

describe("UpdateShardCount", () => {
  it("scales up and down, and says from where to where", async () => {
    const test = await open(4);
    expect(await scale(test, 5)).toEqual({
      StreamName,
      CurrentShardCount: 4,
      TargetShardCount: 5,
      StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
    });
    expect(await list(test)).toHaveLength(15);
    expect(openShardsOf(test.context.catalogue.get(StreamName))).toHaveLength(5);
    await test.close();
  });

  it("scales to double and to half, and no further", async () => {
    const test = await open(5);
    for (const target of [11, 2]) {
      const failure = await failureOf(scale(test, target));
      expect(failure.code).toBe("LimitExceededException");
      expect(failure.message).toContain(
        `Current open shard count: 5 Target shard count: ${target}`,
      );
    }
    await scale(test, 10);
    await scale(test, 5);
    await scale(test, 3);
    await test.close();
  });

  it("works ten times in a rolling day; the count that there is does not count", async () => {
    const test = await open(2);
    for (let i = 0; i < 10; i++) {
      await scale(test, i % 2 === 0 ? 4 : 2);
      pass(test, HOUR_MS);
    }
    expect(await scale(test, 2)).toMatchObject({ CurrentShardCount: 2, TargetShardCount: 2 });
    const failure = await failureOf(scale(test, 4));
    expect(failure.code).toBe("LimitExceededException");
    expect(failure.retryAfterMs).toBe(14 * HOUR_MS);
    pass(test, 14 * HOUR_MS);
    await scale(test, 4);
    expect((await failureOf(scale(test, 2))).code).toBe("LimitExceededException");
    test.platform.clock.jumpWall(-100 * HOUR_MS);
    await scale(test, 2);
    await test.close();
  });
});

describe("ListShards", () => {
  it.each(["null", "5", "{", '{"kind":"some"}', '{"kind":"at"}'])(
    "refuses a made-up token with the filter %s",
    async (filter) => {
      const test = await open(2);
      const { uid: streamUid } = test.context.catalogue.get(StreamName);
      const place = { streamUid, position: "0", issuedMs: test.platform.clock.nowMs() };
      const NextToken = formatPageToken({ operation: "ListShards", ...place, filter });
      const failure = await failureOf(test.invoke(table, "ListShards", { NextToken }));
      expect(failure).toMatchObject({ code: "InvalidArgumentException", argument: "NextToken" });
      await test.close();
    },
  );

  it("goes through all shards in pages", async () => {
    const test = await open(5);
    const first = await test.invoke(table, "ListShards", { StreamName, MaxResults: 2 });
    expect(ids(first.Shards ?? [])).toEqual([0, 1]);
    const second = await test.invoke(table, "ListShards", {
      MaxResults: 2,
      NextToken: first.NextToken,
    });
    expect(ids(second.Shards ?? [])).toEqual([2, 3]);
    const last = await test.invoke(table, "ListShards", { NextToken: second.NextToken });
    expect(ids(last.Shards ?? [])).toEqual([4]);
    expect(last.NextToken).toBeUndefined();
    expect(ids(await list(test, { ExclusiveStartShardId: "shardId-000000000002" }))).toEqual([
      3, 4,
    ]);
    await test.close();
  });

  it("takes a token alone, for 300 seconds", async () => {
    const test = await open(2);
    const { NextToken } = await test.invoke(table, "ListShards", { StreamName, MaxResults: 1 });
    const together = [
      { StreamName },
      { StreamCreationTimestamp: new Date() },
      { ExclusiveStartShardId: "shardId-000000000000" },
      { ShardFilter: { Type: "AT_LATEST" as const } },
    ];
    for (const other of together) {
      const failure = await failureOf(test.invoke(table, "ListShards", { NextToken, ...other }));
      expect(failure.code).toBe("InvalidArgumentException");
    }
    const neither = await failureOf(test.invoke(table, "ListShards", {}));
    expect(neither.code).toBe("InvalidArgumentException");
    const broken = await failureOf(test.invoke(table, "ListShards", { NextToken: "AAAA" }));
    expect(broken.code).toBe("InvalidArgumentException");
    await test.advance(300_000);
    expect(ids((await test.invoke(table, "ListShards", { NextToken })).Shards ?? [])).toEqual([1]);
    await test.advance(1);
    const expired = await failureOf(test.invoke(table, "ListShards", { NextToken }));
    expect(expired.code).toBe("ExpiredNextTokenException");
    await test.close();
  });

  it("tells a stream from a namesake by its creation", async () => {
    const test = await open(1);
    const created = new Date(test.context.catalogue.get(StreamName).createdMs);
    expect(await list(test, { StreamCreationTimestamp: created })).toHaveLength(1);
    await test.advance(5000);
    await test.invoke(table, "DeleteStream", { StreamName });
    await test.invoke(table, "CreateStream", { StreamName, ShardCount: 1 });
    const failure = await failureOf(list(test, { StreamCreationTimestamp: created }));
    expect(failure.code).toBe("ResourceNotFoundException");
    await test.close();
  });

  it("filters by every type", async () => {
    const test = await open(2);
    const { clock } = test.platform;
    const beginning = new Date(clock.nowMs());
    pass(test, HOUR_MS);
    const beforeSplit = new Date(clock.nowMs());
    await test.advance(1);
    await split(test, "shardId-000000000000", String(RING / 4n));
    const atSplit = new Date(clock.nowMs());
    pass(test, HOUR_MS);
    await merge(test, "shardId-000000000003", "shardId-000000000001");
    const atMerge = new Date(clock.nowMs());
    await test.advance(10_000);
    const of = async (ShardFilter: StructureOf<"ShardFilter">) =>
      ids(await list(test, { ShardFilter }));
    expect(await of({ Type: "AT_TRIM_HORIZON" })).toEqual([0, 1]);
    expect(await of({ Type: "FROM_TRIM_HORIZON" })).toEqual([0, 1, 2, 3, 4]);
    expect(await of({ Type: "AT_LATEST" })).toEqual([2, 4]);
    expect(await of({ Type: "AFTER_SHARD_ID", ShardId: "shardId-000000000002" })).toEqual([3, 4]);
    expect(await of({ Type: "AT_TIMESTAMP", Timestamp: new Date(0) })).toEqual([0, 1]);
    expect(await of({ Type: "AT_TIMESTAMP", Timestamp: beginning })).toEqual([0, 1]);
    expect(await of({ Type: "AT_TIMESTAMP", Timestamp: beforeSplit })).toEqual([0, 1]);
    expect(await of({ Type: "AT_TIMESTAMP", Timestamp: atSplit })).toEqual([1, 2, 3]);
    expect(await of({ Type: "AT_TIMESTAMP", Timestamp: atMerge })).toEqual([2, 4]);
    expect(await of({ Type: "FROM_TIMESTAMP", Timestamp: beginning })).toEqual([0, 1, 2, 3, 4]);
    expect(await of({ Type: "FROM_TIMESTAMP", Timestamp: atMerge })).toEqual([1, 2, 3, 4]);
    expect(await of({ Type: "FROM_TIMESTAMP", Timestamp: new Date(clock.nowMs()) })).toEqual([
      2, 4,
    ]);
    pass(test, 23 * HOUR_MS);
    expect(await of({ Type: "AT_TRIM_HORIZON" })).toEqual([1, 2, 3]);
    await test.close();
  });

  it("refuses filters with a member too many or too few, and times to come", async () => {
    const test = await open(1);
    const soon = new Date(test.platform.clock.nowMs() + 1);
    const filters: StructureOf<"ShardFilter">[] = [
      { Type: "AFTER_SHARD_ID" },
      { Type: "AT_TIMESTAMP" },
      { Type: "FROM_TIMESTAMP" },
      { Type: "AT_LATEST", ShardId: "shardId-000000000000" },
      { Type: "AT_TRIM_HORIZON", Timestamp: new Date(0) },
      { Type: "AFTER_SHARD_ID", ShardId: "nonsense" },
      { Type: "AT_TIMESTAMP", Timestamp: soon },
    ];
    for (const ShardFilter of filters) {
      const failure = await failureOf(list(test, { ShardFilter }));
      expect(failure.code).toBe("InvalidArgumentException");
    }
    await test.close();
  });

  it("is refused while the stream is CREATING", async () => {
    const test = await openContext({ transitionMs: 1000 });
    await test.invoke(table, "CreateStream", { StreamName, ShardCount: 1 });
    expect((await failureOf(list(test))).code).toBe("ResourceInUseException");
    await test.advance(1000);
    expect(await list(test)).toHaveLength(1);
    await test.close();
  });

  it("shows shards that cover the ring exactly once at any time since the trim horizon", async () => {
    const step = fc.record({
      passedMs: fc.integer({ min: 0, max: 50_000 }),
      target: fc.integer({ min: 1, max: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 6 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }),
        async (steps, places) => {
          const test = await open(2);
          const createdMs = test.platform.clock.nowMs();
          for (const { passedMs, target } of steps) {
            await test.advance(passedMs);
            const open = openShardsOf(test.context.catalogue.get(StreamName)).length;
            await scale(test, Math.min(open * 2, Math.max(Math.ceil(open / 2), target)));
          }
          const nowMs = test.platform.clock.nowMs();
          for (const place of places) {
            const Timestamp = new Date(createdMs + place * (nowMs - createdMs));
            const shards = await list(test, { ShardFilter: { Type: "AT_TIMESTAMP", Timestamp } });
            checkRing(shards);
          }
          checkRing(await list(test, { ShardFilter: { Type: "AT_TRIM_HORIZON" } }));
          checkRing(await list(test, { ShardFilter: { Type: "AT_LATEST" } }));
          await test.close();
        },
      ),
      { numRuns: 40 },
    );
  });
});

function checkRing(shards: readonly StructureOf<"Shard">[]): void {
  const ranges = shards
    .map(({ HashKeyRange: range }) => [BigInt(range.StartingHashKey), BigInt(range.EndingHashKey)])
    .sort(([left = 0n], [right = 0n]) => (left < right ? -1 : 1));
  let next = 0n;
  for (const [start, end = 0n] of ranges) {
    expect(start).toBe(next);
    next = end + 1n;
  }
  expect(next).toBe(RING);
}
