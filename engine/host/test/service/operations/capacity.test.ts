/** Operations about capacity and the account, over a real core and log. */
import { STATUS_OK, STATUS_RECORD_RATE, STATUS_STREAM_RECORD_RATE } from "@millrace/core/layout";
import { assert } from "chai";
import { framePrincipal } from "../../../src/access/principals.ts";
import {
  AccessDeniedError,
  InvalidArgumentError,
  LimitExceededError,
  type MillraceError,
  ResourceInUseError,
  ResourceNotFoundError,
  ValidationError,
} from "../../../src/errors/index.ts";
import type { StreamDefinition } from "../../../src/log/control-records.ts";
import type { InputOf, OutputOf } from "../../../src/model/shapes.ts";
import { capacityOperations } from "../../../src/service/operations/capacity.ts";
import { channelOperations } from "../../../src/service/operations/channels.ts";
import { channelArn, streamArn } from "../../../src/streams/arns.ts";
import { openShardsOf } from "../../../src/streams/lineage.ts";
import { describeWarmThroughput } from "../../../src/streams/on-demand.ts";
import { type ContextOptions, openContext, type TestContext } from "../../support/operations.ts";

const DAY_MS = 86_400_000;
const MIB = 1_048_576;
const ARN = streamArn("clicks");
const STRANGER = framePrincipal("https://shop.example");

type Name = keyof typeof capacityOperations;

/** A context with one stream, clicks, and calls of this family. */
class Capacity {
  readonly test: TestContext;

  constructor(test: TestContext) {
    this.test = test;
  }

  static async open(
    mode: StreamDefinition["mode"],
    shards = 2,
    options: ContextOptions = {},
  ): Promise<Capacity> {
    const test = await openContext({ quotas: "aws", ...options });
    const spec = { name: "clicks", shards, retentionHours: 24, recordKibMax: 1024, mode };
    await test.context.catalogue.create(spec);
    await test.advance(options.transitionMs ?? 0);
    return new Capacity(test);
  }

  get stream(): StreamDefinition {
    return this.test.context.catalogue.get("clicks");
  }

  get status(): string {
    return this.test.context.catalogue.status(this.stream);
  }

  async call<N extends Name>(name: N, input: InputOf<N>, principal?: string): Promise<OutputOf<N>> {
    return await this.test.invoke(capacityOperations, name, input, principal);
  }

  async refused<E extends MillraceError, N extends Name>(
    type: new (message: string) => E,
    name: N,
    input: InputOf<N>,
    principal?: string,
  ): Promise<E> {
    try {
      await this.call(name, input, principal);
    } catch (error) {
      if (error instanceof type) return error;
      throw error;
    }
    return assert.fail(`${name} should have thrown ${type.name}`);
  }

  async mode(StreamMode: "PROVISIONED" | "ON_DEMAND", WarmThroughputMiBps?: number): Promise<void> {
    const input = { StreamARN: ARN, StreamModeDetails: { StreamMode }, WarmThroughputMiBps };
    await this.call("UpdateStreamMode", input);
  }

  async commitment(Status: "ENABLED" | "DISABLED") {
    const input = { MinimumThroughputBillingCommitment: { Status } };
    const { MinimumThroughputBillingCommitment: output } = await this.call(
      "UpdateAccountSettings",
      input,
    );
    return output;
  }

  /** Statuses of so many small records that are put at once. */
  async statuses(count: number): Promise<number[]> {
    const records = Array.from({ length: count }, (_, i) => ({
      key: `k${i}`,
      data: new Uint8Array(1),
    }));
    return (await this.test.put(this.stream, records)).map(({ status }) => status);
  }
}

