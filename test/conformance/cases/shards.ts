/** Cases of the operations on shards, on the retention period and on iterators. */
import { assert } from "vitest";
import {
  bytes,
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

succeeds("ListShards", "lineage, ranges of hash keys and of sequence numbers", async (world) => {
  await createStream(world, 2);
  await split(world, SHARD, "1000");
  await merge(world, "shardId-000000000003", "shardId-000000000001");
  const { Shards, NextToken } = await world.call("ListShards", { StreamARN: STREAM_ARN });
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
  const after = await world.call("ListShards", {
    StreamName: STREAM,
    ExclusiveStartShardId: "shardId-000000000001",
  });
  assert.deepEqual(
    after.Shards?.map(({ ShardId }) => ShardId.slice(-1)),
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
  const { Shards } = await world.call("ListShards", {
    StreamName: STREAM,
    ShardFilter: { Type: "AT_LATEST" },
  });
  assert.deepEqual(
    Shards?.map(({ HashKeyRange }) => HashKeyRange.StartingHashKey),
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
  const { Shards } = await world.call("ListShards", {
    StreamName: STREAM,
    ShardFilter: { Type: "AT_LATEST" },
  });
  assert.equal(Shards?.length, 1);
  assert.deepEqual(Shards?.[0]?.HashKeyRange, {
    StartingHashKey: "0",
    EndingHashKey: (2n ** 128n - 1n).toString(),
  });
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
fails("MergeShards", "ResourceInUseException", "a shard that was split already", async (world) => {
  await createStream(world, 2);
  await split(world, SHARD, "1000");
  await merge(world, SHARD, "shardId-000000000001");
});
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

for (const [operation, from, to, wrong] of [
  ["IncreaseStreamRetentionPeriod", 72, 96, 48],
  ["DecreaseStreamRetentionPeriod", 72, 48, 96],
] as const) {
  const prepare = async (world: World): Promise<void> => {
    await createStream(world);
    await world.call("IncreaseStreamRetentionPeriod", {
      StreamName: STREAM,
      RetentionPeriodHours: from,
    });
    await world.advance(1001);
  };
  const change = (world: World, RetentionPeriodHours: number): Promise<unknown> =>
    world.call(operation, { StreamName: STREAM, RetentionPeriodHours });
  succeeds(operation, `from ${from} to ${to} hours`, async (world) => {
    await prepare(world);
    await change(world, to);
    const { StreamDescription } = await world.call("DescribeStream", { StreamName: STREAM });
    assert.equal(StreamDescription.RetentionPeriodHours, to);
  });
  fails(operation, "InvalidArgumentException", "the wrong way", async (world) => {
    await prepare(world);
    await change(world, wrong);
  });
  fails(operation, "ResourceNotFoundException", "no such stream", (world) => change(world, to));
  fails(
    operation,
    "ResourceInUseException",
    "the stream is being created",
    async (world) => {
      await createStream(world);
      await change(world, to);
    },
    SLOW_TRANSITIONS,
  );
  fails(
    operation,
    "LimitExceededException",
    "over 5 calls a second",
    async (world) => {
      await prepare(world);
      await untilRefused(() =>
        change(world, wrong).catch((error: unknown) => {
          if ((error as Error).name !== "InvalidArgumentException") throw error;
        }),
      );
    },
    CONTROL_RATES,
  );
  fails(operation, "AccessDeniedException", "a policy denies it", async (world) => {
    await prepare(world);
    await denyOther(world, operation);
    await change(world.other, to);
  });
}
succeeds("DecreaseStreamRetentionPeriod", "older records are gone at once", async (world) => {
  await createStream(world);
  await world.call("IncreaseStreamRetentionPeriod", {
    StreamName: STREAM,
    RetentionPeriodHours: 96,
  });
  await world.call("PutRecord", { StreamName: STREAM, PartitionKey: "a", Data: bytes("old") });
  await world.advance(50 * 3_600_000);
  await world.call("PutRecord", { StreamName: STREAM, PartitionKey: "a", Data: bytes("new") });
  await world.call("DecreaseStreamRetentionPeriod", {
    StreamName: STREAM,
    RetentionPeriodHours: 24,
  });
  const { ShardIterator } = await world.call("GetShardIterator", {
    StreamName: STREAM,
    ShardId: SHARD,
    ShardIteratorType: "TRIM_HORIZON",
  });
  const { Records } = await world.call("GetRecords", { ShardIterator: ShardIterator ?? "" });
  assert.equal(Records.length, 1);
});

succeeds("GetShardIterator", "all five types lead to their record", async (world) => {
  await createStream(world);
  const put = async (data: string): Promise<string> => {
    const input = { StreamName: STREAM, PartitionKey: "a", Data: bytes(data) };
    return (await world.call("PutRecord", input)).SequenceNumber;
  };
  await put("first");
  await world.advance(10_000);
  const secondAt = new Date(await world.now());
  const second = await put("second");
  await put("third");
  const from = async (rest: object): Promise<string | undefined> => {
    const { ShardIterator } = (await world.callRaw("GetShardIterator", {
      StreamName: STREAM,
      ShardId: SHARD,
      ...rest,
    })) as { ShardIterator: string };
    const { Records } = await world.call("GetRecords", { ShardIterator, Limit: 1 });
    await world.advance(1000);
    const [record] = Records;
    return record === undefined ? undefined : new TextDecoder().decode(record.Data);
  };
  assert.equal(await from({ ShardIteratorType: "TRIM_HORIZON" }), "first");
  assert.isUndefined(await from({ ShardIteratorType: "LATEST" }));
  assert.equal(
    await from({ ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber: second }),
    "second",
  );
  assert.equal(
    await from({ ShardIteratorType: "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber: second }),
    "third",
  );
  assert.equal(await from({ ShardIteratorType: "AT_TIMESTAMP", Timestamp: secondAt }), "second");
});
fails("GetShardIterator", "ResourceNotFoundException", "no such shard", async (world) => {
  await createStream(world);
  await world.call("GetShardIterator", {
    StreamName: STREAM,
    ShardId: "shardId-000000000009",
    ShardIteratorType: "LATEST",
  });
});
fails(
  "GetShardIterator",
  "InvalidArgumentException",
  "a timestamp that is to come",
  async (world) => {
    await createStream(world);
    await world.call("GetShardIterator", {
      StreamName: STREAM,
      ShardId: SHARD,
      ShardIteratorType: "AT_TIMESTAMP",
      Timestamp: new Date((await world.now()) + 60_000),
    });
  },
);
fails(
  "GetShardIterator",
  "ProvisionedThroughputExceededException",
  "over 5 calls a second",
  async (world) => {
    await createStream(world);
    await untilRefused(() =>
      world.call("GetShardIterator", {
        StreamName: STREAM,
        ShardId: SHARD,
        ShardIteratorType: "LATEST",
      }),
    );
  },
  CONTROL_RATES,
);
fails("GetShardIterator", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "GetShardIterator");
  await world.other.call("GetShardIterator", {
    StreamName: STREAM,
    ShardId: SHARD,
    ShardIteratorType: "LATEST",
  });
});
fails("GetShardIterator", "DryRunOperationException", "a dry run", async (world) => {
  await createStream(world);
  await world.call("GetShardIterator", {
    StreamName: STREAM,
    ShardId: SHARD,
    ShardIteratorType: "LATEST",
    DryRun: true,
  });
});
fails("UpdateShardCount", "InvalidArgumentException", "no stream named", (world) =>
  world.call("UpdateShardCount", { TargetShardCount: 2, ScalingType: "UNIFORM_SCALING" }),
);
