import { describe, expect, it } from "vitest";
import { framePrincipal } from "../../../src/access/principals.ts";
import { virtualPlatform } from "../../../src/platform/virtual-platform.ts";
import { consumerOperations } from "../../../src/service/operations/consumers.ts";
import { shardOperations } from "../../../src/service/operations/shards.ts";
import { streamOperations } from "../../../src/service/operations/streams.ts";
import { failureOf } from "../../support/failures.ts";
import { openContext, type TestContext } from "../../support/operations.ts";

const table = { ...streamOperations, ...shardOperations, ...consumerOperations };

async function create(test: TestContext, StreamName: string, ShardCount = 1): Promise<void> {
  await test.invoke(table, "CreateStream", { StreamName, ShardCount });
}

async function describeOf(test: TestContext, StreamName: string) {
  return (await test.invoke(table, "DescribeStream", { StreamName })).StreamDescription;
}

async function summaryOf(test: TestContext, StreamName: string) {
  const { StreamDescriptionSummary } = await test.invoke(table, "DescribeStreamSummary", {
    StreamName,
  });
  return StreamDescriptionSummary;
}

describe("CreateStream and its descriptions", () => {
  it("give every member of a provisioned stream", async () => {
    const test = await openContext();
    await create(test, "clicks", 2);
    const common = {
      StreamName: "clicks",
      StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
      StreamStatus: "ACTIVE",
      StreamModeDetails: { StreamMode: "PROVISIONED" },
      StreamCreationTimestamp: new Date(Date.UTC(2026, 0, 1)),
      RetentionPeriodHours: 24,
      EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
      EncryptionType: "NONE",
    };
    const description = await describeOf(test, "clicks");
    expect(description).toEqual({
      ...common,
      HasMoreShards: false,
      Shards: [
        {
          ShardId: "shardId-000000000000",
          HashKeyRange: {
            StartingHashKey: "0",
            EndingHashKey: "170141183460469231731687303715884105727",
          },
          SequenceNumberRange: { StartingSequenceNumber: expect.stringMatching(/^\d{56}$/) },
        },
        {
          ShardId: "shardId-000000000001",
          HashKeyRange: {
            StartingHashKey: "170141183460469231731687303715884105728",
            EndingHashKey: "340282366920938463463374607431768211455",
          },
          SequenceNumberRange: { StartingSequenceNumber: expect.stringMatching(/^\d{56}$/) },
        },
      ],
    });
    expect(await summaryOf(test, "clicks")).toEqual({
      ...common,
      OpenShardCount: 2,
      ConsumerCount: 0,
      ChannelCount: 0,
      MaxRecordSizeInKiB: 1024,
      RecordDistributionStrategy: "USER_PARTITION_KEY",
    });
    await test.close();
  });

  it("give an on-demand stream four shards, a capacity of its own, tags and settings", async () => {
    const test = await openContext();
    await test.invoke(table, "CreateStream", {
      StreamName: "clicks",
      StreamModeDetails: { StreamMode: "ON_DEMAND" },
      Tags: { team: "web" },
      MaxRecordSizeInKiB: 2048,
      RecordDistributionStrategy: "AUTO",
    });
    expect(await summaryOf(test, "clicks")).toMatchObject({
      StreamModeDetails: { StreamMode: "ON_DEMAND" },
      OpenShardCount: 4,
      MaxRecordSizeInKiB: 2048,
      RecordDistributionStrategy: "AUTO",
    });
    const stream = test.context.catalogue.get("clicks");
    expect(stream.writeCapacity?.recordsPerSecond).toBe(4000);
    expect(test.context.documents.get(`stream/${stream.uid}/tags`)).toEqual({ team: "web" });
    await test.close();
  });

  it("refuse members that do not go together, and leave nothing behind", async () => {
    const test = await openContext();
    const inputs = [
      { StreamName: "a" },
      { StreamName: "a", ShardCount: 1, RecordDistributionStrategy: "AUTO" as const },
      { StreamName: "a", ShardCount: 1, WarmThroughputMiBps: 8 },
      {
        StreamName: "a",
        StreamModeDetails: { StreamMode: "ON_DEMAND" as const },
        WarmThroughputMiBps: 8,
      },
    ];
    for (const input of inputs) {
      const failure = await failureOf(test.invoke(table, "CreateStream", input));
      expect(failure.code).toBe("ValidationException");
    }
    const tags = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`tag-${i}`, ""]));
    const tagged = { StreamName: "a", ShardCount: 1, Tags: tags };
    const failure = await failureOf(test.invoke(table, "CreateStream", tagged));
    expect(failure.code).toBe("InvalidArgumentException");
    expect(test.context.catalogue.list()).toEqual([]);
    await test.close();
  });

  it("refuse a name in use, and more than 500 open shards", async () => {
    const test = await openContext();
    await create(test, "clicks", 499);
    const again = await failureOf(create(test, "clicks"));
    expect(again.code).toBe("ResourceInUseException");
    expect(again.message).toBe("Stream clicks under account 000000000000 already exists.");
    await create(test, "last", 1);
    const over = await failureOf(create(test, "over", 1));
    expect(over.code).toBe("LimitExceededException");
    expect(over.message).toBe(
      "This request would exceed the shard limit for the account 000000000000 in us-east-1. " +
        "Current shard count for the account: 500. Limit: 500. Number of additional shards that " +
        "would have resulted from this request: 1.",
    );
    await test.invoke(table, "DeleteStream", { StreamName: "last" });
    await create(test, "over", 1);
    await test.close();
  });

  it("show shards in pages", async () => {
    const test = await openContext();
    await create(test, "clicks", 150);
    const first = await describeOf(test, "clicks");
    expect(first.Shards).toHaveLength(100);
    expect(first.HasMoreShards).toBe(true);
    const { StreamDescription: second } = await test.invoke(table, "DescribeStream", {
      StreamName: "clicks",
      Limit: 50,
      ExclusiveStartShardId: first.Shards.at(-1)?.ShardId,
    });
    expect(second.Shards.map(({ ShardId }) => ShardId).at(0)).toBe("shardId-000000000100");
    expect(second.Shards).toHaveLength(50);
    expect(second.HasMoreShards).toBe(false);
    await test.close();
  });

  it("find a stream by its name, its ARN or both, and nothing else", async () => {
    const test = await openContext();
    await create(test, "clicks");
    const StreamARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    const found = [{ StreamARN }, { StreamARN, StreamName: "clicks" }];
    for (const reference of found) {
      const output = await test.invoke(table, "DescribeStreamSummary", reference);
      expect(output.StreamDescriptionSummary.StreamName).toBe("clicks");
    }
    const refused = [{}, { StreamARN, StreamName: "other" }, { StreamId: `${"a".repeat(20)}-abc` }];
    for (const reference of refused) {
      const failure = await failureOf(test.invoke(table, "DescribeStreamSummary", reference));
      expect(failure.code).toBe("InvalidArgumentException");
    }
    const missing = await failureOf(describeOf(test, "other"));
    expect(missing.code).toBe("ResourceNotFoundException");
    expect(missing.message).toBe("Stream other under account 000000000000 not found.");
    await test.close();
  });

  it("answer strangers only as far as a policy lets them", async () => {
    const test = await openContext();
    await create(test, "clicks");
    const stranger = framePrincipal("https://shop.example");
    const input = { StreamName: "clicks" };
    for (const operation of ["DescribeStream", "DescribeStreamSummary", "DeleteStream"] as const) {
      const failure = await failureOf(test.invoke(table, operation, input, stranger));
      expect(failure.code).toBe("AccessDeniedException");
    }
    const creation = { StreamName: "mine", ShardCount: 1 };
    const failure = await failureOf(test.invoke(table, "CreateStream", creation, stranger));
    expect(failure.code).toBe("AccessDeniedException");
    const listing = await failureOf(test.invoke(table, "ListStreams", {}, stranger));
    expect(listing.code).toBe("AccessDeniedException");
    expect(test.context.catalogue.list().map(({ name }) => name)).toEqual(["clicks"]);
    await test.close();
  });
});