describe("UpdateStreamMode", () => {
  it("keeps a stream on-demand while channels deliver from it", async () => {
    const capacity = await Capacity.open("ON_DEMAND");
    const { context } = capacity.test;
    const createChannel = async (ChannelName: string): Promise<void> => {
      await capacity.test.invoke(channelOperations, "CreateChannel", {
        ChannelName,
        ServiceExecutionRoleARN: "arn:aws:iam::123456789012:role/delivery",
        StreamConfigurationList: [
          { StreamARN: ARN, RecordConfiguration: { RecordFormatType: "JSON" } },
        ],
        S3DestinationConfiguration: {
          StorageConfiguration: {
            ...{ BucketARN: "arn:aws:s3:::lake", ExpectedBucketOwner: "123456789012" },
            CompressionType: "GZIP",
          },
        },
      });
    };
    await createChannel("lake");
    const StreamModeDetails = { StreamMode: "PROVISIONED" } as const;
    const input = { StreamARN: ARN, StreamModeDetails };
    const error = await capacity.refused(ResourceInUseError, "UpdateStreamMode", input);
    assert.include(error.message, "lake");
    assert.equal(capacity.stream.mode, "ON_DEMAND");
    assert.equal((await capacity.call("DescribeLimits", {})).ChannelCount, 1);
    const ChannelARN = channelArn("lake");
    await capacity.test.invoke(channelOperations, "DeleteChannel", { ChannelARN });
    await capacity.mode("PROVISIONED");
    // Neither the refused call nor what is left of a channel counts.
    await capacity.mode("ON_DEMAND");
    await context.log.change([context.documents.putting("channel/lake/tags", {})]);
    assert.equal((await capacity.call("DescribeLimits", {})).ChannelCount, 0);
  });

  it("makes a stream on-demand with the shards that it has, and their capacity", async () => {
    const capacity = await Capacity.open("PROVISIONED", 6);
    const before = capacity.stream.shards;
    await capacity.mode("ON_DEMAND");
    assert.equal(capacity.stream.mode, "ON_DEMAND");
    assert.deepEqual(capacity.stream.shards, before);
    assert.deepEqual(capacity.stream.writeCapacity, {
      recordsPerSecond: 6_000,
      bytesPerSecond: 6 * MIB,
    });
    const statuses = await capacity.statuses(6_001);
    assert.equal(statuses[5_999], STATUS_OK);
    assert.equal(statuses[6_000], STATUS_STREAM_RECORD_RATE);
  });

  it("gives a stream of few shards the 4 of a new one", async () => {
    const capacity = await Capacity.open("PROVISIONED", 1);
    await capacity.mode("ON_DEMAND");
    assert.equal(openShardsOf(capacity.stream).length, 4);
    assert.equal(capacity.stream.writeCapacity?.recordsPerSecond, 4_000);
  });

  it("makes a stream provisioned with the shards that it has, and quotas of their own", async () => {
    const capacity = await Capacity.open("ON_DEMAND");
    await capacity.call("UpdateStreamRecordDistributionStrategy", {
      StreamARN: ARN,
      RecordDistributionStrategy: "AUTO",
    });
    await capacity.mode("PROVISIONED");
    const { mode, writeCapacity, distribution } = capacity.stream;
    assert.deepEqual([mode, writeCapacity], ["PROVISIONED", null]);
    assert.equal(distribution, "USER_PARTITION_KEY");
    assert.equal(openShardsOf(capacity.stream).length, 4);
    const same = Array.from({ length: 1_001 }, () => ({ key: "same", data: new Uint8Array(1) }));
    const rows = await capacity.test.put(capacity.stream, same);
    assert.equal(rows.at(-1)?.status, STATUS_RECORD_RATE);
    const { documents } = capacity.test.context;
    const kept = documents.keys(`stream/${capacity.stream.uid}/`);
    assert.deepEqual(kept, [`stream/${capacity.stream.uid}/scaling`]);
  });

  it("does so twice in 24 hours, and says when it does so again", async () => {
    const capacity = await Capacity.open("PROVISIONED");
    await capacity.mode("ON_DEMAND");
    await capacity.test.advance(3_600_000);
    await capacity.mode("PROVISIONED");
    const input = { StreamARN: ARN, StreamModeDetails: { StreamMode: "ON_DEMAND" } } as const;
    const error = await capacity.refused(LimitExceededError, "UpdateStreamMode", input);
    assert.equal(error.retryAfterMs, DAY_MS - 3_600_000);
    await capacity.mode("PROVISIONED");
    capacity.test.platform.clock.advanceBy(DAY_MS - 3_600_000);
    await capacity.mode("ON_DEMAND");
    assert.equal(capacity.stream.mode, "ON_DEMAND");
  });

  it("counts no changes of a clock that was set back by more than a day", async () => {
    const capacity = await Capacity.open("PROVISIONED");
    await capacity.mode("ON_DEMAND");
    await capacity.mode("PROVISIONED");
    capacity.test.platform.clock.jumpWall(-30 * DAY_MS);
    await capacity.mode("ON_DEMAND");
    assert.equal(capacity.stream.mode, "ON_DEMAND");
  });

  it("keeps what UpdateShardCount counts of the same stream", async () => {
    const capacity = await Capacity.open("PROVISIONED");
    const { context } = capacity.test;
    const key = `stream/${capacity.stream.uid}/scaling`;
    await context.catalogue.change(() => [context.documents.putting(key, { shardCountMs: [7] })]);
    await capacity.mode("ON_DEMAND");
    const nowMs = context.clock.nowMs();
    assert.deepEqual(context.documents.get(key), { shardCountMs: [7], modeMs: [nowMs] });
  });

  it("shows UPDATING for a while, and refuses further changes meanwhile", async () => {
    const capacity = await Capacity.open("PROVISIONED", 2, { transitionMs: 500 });
    await capacity.mode("ON_DEMAND");
    assert.equal(capacity.status, "UPDATING");
    const input = { StreamARN: ARN, StreamModeDetails: { StreamMode: "PROVISIONED" } } as const;
    await capacity.refused(ResourceInUseError, "UpdateStreamMode", input);
    await capacity.test.advance(500);
    assert.equal(capacity.status, "ACTIVE");
    await capacity.mode("PROVISIONED");
  });

  it("refuses a 51st on-demand stream, a stream that is not there, and strangers", async () => {
    const capacity = await Capacity.open("PROVISIONED");
    const { catalogue } = capacity.test.context;
    for (let i = 0; i < 50; i++) {
      const spec = {
        shards: 0,
        retentionHours: 24,
        recordKibMax: 1024,
        mode: "ON_DEMAND",
      } as const;
      await catalogue.create({ ...spec, name: `s${i}` });
    }
    const details = { StreamModeDetails: { StreamMode: "ON_DEMAND" } } as const;
    const input = { StreamARN: ARN, ...details };
    const error = await capacity.refused(LimitExceededError, "UpdateStreamMode", input);
    assert.equal(error.limit, 50);
    const other = { StreamARN: streamArn("nothing"), ...details };
    await capacity.refused(ResourceNotFoundError, "UpdateStreamMode", other);
    await capacity.refused(AccessDeniedError, "UpdateStreamMode", input, STRANGER);
    assert.equal(capacity.stream.mode, "PROVISIONED");
  });

  it("takes a warm throughput for on-demand mode only", async () => {
    const capacity = await Capacity.open("PROVISIONED");
    await capacity.commitment("ENABLED");
    const input = {
      StreamARN: ARN,
      StreamModeDetails: { StreamMode: "PROVISIONED" },
      WarmThroughputMiBps: 10,
    } as const;
    await capacity.refused(ValidationError, "UpdateStreamMode", input);
    await capacity.mode("ON_DEMAND", 10);
    assert.equal(capacity.stream.writeCapacity?.bytesPerSecond, 10 * MIB);
    assert.equal(openShardsOf(capacity.stream).length, 16);
    await capacity.mode("ON_DEMAND", 20);
    assert.equal(capacity.stream.writeCapacity?.bytesPerSecond, 20 * MIB);
    await capacity.mode("PROVISIONED");
    assert.isUndefined(
      describeWarmThroughput(capacity.test.context.documents, capacity.stream, false),
    );
  });
});

