/** Cases of the operations on streams as a whole. */
import { assert } from "vitest";
import {
  CONTROL_RATES,
  createOnDemand,
  createStream,
  denyOther,
  fails,
  MISSING_STREAM_ARN,
  registerConsumer,
  SLOW_TRANSITIONS,
  STREAM,
  STREAM_ARN,
  succeeds,
  untilRefused,
} from "../world.ts";

succeeds("CreateStream", "creates a stream of so many shards", async (world) => {
  await createStream(world, 3);
  const { StreamDescription: stream } = await world.call("DescribeStream", { StreamName: STREAM });
  assert.deepEqual(
    stream.Shards.map((shard) => shard.HashKeyRange.EndingHashKey),
    [
      "113427455640312821154458202477256070484",
      "226854911280625642308916404954512140969",
      "340282366920938463463374607431768211455",
    ],
  );
});
succeeds("CreateStream", "with tags and a record size", async (world) => {
  await world.call("CreateStream", {
    StreamName: STREAM,
    ShardCount: 1,
    Tags: { team: "shop" },
    MaxRecordSizeInKiB: 2048,
  });
  const tags = await world.call("ListTagsForStream", { StreamName: STREAM });
  assert.deepEqual(tags.Tags, [{ Key: "team", Value: "shop" }]);
  const { StreamDescriptionSummary: summary } = await world.call("DescribeStreamSummary", {
    StreamName: STREAM,
  });
  assert.equal(summary.MaxRecordSizeInKiB, 2048);
});
succeeds(
  "CreateStream",
  "is CREATING for as long as told",
  async (world) => {
    await createStream(world);
    const before = await world.call("DescribeStream", { StreamName: STREAM });
    assert.equal(before.StreamDescription.StreamStatus, "CREATING");
    await world.advance(1001);
    const after = await world.call("DescribeStream", { StreamName: STREAM });
    assert.equal(after.StreamDescription.StreamStatus, "ACTIVE");
  },
  SLOW_TRANSITIONS,
);
succeeds("CreateStream", "on demand with four shards", async (world) => {
  await createOnDemand(world);
  const { StreamDescription: stream } = await world.call("DescribeStream", { StreamName: STREAM });
  assert.equal(stream.Shards.length, 4);
  assert.equal(stream.StreamModeDetails?.StreamMode, "ON_DEMAND");
});
fails("CreateStream", "ResourceInUseException", "a name that is taken", async (world) => {
  await createStream(world);
  await createStream(world);
});
fails("CreateStream", "LimitExceededException", "more than 500 open shards", async (world) => {
  await createStream(world, 501);
});
fails("CreateStream", "ValidationException", "provisioned without ShardCount", (world) =>
  world.call("CreateStream", { StreamName: STREAM }),
);
fails("CreateStream", "ValidationException", "a name that breaks the pattern", (world) =>
  world.call("CreateStream", { StreamName: "no spaces", ShardCount: 1 }),
);

fails("CreateStream", "InvalidArgumentException", "a tag that AWS keeps to itself", (world) =>
  world.call("CreateStream", { StreamName: STREAM, ShardCount: 1, Tags: { "aws:owner": "x" } }),
);

succeeds("DeleteStream", "deletes the stream with its records", async (world) => {
  await createStream(world);
  await world.call("DeleteStream", { StreamName: STREAM });
  const { StreamNames } = await world.call("ListStreams", {});
  assert.deepEqual(StreamNames, []);
});
succeeds(
  "DeleteStream",
  "is DELETING for as long as told",
  async (world) => {
    await createStream(world);
    await world.advance(1001);
    await world.call("DeleteStream", { StreamName: STREAM });
    const { StreamDescription: stream } = await world.call("DescribeStream", {
      StreamName: STREAM,
    });
    assert.equal(stream.StreamStatus, "DELETING");
    await world.advance(1001);
    const { StreamNames } = await world.call("ListStreams", {});
    assert.deepEqual(StreamNames, []);
  },
  SLOW_TRANSITIONS,
);
succeeds("DeleteStream", "deletes a stream by its ARN", async (world) => {
  await createStream(world);
  await world.call("DeleteStream", { StreamARN: STREAM_ARN });
  const { StreamNames } = await world.call("ListStreams", {});
  assert.deepEqual(StreamNames, []);
});
fails("DeleteStream", "ResourceNotFoundException", "no such stream", (world) =>
  world.call("DeleteStream", { StreamName: "missing" }),
);
fails("DeleteStream", "ResourceInUseException", "with consumers, not enforced", async (world) => {
  await createStream(world);
  await registerConsumer(world);
  await world.call("DeleteStream", { StreamName: STREAM, EnforceConsumerDeletion: false });
});
fails("DeleteStream", "InvalidArgumentException", "neither name nor ARN", (world) =>
  world.call("DeleteStream", {}),
);
fails(
  "DeleteStream",
  "LimitExceededException",
  "over 5 calls a second",
  async (world) => {
    await untilRefused(() =>
      world.call("DeleteStream", { StreamName: "missing" }).catch((error: unknown) => {
        if ((error as Error).name !== "ResourceNotFoundException") throw error;
      }),
    );
  },
  CONTROL_RATES,
);
fails("DeleteStream", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "DeleteStream");
  await world.other.call("DeleteStream", { StreamName: STREAM });
});

