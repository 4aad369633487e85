/** Cases of the operations on shards. */
import { assert } from "vitest";
import {
  CONTROL_RATES,
  createOnDemand,
  createStream,
  denyOther,
  fails,
  SLOW_TRANSITIONS,
  STREAM,
  STREAM_ARN,
  succeeds,
  untilRefused,
  type World,
} from "../world.ts";

const SHARD = "shardId-000000000000";
const HALF = (2n ** 127n).toString();

function split(world: World, ShardToSplit = SHARD, NewStartingHashKey = HALF): Promise<unknown> {
  return world.call("SplitShard", { StreamName: STREAM, ShardToSplit, NewStartingHashKey });
}

function merge(world: World, ShardToMerge: string, AdjacentShardToMerge: string): Promise<unknown> {
  return world.call("MergeShards", { StreamName: STREAM, ShardToMerge, AdjacentShardToMerge });
}

function scale(world: World, TargetShardCount: number): Promise<unknown> {
  return world.call("UpdateShardCount", {
    StreamName: STREAM,
    TargetShardCount,
    ScalingType: "UNIFORM_SCALING",
  });
}

async function shardIds(world: World, filter?: object): Promise<string[]> {
  const input = { StreamName: STREAM, ...(filter === undefined ? {} : { ShardFilter: filter }) };
  const { Shards } = (await world.callRaw("ListShards", input)) as {
    Shards: { ShardId: string }[];
  };
  return Shards.map(({ ShardId }) => ShardId.slice(-1));
}

async function openShards(world: World) {
  const { Shards = [] } = await world.call("ListShards", { StreamName: STREAM });
  return Shards.filter(({ SequenceNumberRange: range }) => !range.EndingSequenceNumber);
}

succeeds("ListShards", "lineage, ranges of hash keys and of sequence numbers", async (world) => {
  await createStream(world, 2);
  await split(world, SHARD, "1000");
  await merge(world, "shardId-000000000003", "shardId-000000000001");
  const { Shards, NextToken } = await world.call("ListShards", { StreamName: STREAM });
  assert.isUndefined(NextToken);
  const [parent, , lower, , merged] = Shards ?? [];
  assert.isString(parent?.SequenceNumberRange.EndingSequenceNumber);
  assert.isUndefined(lower?.SequenceNumberRange.EndingSequenceNumber);
  assert.deepEqual(lower?.HashKeyRange, { StartingHashKey: "0", EndingHashKey: "999" });
  assert.equal(lower?.ParentShardId, SHARD);
  assert.equal(merged?.ParentShardId, "shardId-000000000003");
  assert.equal(merged?.AdjacentParentShardId, "shardId-000000000001");
  assert.equal(merged?.HashKeyRange.EndingHashKey, (2n ** 128n - 1n).toString());
});
succeeds("ListShards", "of a stream by its ARN", async (world) => {
  await createStream(world, 2);
  const { Shards } = await world.call("ListShards", { StreamARN: STREAM_ARN });
  assert.equal(Shards?.length, 2);
});
succeeds("ListShards", "those behind a shard", async (world) => {
  await createStream(world, 3);
  const { Shards } = await world.call("ListShards", {
    StreamName: STREAM,
    ExclusiveStartShardId: "shardId-000000000001",
  });
  assert.deepEqual(
    Shards?.map(({ ShardId }) => ShardId.slice(-1)),
    ["2"],
  );
});
succeeds("ListShards", "page by page", async (world) => {
  await createStream(world, 3);
  const first = await world.call("ListShards", { StreamName: STREAM, MaxResults: 2 });
  assert.deepEqual(
    first.Shards?.map(({ ShardId }) => ShardId.slice(-1)),
    ["0", "1"],
  );
  const second = await world.call("ListShards", { NextToken: first.NextToken });
  assert.deepEqual(
    second.Shards?.map(({ ShardId }) => ShardId.slice(-1)),
    ["2"],
  );
});
succeeds("ListShards", "every filter", async (world) => {
  await createStream(world, 1);
  const beforeMs = (await world.now()) + 5_000;
  await world.advance(10_000);
  await split(world);
  await world.advance(10_000);
  const before = new Date(beforeMs);
  assert.deepEqual(await shardIds(world, { Type: "AT_LATEST" }), ["1", "2"]);
  assert.deepEqual(await shardIds(world, { Type: "AT_TRIM_HORIZON" }), ["0"]);
  assert.deepEqual(await shardIds(world, { Type: "FROM_TRIM_HORIZON" }), ["0", "1", "2"]);
  assert.deepEqual(await shardIds(world, { Type: "AT_TIMESTAMP", Timestamp: before }), ["0"]);
  assert.deepEqual(await shardIds(world, { Type: "FROM_TIMESTAMP", Timestamp: before }), [
    "0",
    "1",
    "2",
  ]);
  assert.deepEqual(
    await shardIds(world, { Type: "AFTER_SHARD_ID", ShardId: "shardId-000000000001" }),
    ["2"],
  );
});
fails("ListShards", "ResourceNotFoundException", "no such stream", (world) =>
  world.call("ListShards", { StreamName: "missing" }),
);
fails("ListShards", "InvalidArgumentException", "a token and a name", async (world) => {
  await createStream(world, 2);
  const { NextToken } = await world.call("ListShards", { StreamName: STREAM, MaxResults: 1 });
  await world.call("ListShards", { StreamName: STREAM, NextToken });
});
fails("ListShards", "InvalidArgumentException", "AFTER_SHARD_ID without a shard", async (world) => {
  await createStream(world);
  await world.call("ListShards", { StreamName: STREAM, ShardFilter: { Type: "AFTER_SHARD_ID" } });
});
fails("ListShards", "ExpiredNextTokenException", "a token of five minutes ago", async (world) => {
  await createStream(world, 2);
  const { NextToken } = await world.call("ListShards", { StreamName: STREAM, MaxResults: 1 });
  await world.advance(301_000);
  await world.call("ListShards", { NextToken });
});
fails(
  "ListShards",
  "LimitExceededException",
  "over 1,000 calls a second",
  async (world) => {
    await createStream(world);
    await untilRefused(() => world.call("ListShards", { StreamName: STREAM }), 1100);
  },
  CONTROL_RATES,
);
fails("ListShards", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "ListShards");
  await world.other.call("ListShards", { StreamName: STREAM });
});