describe("UpdateStreamWarmThroughput", () => {
  it("scales a stream up, and down again", async () => {
    const capacity = await Capacity.open("ON_DEMAND");
    await capacity.commitment("ENABLED");
    const output = await capacity.call("UpdateStreamWarmThroughput", {
      StreamName: "clicks",
      WarmThroughputMiBps: 40,
    });
    assert.deepEqual(output, {
      StreamName: "clicks",
      StreamARN: ARN,
      WarmThroughput: { TargetMiBps: 40, CurrentMiBps: 40 },
    });
    assert.equal(openShardsOf(capacity.stream).length, 64);
    assert.isTrue((await capacity.statuses(10_000)).every((status) => status === STATUS_OK));
    const down = { StreamARN: ARN, WarmThroughputMiBps: 0 };
    const after = await capacity.call("UpdateStreamWarmThroughput", down);
    assert.deepEqual(after.WarmThroughput, { TargetMiBps: 0, CurrentMiBps: 4 });
    assert.equal(openShardsOf(capacity.stream).length, 4);
  });

  it("shows what the stream was scaled to while it is UPDATING", async () => {
    const capacity = await Capacity.open("ON_DEMAND", 4, { transitionMs: 1_000 });
    await capacity.commitment("ENABLED");
    const input = { StreamName: "clicks", WarmThroughputMiBps: 8 };
    const output = await capacity.call("UpdateStreamWarmThroughput", input);
    assert.deepEqual(output.WarmThroughput, { TargetMiBps: 8, CurrentMiBps: 4 });
    await capacity.refused(ResourceInUseError, "UpdateStreamWarmThroughput", input);
    await capacity.test.advance(1_000);
    const { documents } = capacity.test.context;
    const later = describeWarmThroughput(documents, capacity.stream, false);
    assert.deepEqual(later, { TargetMiBps: 8, CurrentMiBps: 8 });
  });

  it("needs On-demand Advantage, on-demand mode, at most 10 GiB/s and shards enough", async () => {
    const capacity = await Capacity.open("ON_DEMAND");
    const input = (WarmThroughputMiBps: number) => ({ StreamName: "clicks", WarmThroughputMiBps });
    const warm = "UpdateStreamWarmThroughput";
    const without = await capacity.refused(ValidationError, warm, input(10));
    assert.match(without.message, /MinimumThroughputBillingCommitment/);
    await capacity.commitment("ENABLED");
    const over = await capacity.refused(ValidationError, warm, input(10_241));
    assert.equal(over.limit, 10_240);
    await capacity.refused(LimitExceededError, warm, input(10_240));
    await capacity.refused(LimitExceededError, warm, input(501));
    await capacity.refused(InvalidArgumentError, warm, { WarmThroughputMiBps: 10 });
    assert.equal(capacity.stream.writeCapacity?.recordsPerSecond, 4_000);
    await capacity.call(warm, input(500));
    assert.equal(openShardsOf(capacity.stream).length, 500);
    await capacity.mode("PROVISIONED");
    await capacity.refused(ValidationError, warm, input(10));
  });
});

