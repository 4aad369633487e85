/** Cases of iterators, and of the retention period, which bounds where they lead. */
import { assert } from "vitest";
import {
  bytes,
  CONTROL_RATES,
  createStream,
  denyOther,
  fails,
  SLOW_TRANSITIONS,
  STREAM,
  succeeds,
  untilRefused,
  type World,
} from "../world.ts";

const SHARD = "shardId-000000000000";

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