succeeds("SplitShard", "two children take over the parent's hash keys", async (world) => {
  await createStream(world);
  await split(world);
  assert.deepEqual(
    (await openShards(world)).map(({ HashKeyRange }) => HashKeyRange.StartingHashKey),
    ["0", HALF],
  );
});
fails("SplitShard", "ResourceNotFoundException", "no such shard", async (world) => {
  await createStream(world);
  await split(world, "shardId-000000000009");
});
fails(
  "SplitShard",
  "ResourceInUseException",
  "the stream is being updated",
  async (world) => {
    await createStream(world);
    await world.advance(1001);
    await split(world);
    await split(world, "shardId-000000000001", "1000");
  },
  SLOW_TRANSITIONS,
);
fails("SplitShard", "InvalidArgumentException", "a hash key out of the range", async (world) => {
  await createStream(world, 2);
  await split(world, SHARD, (2n ** 128n - 2n).toString());
});
fails("SplitShard", "InvalidArgumentException", "a shard that was split already", async (world) => {
  await createStream(world);
  await split(world);
  await split(world);
});
fails("SplitShard", "LimitExceededException", "over 500 open shards", async (world) => {
  await createStream(world, 500);
  await split(world, SHARD, "1000");
});
fails(
  "SplitShard",
  "ValidationException",
  "on-demand streams scale by themselves",
  async (world) => {
    await createOnDemand(world);
    await split(world, SHARD, "1000");
  },
);
fails("SplitShard", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "SplitShard");
  await split(world.other);
});