describe("UpdateStreamRecordDistributionStrategy", () => {
  const strategy = (RecordDistributionStrategy: "AUTO" | "USER_PARTITION_KEY") => {
    return { StreamARN: ARN, RecordDistributionStrategy };
  };
  const operation = "UpdateStreamRecordDistributionStrategy";

  it("spreads records over all shards from then on, with or without a key, and back", async () => {
    const capacity = await Capacity.open("ON_DEMAND", 4, { transitionMs: 1_000 });
    await capacity.call(operation, strategy("AUTO"));
    assert.equal(capacity.status, "ACTIVE", "it takes effect at once");
    const records = Array.from({ length: 8 }, (_, i) => ({
      key: i < 4 ? "same" : "",
      data: new Uint8Array(1),
    }));
    const rows = await capacity.test.put(capacity.stream, records);
    assert.deepEqual(
      rows.map(({ shardIndex }) => shardIndex),
      [0, 1, 2, 3, 0, 1, 2, 3],
    );
    await capacity.call(operation, strategy("USER_PARTITION_KEY"));
    const again = await capacity.test.put(capacity.stream, records.slice(0, 4));
    assert.equal(new Set(again.map(({ shardIndex }) => shardIndex)).size, 1);
  });

  it("is for on-demand streams, with the error that AWS documents for each strategy", async () => {
    const capacity = await Capacity.open("PROVISIONED");
    await capacity.refused(InvalidArgumentError, operation, strategy("AUTO"));
    await capacity.refused(ValidationError, operation, strategy("USER_PARTITION_KEY"));
    await capacity.refused(AccessDeniedError, operation, strategy("AUTO"), STRANGER);
    const other = { ...strategy("AUTO"), StreamARN: streamArn("nothing") };
    await capacity.refused(ResourceNotFoundError, operation, other);
  });
});

describe("UpdateMaxRecordSize", () => {
  it("takes larger records from then on", async () => {
    const capacity = await Capacity.open("PROVISIONED", 1);
    const record = { key: "k", data: new Uint8Array(2 * MIB) };
    const refused = await capacity.test.put(capacity.stream, [record]).catch((error) => error);
    assert.instanceOf(refused, Error);
    await capacity.call("UpdateMaxRecordSize", { StreamARN: ARN, MaxRecordSizeInKiB: 4_096 });
    assert.equal(capacity.stream.recordKibMax, 4_096);
    const [row] = await capacity.test.put(capacity.stream, [record]);
    assert.equal(row?.status, STATUS_OK);
  });

  it("is from 1 to 10 MiB, of an ACTIVE stream, for principals of the account", async () => {
    const capacity = await Capacity.open("PROVISIONED", 1, { transitionMs: 100 });
    const input = { StreamARN: ARN, MaxRecordSizeInKiB: 10_240 };
    const operation = "UpdateMaxRecordSize";
    for (const MaxRecordSizeInKiB of [1_023, 10_241]) {
      await capacity.refused(ValidationError, operation, { ...input, MaxRecordSizeInKiB });
    }
    await capacity.refused(InvalidArgumentError, operation, { MaxRecordSizeInKiB: 2_048 });
    await capacity.refused(AccessDeniedError, operation, input, STRANGER);
    await capacity.call(operation, input);
    await capacity.refused(ResourceInUseError, operation, input);
    await capacity.test.advance(100);
    await capacity.call(operation, { ...input, MaxRecordSizeInKiB: 1_024 });
    assert.equal(capacity.stream.recordKibMax, 1_024);
  });
});