succeeds("DescribeStream", "shows the stream and its shards", async (world) => {
  await createStream(world, 2);
  const { StreamDescription: stream } = await world.call("DescribeStream", { StreamName: STREAM });
  assert.include(stream, {
    ...{ StreamName: STREAM, StreamARN: STREAM_ARN, StreamStatus: "ACTIVE" },
    ...{ RetentionPeriodHours: 24, EncryptionType: "NONE", HasMoreShards: false },
  });
  assert.deepEqual(stream.EnhancedMonitoring, [{ ShardLevelMetrics: [] }]);
  assert.isTrue(stream.StreamCreationTimestamp.getTime() > 0);
  assert.deepEqual(
    stream.Shards.map(({ ShardId }) => ShardId),
    ["shardId-000000000000", "shardId-000000000001"],
  );
});
succeeds("DescribeStream", "shows all of the stream, page by page", async (world) => {
  await createStream(world, 3);
  await world.call("EnableEnhancedMonitoring", {
    StreamName: STREAM,
    ShardLevelMetrics: ["IncomingBytes"],
  });
  await world.call("SplitShard", {
    StreamName: STREAM,
    ShardToSplit: "shardId-000000000000",
    NewStartingHashKey: "1000",
  });
  await world.call("MergeShards", {
    StreamName: STREAM,
    ShardToMerge: "shardId-000000000001",
    AdjacentShardToMerge: "shardId-000000000002",
  });
  const first = await world.call("DescribeStream", { StreamName: STREAM, Limit: 2 });
  assert.isTrue(first.StreamDescription.HasMoreShards);
  const rest = await world.call("DescribeStream", {
    StreamARN: STREAM_ARN,
    ExclusiveStartShardId: "shardId-000000000001",
  });
  const { StreamDescription: stream } = rest;
  assert.isFalse(stream.HasMoreShards);
  assert.equal(stream.StreamName, STREAM);
  assert.equal(stream.StreamARN, STREAM_ARN);
  assert.equal(stream.StreamStatus, "ACTIVE");
  assert.equal(stream.StreamModeDetails?.StreamMode, "PROVISIONED");
  assert.equal(stream.RetentionPeriodHours, 24);
  assert.equal(stream.EncryptionType, "NONE");
  assert.deepEqual(stream.EnhancedMonitoring, [{ ShardLevelMetrics: ["IncomingBytes"] }]);
  assert.equal(stream.StreamCreationTimestamp.getTime() > 0, true);
  assert.deepEqual(
    stream.Shards.map(({ ShardId, ParentShardId, AdjacentParentShardId }) => [
      ShardId.slice(-1),
      ParentShardId?.slice(-1),
      AdjacentParentShardId?.slice(-1),
    ]),
    [
      ["2", undefined, undefined],
      ["3", "0", undefined],
      ["4", "0", undefined],
      ["5", "1", "2"],
    ],
  );
});
fails("DescribeStream", "ResourceNotFoundException", "no such stream", (world) =>
  world.call("DescribeStream", { StreamName: "missing" }),
);
fails("DescribeStream", "ResourceNotFoundException", "no stream of that ARN", (world) =>
  world.call("DescribeStream", { StreamARN: MISSING_STREAM_ARN }),
);
fails("DescribeStream", "InvalidArgumentException", "neither name nor ARN", (world) =>
  world.call("DescribeStream", {}),
);
fails(
  "DescribeStream",
  "LimitExceededException",
  "over 10 calls a second",
  async (world) => {
    await createStream(world);
    await untilRefused(() => world.call("DescribeStream", { StreamName: STREAM }));
  },
  CONTROL_RATES,
);
fails("DescribeStream", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "Describe*");
  await world.other.call("DescribeStream", { StreamName: STREAM });
});

