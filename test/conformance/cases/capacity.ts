/** Cases of capacity modes, sizes, limits and account settings. */
import { assert } from "vitest";
import {
  CONTROL_RATES,
  createOnDemand,
  createStream,
  denyOther,
  fails,
  MISSING_STREAM_ARN,
  RESERVED_ID,
  SLOW_TRANSITIONS,
  STREAM,
  STREAM_ARN,
  succeeds,
  untilRefused,
  type World,
} from "../world.ts";

async function commit(world: World): Promise<void> {
  await world.call("UpdateAccountSettings", {
    MinimumThroughputBillingCommitment: { Status: "ENABLED" },
  });
}

function setMode(world: World, StreamMode: "PROVISIONED" | "ON_DEMAND", StreamARN = STREAM_ARN) {
  return world.call("UpdateStreamMode", { StreamARN, StreamModeDetails: { StreamMode } });
}

succeeds("UpdateStreamMode", "to on-demand and back", async (world) => {
  await createStream(world, 2);
  await setMode(world, "ON_DEMAND");
  const before = await world.call("DescribeStreamSummary", { StreamName: STREAM });
  assert.equal(before.StreamDescriptionSummary.StreamModeDetails?.StreamMode, "ON_DEMAND");
  await setMode(world, "PROVISIONED");
  const after = await world.call("DescribeStreamSummary", { StreamName: STREAM });
  assert.equal(after.StreamDescriptionSummary.StreamModeDetails?.StreamMode, "PROVISIONED");
});
fails("UpdateStreamMode", "LimitExceededException", "more than twice in a day", async (world) => {
  await createStream(world);
  await setMode(world, "ON_DEMAND");
  await setMode(world, "PROVISIONED");
  await setMode(world, "ON_DEMAND");
});
fails("UpdateStreamMode", "ResourceNotFoundException", "no such stream", (world) =>
  setMode(world, "ON_DEMAND", MISSING_STREAM_ARN),
);
fails(
  "UpdateStreamMode",
  "ResourceInUseException",
  "the stream is being created",
  async (world) => {
    await createStream(world);
    await setMode(world, "ON_DEMAND");
  },
  SLOW_TRANSITIONS,
);
fails("UpdateStreamMode", "InvalidArgumentException", "the reserved StreamId", async (world) => {
  await createStream(world);
  await world.call("UpdateStreamMode", {
    StreamARN: STREAM_ARN,
    StreamId: RESERVED_ID,
    StreamModeDetails: { StreamMode: "ON_DEMAND" },
  });
});
fails("UpdateStreamMode", "ValidationException", "a mode that does not exist", async (world) => {
  await createStream(world);
  await world.callRaw("UpdateStreamMode", {
    StreamARN: STREAM_ARN,
    StreamModeDetails: { StreamMode: "SERVERLESS" },
  });
});

function warm(world: World, WarmThroughputMiBps: number, StreamARN = STREAM_ARN) {
  return world.call("UpdateStreamWarmThroughput", { StreamARN, WarmThroughputMiBps });
}