describe("the account", () => {
  it("says how many shards, streams and channels there may be, and are", async () => {
    const capacity = await Capacity.open("ON_DEMAND");
    const { context } = capacity.test;
    const spec = { name: "more", shards: 3, retentionHours: 24, recordKibMax: 1024 };
    await context.catalogue.create(spec);
    await context.catalogue.change(() => [
      context.documents.putting("channel/one", {}),
      context.documents.putting("channel/one/tags", {}),
    ]);
    assert.deepEqual(await capacity.call("DescribeLimits", {}), {
      ShardLimit: 500,
      OpenShardCount: 7,
      OnDemandStreamCount: 1,
      OnDemandStreamCountLimit: 50,
      ChannelCount: 1,
      ChannelCountLimit: 50,
    });
    for (const operation of ["DescribeLimits", "DescribeAccountSettings"] as const) {
      await capacity.refused(AccessDeniedError, operation, {}, STRANGER);
    }
  });

  it("has no commitment at first, and one from when it is enabled until a day later at least", async () => {
    const capacity = await Capacity.open("ON_DEMAND");
    const { clock } = capacity.test.context;
    const describe = async () => {
      const settings = await capacity.call("DescribeAccountSettings", {});
      return settings.MinimumThroughputBillingCommitment;
    };
    assert.deepEqual(await describe(), { Status: "DISABLED" });
    assert.deepEqual(await capacity.commitment("DISABLED"), { Status: "DISABLED" });
    const startedMs = clock.nowMs();
    const times = {
      StartedAt: new Date(startedMs),
      EarliestAllowedEndAt: new Date(startedMs + DAY_MS),
    };
    assert.deepEqual(await capacity.commitment("ENABLED"), { Status: "ENABLED", ...times });
    await capacity.test.advance(3_600_000);
    assert.deepEqual(await capacity.commitment("ENABLED"), { Status: "ENABLED", ...times });
    const ended = { ...times, EndedAt: times.EarliestAllowedEndAt };
    const until = { Status: "ENABLED_UNTIL_EARLIEST_ALLOWED_END", ...ended };
    assert.deepEqual(await capacity.commitment("DISABLED"), until);
    assert.deepEqual(await capacity.commitment("ENABLED"), { Status: "ENABLED", ...times });
    await capacity.commitment("DISABLED");
    await capacity.call("UpdateStreamWarmThroughput", {
      StreamName: "clicks",
      WarmThroughputMiBps: 5,
    });
    capacity.test.platform.clock.advanceBy(DAY_MS);
    assert.deepEqual(await describe(), { Status: "DISABLED", ...ended });
    const warm = { StreamName: "clicks", WarmThroughputMiBps: 5 };
    await capacity.refused(ValidationError, "UpdateStreamWarmThroughput", warm);
    const again = await capacity.commitment("ENABLED");
    assert.equal(again?.StartedAt?.getTime(), clock.nowMs());
    capacity.test.platform.clock.advanceBy(2 * DAY_MS);
    const over = await capacity.commitment("DISABLED");
    assert.equal(over?.Status, "DISABLED");
    assert.equal(over?.EndedAt?.getTime(), clock.nowMs());
  });

  it("keeps its settings over a restart", async () => {
    const capacity = await Capacity.open("ON_DEMAND");
    const before = await capacity.commitment("ENABLED");
    await capacity.test.close();
    const test = await openContext({ platform: capacity.test.platform.restart() });
    const after = await new Capacity(test).call("DescribeAccountSettings", {});
    assert.deepEqual(after.MinimumThroughputBillingCommitment, before);
  });
});