succeeds("MergeShards", "one child takes over both parents' hash keys", async (world) => {
  await createStream(world, 2);
  await merge(world, SHARD, "shardId-000000000001");
  assert.deepEqual(
    (await openShards(world)).map(({ HashKeyRange }) => HashKeyRange),
    [{ StartingHashKey: "0", EndingHashKey: (2n ** 128n - 1n).toString() }],
  );
});
fails(
  "MergeShards",
  "InvalidArgumentException",
  "shards that are not neighbours",
  async (world) => {
    await createStream(world, 3);
    await merge(world, SHARD, "shardId-000000000002");
  },
);
fails("MergeShards", "ResourceNotFoundException", "no such shard", async (world) => {
  await createStream(world, 2);
  await merge(world, SHARD, "shardId-000000000009");
});
fails(
  "MergeShards",
  "InvalidArgumentException",
  "a shard that was split already",
  async (world) => {
    await createStream(world, 2);
    await split(world, SHARD, "1000");
    await merge(world, SHARD, "shardId-000000000001");
  },
);
fails(
  "MergeShards",
  "ResourceInUseException",
  "the stream is being updated",
  async (world) => {
    await createStream(world, 4);
    await world.advance(1001);
    await merge(world, SHARD, "shardId-000000000001");
    await merge(world, "shardId-000000000002", "shardId-000000000003");
  },
  SLOW_TRANSITIONS,
);
fails(
  "MergeShards",
  "ValidationException",
  "on-demand streams scale by themselves",
  async (world) => {
    await createOnDemand(world);
    await merge(world, SHARD, "shardId-000000000001");
  },
);
fails(
  "MergeShards",
  "LimitExceededException",
  "over 5 calls a second",
  async (world) => {
    await createStream(world, 20);
    let next = 0;
    await untilRefused(() => {
      const pair = [next, next + 1].map((index) => `shardId-${String(index).padStart(12, "0")}`);
      next += 2;
      return merge(world, pair[0] ?? "", pair[1] ?? "");
    }, 10);
  },
  CONTROL_RATES,
);
fails("MergeShards", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world, 2);
  await denyOther(world, "MergeShards");
  await merge(world.other, SHARD, "shardId-000000000001");
});

const TOTALS = [
  [2, 4, 6],
  [4, 5, 15],
  [10, 13, 37],
  [4, 2, 6],
  [5, 3, 7],
  [10, 3, 17],
] as const;
for (const [initial, target, total] of TOTALS) {
  // More than twice or less than half in one step is refused; the totals are of the last step.
  if (target > initial * 2 || target * 2 < initial) continue;
  succeeds("UpdateShardCount", `${initial} to ${target}: ${total} shards in all`, async (world) => {
    await createStream(world, initial);
    const answer = await world.call("UpdateShardCount", {
      StreamName: STREAM,
      TargetShardCount: target,
      ScalingType: "UNIFORM_SCALING",
    });
    assert.deepEqual(
      { ...answer },
      {
        StreamName: STREAM,
        StreamARN: STREAM_ARN,
        CurrentShardCount: initial,
        TargetShardCount: target,
      },
    );
    const all = await shardIds(world);
    assert.equal(all.length, total);
    const { StreamDescriptionSummary } = await world.call("DescribeStreamSummary", {
      StreamName: STREAM,
    });
    assert.equal(StreamDescriptionSummary.OpenShardCount, target);
  });
}
fails("UpdateShardCount", "LimitExceededException", "more than twice as many", async (world) => {
  await createStream(world, 2);
  await scale(world, 5);
});
fails(
  "UpdateShardCount",
  "LimitExceededException",
  "more than ten times in a day",
  async (world) => {
    await createStream(world, 2);
    for (let i = 0; i < 11; i++) await scale(world, i % 2 === 0 ? 3 : 2);
  },
);
fails("UpdateShardCount", "ResourceNotFoundException", "no such stream", (world) =>
  scale(world, 2),
);
fails(
  "UpdateShardCount",
  "ResourceInUseException",
  "the stream is being updated",
  async (world) => {
    await createStream(world, 2);
    await world.advance(1001);
    await scale(world, 3);
    await scale(world, 4);
  },
  SLOW_TRANSITIONS,
);
fails(
  "UpdateShardCount",
  "ValidationException",
  "on-demand streams scale by themselves",
  async (world) => {
    await createOnDemand(world);
    await scale(world, 5);
  },
);
fails("UpdateShardCount", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world, 2);
  await denyOther(world, "UpdateShardCount");
  await scale(world.other, 3);
});
fails("UpdateShardCount", "InvalidArgumentException", "no stream named", (world) =>
  world.call("UpdateShardCount", { TargetShardCount: 2, ScalingType: "UNIFORM_SCALING" }),
);