describe("a stream whose transitions take time", () => {
  it("is CREATING, ACTIVE, DELETING and gone by the clock", async () => {
    const test = await openContext({ transitionMs: 1000 });
    await create(test, "clicks", 2);
    expect(await describeOf(test, "clicks")).toMatchObject({
      StreamStatus: "CREATING",
      Shards: [],
    });
    expect((await summaryOf(test, "clicks")).OpenShardCount).toBe(0);
    await test.advance(999);
    expect((await describeOf(test, "clicks")).StreamStatus).toBe("CREATING");
    await test.advance(1);
    expect((await describeOf(test, "clicks")).StreamStatus).toBe("ACTIVE");
    expect((await summaryOf(test, "clicks")).OpenShardCount).toBe(2);

    await test.invoke(table, "DeleteStream", { StreamName: "clicks" });
    expect((await describeOf(test, "clicks")).StreamStatus).toBe("DELETING");
    expect((await failureOf(create(test, "clicks"))).code).toBe("ResourceInUseException");
    await test.advance(500);
    await test.invoke(table, "DeleteStream", { StreamName: "clicks" });
    await test.advance(499);
    expect((await describeOf(test, "clicks")).StreamStatus).toBe("DELETING");
    await test.advance(1);
    expect((await failureOf(describeOf(test, "clicks"))).code).toBe("ResourceNotFoundException");
    expect(test.context.documents.keys("stream/")).toEqual([]);
    await create(test, "clicks");
    await test.close();
  });

  it("is deleted at the next opening when its time has come, and in time when not", async () => {
    const platform = virtualPlatform();
    const first = await openContext({ platform, transitionMs: 1000 });
    await create(first, "early");
    await first.advance(1000);
    await first.invoke(table, "DeleteStream", { StreamName: "early" });
    await first.advance(500);
    await create(first, "late");
    await first.advance(400);
    await first.close();

    const second = await openContext({ platform: platform.restart(), transitionMs: 1000 });
    expect((await describeOf(second, "early")).StreamStatus).toBe("DELETING");
    await second.advance(100);
    expect((await failureOf(describeOf(second, "early"))).code).toBe("ResourceNotFoundException");
    await second.advance(500);
    await second.invoke(table, "DeleteStream", { StreamName: "late" });
    await second.close();
    await platform.clock.advance(5000);

    const third = await openContext({ platform: platform.restart(), transitionMs: 1000 });
    expect(third.context.catalogue.list()).toEqual([]);
    await third.close();
  });

  it("is what it became, whatever a clock that was set back says", async () => {
    const test = await openContext({ transitionMs: 1000 });
    await create(test, "clicks");
    await test.advance(500);
    test.platform.clock.jumpWall(-86_400_000);
    expect((await describeOf(test, "clicks")).StreamStatus).toBe("ACTIVE");
    await test.invoke(table, "DeleteStream", { StreamName: "clicks" });
    test.platform.clock.jumpWall(-86_400_000);
    expect((await describeOf(test, "clicks")).StreamStatus).toBe("DELETING");
    await test.advance(1000);
    expect((await failureOf(describeOf(test, "clicks"))).code).toBe("ResourceNotFoundException");
    await test.close();
  });

  it("is deleted as soon as the store takes the deletion", async () => {
    const test = await openContext({ transitionMs: 1000 });
    await create(test, "clicks");
    await test.advance(1000);
    await test.invoke(table, "DeleteStream", { StreamName: "clicks" });
    const { faults } = test.platform.stores;
    for (let i = 0; i < 2; i++) faults.add({ kind: "abort", nth: 1, operations: ["appendFrame"] });
    await test.advance(2999);
    expect((await describeOf(test, "clicks")).StreamStatus).toBe("DELETING");
    await test.advance(1);
    expect((await failureOf(describeOf(test, "clicks"))).code).toBe("ResourceNotFoundException");
    await test.close();
  });

  it("may be CREATING with four others when rates are enforced", async () => {
    const test = await openContext({ transitionMs: 1000, controlQuotas: true });
    for (const name of ["a", "b", "c", "d", "e"]) await create(test, name);
    const sixth = await failureOf(create(test, "f"));
    expect(sixth.code).toBe("LimitExceededException");
    await test.advance(1000);
    await create(test, "f");
    await test.close();
  });
});