succeeds("UpdateStreamWarmThroughput", "raises the capacity at once", async (world) => {
  await commit(world);
  await createOnDemand(world);
  const answer = await warm(world, 8);
  assert.equal(answer.StreamARN, STREAM_ARN);
  assert.equal(answer.StreamName, STREAM);
  assert.equal(answer.WarmThroughput?.TargetMiBps, 8);
  const { StreamDescriptionSummary: summary } = await world.call("DescribeStreamSummary", {
    StreamName: STREAM,
  });
  assert.equal(summary.WarmThroughput?.TargetMiBps, 8);
  assert.isTrue(summary.OpenShardCount >= 8);
  const { StreamDescription } = await world.call("DescribeStream", { StreamName: STREAM });
  assert.equal(StreamDescription.StreamModeDetails?.StreamMode, "ON_DEMAND");
});
fails(
  "UpdateStreamWarmThroughput",
  "ValidationException",
  "a provisioned stream",
  async (world) => {
    await commit(world);
    await createStream(world);
    await warm(world, 8);
  },
);
fails(
  "UpdateStreamWarmThroughput",
  "ResourceNotFoundException",
  "no such stream",
  async (world) => {
    await commit(world);
    await warm(world, 8, MISSING_STREAM_ARN);
  },
);
fails(
  "UpdateStreamWarmThroughput",
  "ResourceInUseException",
  "the stream is being created",
  async (world) => {
    await commit(world);
    await createOnDemand(world);
    await warm(world, 8);
  },
  SLOW_TRANSITIONS,
);
fails(
  "UpdateStreamWarmThroughput",
  "InvalidArgumentException",
  "neither name nor ARN",
  async (world) => {
    await world.call("UpdateStreamWarmThroughput", { WarmThroughputMiBps: 1 });
  },
);
fails(
  "UpdateStreamWarmThroughput",
  "LimitExceededException",
  "over 5 calls a second",
  async (world) => {
    await commit(world);
    await createOnDemand(world);
    await untilRefused(() => warm(world, 4));
  },
  CONTROL_RATES,
);
fails(
  "UpdateStreamWarmThroughput",
  "AccessDeniedException",
  "a policy denies it",
  async (world) => {
    await commit(world);
    await createOnDemand(world);
    await denyOther(world, "UpdateStreamWarmThroughput");
    await warm(world.other, 8);
  },
);

function resize(world: World, MaxRecordSizeInKiB: number, StreamARN = STREAM_ARN) {
  return world.call("UpdateMaxRecordSize", { StreamARN, MaxRecordSizeInKiB });
}

succeeds("UpdateMaxRecordSize", "a record of 5 MiB fits afterwards", async (world) => {
  await createStream(world);
  await resize(world, 10_240);
  await world.call("PutRecord", {
    StreamName: STREAM,
    PartitionKey: "a",
    Data: new Uint8Array(5 * 1_048_576),
  });
  const { StreamDescriptionSummary: summary } = await world.call("DescribeStreamSummary", {
    StreamName: STREAM,
  });
  assert.equal(summary.MaxRecordSizeInKiB, 10_240);
});
fails("UpdateMaxRecordSize", "ValidationException", "over 10 MiB", async (world) => {
  await createStream(world);
  await resize(world, 10_241);
});
fails("UpdateMaxRecordSize", "ResourceNotFoundException", "no such stream", (world) =>
  resize(world, 2048, MISSING_STREAM_ARN),
);
fails(
  "UpdateMaxRecordSize",
  "ResourceInUseException",
  "the stream is being created",
  async (world) => {
    await createStream(world);
    await resize(world, 2048);
  },
  SLOW_TRANSITIONS,
);
fails("UpdateMaxRecordSize", "InvalidArgumentException", "no stream named", (world) =>
  world.call("UpdateMaxRecordSize", { MaxRecordSizeInKiB: 2048 }),
);
fails("UpdateMaxRecordSize", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "UpdateMaxRecordSize");
  await resize(world.other, 2048);
});

function distribute(
  world: World,
  RecordDistributionStrategy: "AUTO" | "USER_PARTITION_KEY",
  StreamARN = STREAM_ARN,
) {
  return world.call("UpdateStreamRecordDistributionStrategy", {
    StreamARN,
    RecordDistributionStrategy,
  });
}