succeeds("DescribeStreamSummary", "counts the open shards", async (world) => {
  await createStream(world, 3);
  await world.call("SplitShard", {
    StreamName: STREAM,
    ShardToSplit: "shardId-000000000000",
    NewStartingHashKey: "1000",
  });
  const { StreamDescriptionSummary: summary } = await world.call("DescribeStreamSummary", {
    StreamName: STREAM,
  });
  assert.include(summary, {
    ...{ StreamName: STREAM, StreamARN: STREAM_ARN, StreamStatus: "ACTIVE" },
    ...{ RetentionPeriodHours: 24, OpenShardCount: 4, ConsumerCount: 0 },
  });
});
succeeds("DescribeStreamSummary", "counts shards, consumers and channels", async (world) => {
  await createOnDemand(world);
  await registerConsumer(world);
  await world.call("EnableEnhancedMonitoring", {
    StreamName: STREAM,
    ShardLevelMetrics: ["ALL"],
  });
  const { StreamDescriptionSummary: summary } = await world.call("DescribeStreamSummary", {
    StreamName: STREAM,
  });
  assert.equal(summary.StreamName, STREAM);
  assert.equal(summary.StreamARN, STREAM_ARN);
  assert.equal(summary.StreamStatus, "ACTIVE");
  assert.equal(summary.OpenShardCount, 4);
  assert.equal(summary.ConsumerCount, 1);
  assert.equal(summary.RetentionPeriodHours, 24);
  assert.equal(summary.MaxRecordSizeInKiB, 1024);
  assert.equal(summary.EnhancedMonitoring[0]?.ShardLevelMetrics?.length, 7);
});
fails("DescribeStreamSummary", "ResourceNotFoundException", "no such stream", (world) =>
  world.call("DescribeStreamSummary", { StreamName: "missing" }),
);
fails("DescribeStreamSummary", "InvalidArgumentException", "neither name nor ARN", (world) =>
  world.call("DescribeStreamSummary", {}),
);
fails(
  "DescribeStreamSummary",
  "LimitExceededException",
  "over 20 calls a second",
  async (world) => {
    await createStream(world);
    await untilRefused(() => world.call("DescribeStreamSummary", { StreamName: STREAM }));
  },
  CONTROL_RATES,
);
fails("DescribeStreamSummary", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "DescribeStreamSummary");
  await world.other.call("DescribeStreamSummary", { StreamName: STREAM });
});

succeeds("ListStreams", "in the order of names, from behind a name", async (world) => {
  for (const name of ["c", "a", "b"]) {
    await world.call("CreateStream", { StreamName: name, ShardCount: 1 });
  }
  const first = await world.call("ListStreams", { Limit: 2 });
  assert.deepEqual(first.StreamNames, ["a", "b"]);
  assert.isTrue(first.HasMoreStreams);
  const after = await world.call("ListStreams", { ExclusiveStartStreamName: "b" });
  assert.deepEqual(after.StreamNames, ["c"]);
  assert.isFalse(after.HasMoreStreams);
});
succeeds("ListStreams", "page by page, with what each stream is", async (world) => {
  for (const name of ["c", "a", "b"]) {
    await world.call("CreateStream", { StreamName: name, ShardCount: 1 });
  }
  const first = await world.call("ListStreams", { Limit: 2 });
  assert.deepEqual(first.StreamNames, ["a", "b"]);
  assert.isTrue(first.HasMoreStreams);
  assert.isString(first.NextToken);
  assert.deepEqual(
    first.StreamSummaries?.map((one) => [one.StreamName, one.StreamStatus]),
    [
      ["a", "ACTIVE"],
      ["b", "ACTIVE"],
    ],
  );
  const second = await world.call("ListStreams", { NextToken: first.NextToken });
  assert.deepEqual(second.StreamNames, ["c"]);
  assert.isFalse(second.HasMoreStreams);
});
fails("ListStreams", "ExpiredNextTokenException", "a token of five minutes ago", async (world) => {
  for (const name of ["a", "b"]) {
    await world.call("CreateStream", { StreamName: name, ShardCount: 1 });
  }
  const { NextToken } = await world.call("ListStreams", { Limit: 1 });
  await world.advance(301_000);
  await world.call("ListStreams", { NextToken });
});
fails("ListStreams", "InvalidArgumentException", "a token that is none", (world) =>
  world.call("ListStreams", { NextToken: "garbage" }),
);
fails(
  "ListStreams",
  "LimitExceededException",
  "over 5 calls a second",
  (world) => untilRefused(() => world.call("ListStreams", {})),
  CONTROL_RATES,
);