describe("DeleteStream", () => {
  it("leaves nothing of the stream behind, and what belongs to others alone", async () => {
    const test = await openContext();
    const { documents, catalogue } = test.context;
    // Of these two, the key of one begins with that of the other.
    for (let i = 1; i <= 11; i++) await create(test, `stream${i}`);
    const { uid } = catalogue.get("stream1");
    const other = catalogue.get("stream11").uid;
    const keys = ["tags", "metrics", "capacity", "consumer/app", "consumer/app/policy"];
    await test.context.log.change(
      [uid, other].flatMap((one) =>
        keys.map((key) => documents.putting(`stream/${one}/${key}`, {})),
      ),
    );
    const reference = { StreamName: "stream1", EnforceConsumerDeletion: true };
    await test.invoke(table, "DeleteStream", reference);
    expect(documents.keys("stream/")).toEqual(keys.map((key) => `stream/${other}/${key}`).sort());
    await test.close();
  });

  it("keeps a stream with consumers unless told otherwise", async () => {
    const test = await openContext();
    await create(test, "clicks");
    const StreamARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    await test.invoke(table, "RegisterStreamConsumer", { StreamARN, ConsumerName: "app" });
    expect((await summaryOf(test, "clicks")).ConsumerCount).toBe(1);
    for (const EnforceConsumerDeletion of [undefined, false]) {
      const input = { StreamName: "clicks", EnforceConsumerDeletion };
      const failure = await failureOf(test.invoke(table, "DeleteStream", input));
      expect(failure.code).toBe("ResourceInUseException");
    }
    await test.invoke(table, "DeleteStream", {
      StreamName: "clicks",
      EnforceConsumerDeletion: true,
    });
    expect(test.context.catalogue.list()).toEqual([]);
    expect(test.context.documents.keys("stream/")).toEqual([]);
    await test.close();
  });
});