succeeds("UpdateStreamRecordDistributionStrategy", "AUTO spreads one key evenly", async (world) => {
  await createOnDemand(world);
  await distribute(world, "AUTO");
  const { Records } = await world.call("PutRecords", {
    StreamName: STREAM,
    Records: Array.from({ length: 8 }, () => ({ PartitionKey: "same", Data: new Uint8Array(1) })),
  });
  assert.equal(new Set(Records.map(({ ShardId }) => ShardId)).size, 4);
  await world.call("PutRecords", { StreamName: STREAM, Records: [{ Data: new Uint8Array(1) }] });
  const { StreamDescriptionSummary: summary } = await world.call("DescribeStreamSummary", {
    StreamName: STREAM,
  });
  assert.equal(summary.RecordDistributionStrategy, "AUTO");
});
fails(
  "UpdateStreamRecordDistributionStrategy",
  "InvalidArgumentException",
  "AUTO for a provisioned stream",
  async (world) => {
    await createStream(world);
    await distribute(world, "AUTO");
  },
);
fails(
  "UpdateStreamRecordDistributionStrategy",
  "ValidationException",
  "a provisioned stream",
  async (world) => {
    await createStream(world);
    await distribute(world, "USER_PARTITION_KEY");
  },
);
fails(
  "UpdateStreamRecordDistributionStrategy",
  "ResourceNotFoundException",
  "no such stream",
  (world) => distribute(world, "AUTO", MISSING_STREAM_ARN),
);
fails(
  "UpdateStreamRecordDistributionStrategy",
  "ResourceInUseException",
  "the stream is being created",
  async (world) => {
    await createOnDemand(world);
    await distribute(world, "AUTO");
  },
  SLOW_TRANSITIONS,
);
fails(
  "UpdateStreamRecordDistributionStrategy",
  "InvalidArgumentException",
  "the reserved StreamId",
  async (world) => {
    await createOnDemand(world);
    await world.call("UpdateStreamRecordDistributionStrategy", {
      StreamARN: STREAM_ARN,
      StreamId: RESERVED_ID,
      RecordDistributionStrategy: "AUTO",
    });
  },
);
fails(
  "UpdateStreamRecordDistributionStrategy",
  "AccessDeniedException",
  "a policy denies it",
  async (world) => {
    await createOnDemand(world);
    await denyOther(world, "UpdateStreamRecordDistributionStrategy");
    await distribute(world.other, "AUTO");
  },
);

succeeds("DescribeLimits", "counts shards and streams", async (world) => {
  await createStream(world, 3);
  await createOnDemand(world, "other");
  const limits = await world.call("DescribeLimits", {});
  assert.deepInclude(
    { ...limits },
    { ShardLimit: 500, OpenShardCount: 7, OnDemandStreamCount: 1, OnDemandStreamCountLimit: 50 },
  );
});
succeeds("DescribeLimits", "counts channels", async (world) => {
  const limits = await world.call("DescribeLimits", {});
  assert.equal(limits.ChannelCount, 0);
  assert.isNumber(limits.ChannelCountLimit);
});
fails(
  "DescribeLimits",
  "LimitExceededException",
  "over 1 call a second",
  (world) => untilRefused(() => world.call("DescribeLimits", {})),
  CONTROL_RATES,
);

succeeds("DescribeAccountSettings", "disabled at first", async (world) => {
  const before = await world.call("DescribeAccountSettings", {});
  assert.equal(before.MinimumThroughputBillingCommitment?.Status, "DISABLED");
  await commit(world);
  const { MinimumThroughputBillingCommitment: after } = await world.call(
    "DescribeAccountSettings",
    {},
  );
  assert.equal(after?.Status, "ENABLED");
  assert.instanceOf(after?.StartedAt, Date);
});
fails(
  "DescribeAccountSettings",
  "LimitExceededException",
  "over 5 calls a second",
  (world) => untilRefused(() => world.call("DescribeAccountSettings", {})),
  CONTROL_RATES,
);
succeeds("UpdateAccountSettings", "answers what holds from now on", async (world) => {
  const answer = await world.call("UpdateAccountSettings", {
    MinimumThroughputBillingCommitment: { Status: "ENABLED" },
  });
  assert.equal(answer.MinimumThroughputBillingCommitment?.Status, "ENABLED");
});
fails("UpdateAccountSettings", "ValidationException", "a status that does not exist", (world) =>
  world.callRaw("UpdateAccountSettings", {
    MinimumThroughputBillingCommitment: { Status: "PERHAPS" },
  }),
);
fails(
  "UpdateAccountSettings",
  "LimitExceededException",
  "over 5 calls a second",
  (world) => untilRefused(() => commit(world)),
  CONTROL_RATES,
);