describe("ListStreams", () => {
  it("goes through all streams by name, in pages", async () => {
    const test = await openContext();
    for (const name of ["b", "a", "d", "c", "e"]) await create(test, name);
    const first = await test.invoke(table, "ListStreams", { Limit: 2 });
    expect(first.StreamNames).toEqual(["a", "b"]);
    expect(first.HasMoreStreams).toBe(true);
    expect(first.StreamSummaries?.[0]).toEqual({
      StreamName: "a",
      StreamARN: "arn:aws:kinesis:us-east-1:000000000000:stream/a",
      StreamStatus: "ACTIVE",
      StreamModeDetails: { StreamMode: "PROVISIONED" },
      StreamCreationTimestamp: new Date(Date.UTC(2026, 0, 1)),
    });
    const second = await test.invoke(table, "ListStreams", {
      Limit: 2,
      NextToken: first.NextToken,
    });
    expect(second.StreamNames).toEqual(["c", "d"]);
    const last = await test.invoke(table, "ListStreams", { ExclusiveStartStreamName: "d" });
    expect(last.StreamNames).toEqual(["e"]);
    expect(last.HasMoreStreams).toBe(false);
    expect(last.NextToken).toBeUndefined();
    await test.advance(300_001);
    const NextToken = first.NextToken;
    const expired = await failureOf(test.invoke(table, "ListStreams", { NextToken }));
    expect(expired.code).toBe("ExpiredNextTokenException");
    await test.close();
  });

  it("gives 100 streams when nothing else is asked for", async () => {
    const test = await openContext();
    for (let i = 0; i < 101; i++) await create(test, `stream-${String(i).padStart(3, "0")}`);
    const { StreamNames, HasMoreStreams } = await test.invoke(table, "ListStreams", {});
    expect(StreamNames).toHaveLength(100);
    expect(HasMoreStreams).toBe(true);
    await test.close();
  });
});
