import { describe, expect, it } from "vitest";
import { accessKeyPrincipal, framePrincipal } from "../../../src/access/principals.ts";
import { CHANNELS_MAX, findChannel } from "../../../src/channels/channels.ts";
import { deliver } from "../../../src/channels/delivery.ts";
import { NotSupportedError } from "../../../src/errors/index.ts";
import { formatPageToken } from "../../../src/model/page-token.ts";
import type { InputOf } from "../../../src/model/shapes.ts";
import { channelArn, streamArn } from "../../../src/streams/arns.ts";
import { ApiEngine } from "../../support/api-calls.ts";
import { failureOf } from "../../support/failures.ts";
import { ResourceBench } from "../../support/resources.ts";

type NewChannel = InputOf<"CreateChannel">;

const NOW = new Date(Date.UTC(2026, 0, 1));
const ChannelARN = channelArn("lake");
const OWNER = "123456789012";
const bucket = { BucketARN: "arn:aws:s3:::lake-bucket", ExpectedBucketOwner: OWNER };
const queue = { BucketARN: "arn:aws:s3:::errors", ExpectedBucketOwner: OWNER };
const table = {
  TableBucketARN: `arn:aws:s3tables:us-east-1:${OWNER}:bucket/tables`,
  Namespace: "space",
  TableName: "clicks",
  CompressionType: "ZSTD",
} as const;
const schema = `arn:aws:glue:us-east-1:${OWNER}:schema/registry/clicks`;

function source(
  RecordFormatType: "JSON" | "GSR_JSON" | "STRING" | "BYTE_ARRAY",
  withSchema = false,
) {
  return [
    {
      StreamARN: streamArn("clicks"),
      RecordConfiguration: { RecordFormatType, ...(withSchema && { GSRSchemaARN: schema }) },
    },
  ];
}

const toBucket: NewChannel = {
  ChannelName: "lake",
  ServiceExecutionRoleARN: `arn:aws:iam::${OWNER}:role/delivery`,
  StreamConfigurationList: source("JSON"),
  S3DestinationConfiguration: { StorageConfiguration: { ...bucket, CompressionType: "GZIP" } },
};

const { S3DestinationConfiguration: _, ...withoutBucket } = toBucket;
const toTable: NewChannel = {
  ...withoutBucket,
  StreamConfigurationList: source("JSON", true),
  S3TablesDestinationConfiguration: {
    DeadLetterQueueS3Configuration: queue,
    S3TablesConfigurationList: [table],
  },
};

async function withStream(options = {}): Promise<ResourceBench> {
  const bench = await ResourceBench.open(options);
  await bench.createStream("clicks", { mode: "ON_DEMAND" });
  await bench.createStream("fixed");
  return bench;
}

function ofBucket(change: object): NewChannel {
  const { S3DestinationConfiguration } = toBucket;
  return {
    ...toBucket,
    S3DestinationConfiguration: { ...S3DestinationConfiguration, ...change },
  } as NewChannel;
}

function ofTable(change: object): NewChannel {
  const { S3TablesDestinationConfiguration } = toTable;
  return {
    ...toTable,
    S3TablesDestinationConfiguration: { ...S3TablesDestinationConfiguration, ...change },
  } as NewChannel;
}

describe("the typed deletion of a stream", () => {
  it("is refused while channels deliver from it; its consumers go with it", async () => {
    const api = await ApiEngine.open();
    await api.invoke("CreateStream", {
      ...{ StreamName: "clicks", StreamModeDetails: { StreamMode: "ON_DEMAND" } },
    });
    const { ChannelDescription } = await api.invoke("CreateChannel", toBucket);
    const consumer = { StreamARN: streamArn("clicks"), ConsumerName: "app" };
    await api.invoke("RegisterStreamConsumer", consumer);
    const error = await failureOf(api.service.call("deleteStream", { name: "clicks" }));
    expect(error).toMatchObject({ code: "ResourceInUseException", argument: "StreamName" });
    const { ChannelARN: made } = ChannelDescription;
    await api.invoke("DeleteChannel", { ChannelARN: made });
    await api.service.call("deleteStream", { name: "clicks" });
    expect(await api.service.call("listStreams", {})).toEqual([]);
    await api.close();
  });
});

describe("channels", () => {
  it("into a bucket are described with all that was given and every default", async () => {
    const bench = await withStream();
    const { ChannelDescription } = await bench.call("CreateChannel", toBucket);
    const id = ChannelDescription.ChannelId;
    expect(id).toMatch(/^[a-z0-9]{20}-[a-z0-9]{3}$/);
    expect(ChannelDescription).toEqual({
      ChannelName: "lake",
      ChannelARN,
      ChannelId: id,
      ChannelStatus: "ACTIVE",
      ChannelCreationTimestamp: NOW,
      ServiceExecutionRoleARN: toBucket.ServiceExecutionRoleARN,
      StreamConfigurationList: [
        {
          StreamARN: streamArn("clicks"),
          StreamCreationTimestamp: NOW,
          RecordConfiguration: { RecordFormatType: "JSON" },
        },
      ],
      S3DestinationConfiguration: {
        DataFreshnessInSeconds: 300,
        DeadLetterQueueS3Configuration: {
          ...bucket,
          ErrorOutputPrefix: `kinesis-channel/errors/lake/${id}/`,
        },
        StorageConfiguration: {
          ...bucket,
          CompressionType: "GZIP",
          StorageClass: "STANDARD",
          OutputKeyTemplate:
            "kinesis-channel/!{channel-name}/!{channel-id}/!{yyyy}/!{MM}/!{dd}/!{HH}/" +
            "!{channel-name}-!{channel-id}-!{yyyy}-!{MM}-!{dd}-!{HH}-!{mm}!{extension}",
        },
      },
      LoggingConfiguration: { CloudWatchLogs: { Enabled: false } },
    });
    const again = await bench.reopen();
    expect(await again.call("DescribeChannel", { ChannelARN })).toEqual({ ChannelDescription });
  });

  it("into a table likewise", async () => {
    const bench = await withStream();
    const PartitionSpec = { PartitionFields: [{ Transform: "TIME_HOUR", SourceName: "at" }] };
    const EncryptionConfiguration = { EncryptionType: "KMS", KeyId: "alias/mine" } as const;
    const { ChannelDescription } = await bench.call("CreateChannel", {
      ...ofTable({
        DataFreshnessInSeconds: 900,
        DeadLetterQueueS3Configuration: { ...queue, ErrorOutputPrefix: "bad/" },
        S3TablesConfigurationList: [{ ...table, PartitionSpec }],
      }),
      StreamConfigurationList: source("GSR_JSON", true),
      EncryptionConfiguration,
      LoggingConfiguration: { CloudWatchLogs: { Enabled: true } },
    });
    expect(ChannelDescription.S3DestinationConfiguration).toBeUndefined();
    expect(ChannelDescription).toMatchObject({
      EncryptionConfiguration,
      S3TablesDestinationConfiguration: {
        DataFreshnessInSeconds: 900,
        DeadLetterQueueS3Configuration: { ...queue, ErrorOutputPrefix: "bad/" },
        S3TablesConfigurationList: [{ ...table, PartitionSpec }],
      },
      LoggingConfiguration: {
        CloudWatchLogs: {
          Enabled: true,
          LogGroupName: `/aws/kinesis/lake/${ChannelDescription.ChannelId}`,
          LogStreamName: "DestinationDelivery",
        },
      },
    });
  });

  it.each<[string, NewChannel, RegExp]>([
    ["no destination", withoutBucket, /either S3DestinationConfiguration or/],
    ["two destinations", { ...toTable, ...toBucket }, /but not both/],
    [
      "two streams",
      { ...toBucket, StreamConfigurationList: [...source("JSON"), ...source("JSON")] },
      /exactly one stream/,
    ],
    ["two tables", ofTable({ S3TablesConfigurationList: [table, table] }), /exactly one table/],
    [
      "another partition",
      ofTable({
        S3TablesConfigurationList: [
          {
            ...table,
            PartitionSpec: { PartitionFields: [{ Transform: "DAY", SourceName: "at" }] },
          },
        ],
      }),
      /only partition transform is TIME_HOUR/,
    ],
    [
      "registry records for a bucket",
      { ...toBucket, StreamConfigurationList: source("GSR_JSON", true) },
      /one of JSON, STRING, BYTE_ARRAY/,
    ],
    [
      "a schema for a bucket",
      { ...toBucket, StreamConfigurationList: source("JSON", true) },
      /have no schema/,
    ],
    [
      "texts for a table",
      { ...toTable, StreamConfigurationList: source("STRING", true) },
      /one of JSON, GSR_JSON/,
    ],
    [
      "bytes for a table",
      { ...toTable, StreamConfigurationList: source("BYTE_ARRAY", true) },
      /one of JSON, GSR_JSON/,
    ],
    [
      "a table without a schema",
      { ...toTable, StreamConfigurationList: source("GSR_JSON") },
      /a table needs a schema/,
    ],
    [
      "a bucket that is too fresh",
      ofBucket({ DataFreshnessInSeconds: 59 }),
      /from 60 to 900 for a bucket/,
    ],
    ["a bucket that is too stale", ofBucket({ DataFreshnessInSeconds: 901 }), /from 60 to 900/],
    [
      "a table that is too fresh",
      ofTable({ DataFreshnessInSeconds: 299 }),
      /from 300 to 900 for a table/,
    ],
    ["a table that is too stale", ofTable({ DataFreshnessInSeconds: 901 }), /from 300 to 900/],
    [
      "the service's key",
      {
        ...toBucket,
        EncryptionConfiguration: { EncryptionType: "KMS", KeyId: "alias/aws/kinesis" },
      },
      /service key/,
    ],
    ["a reserved tag", { ...toBucket, Tags: { "aws:x": "" } }, /reserved prefix/],
  ])("are refused with %s", async (_name, input, message) => {
    const bench = await withStream();
    const failure = await failureOf(bench.call("CreateChannel", input));
    expect([failure.code, failure.message]).toEqual([
      "InvalidArgumentException",
      expect.stringMatching(message),
    ]);
    expect(await bench.call("ListChannels", {})).toEqual({ ChannelSummaries: [] });
  });

  it.each([60, 300, 900])("take a bucket's freshness of %i s", async (DataFreshnessInSeconds) => {
    const bench = await withStream();
    expect(await bench.codeOf("CreateChannel", ofBucket({ DataFreshnessInSeconds }))).toBe("none");
  });

  it("deliver from streams in on-demand mode that are ACTIVE", async () => {
    const bench = await withStream({ transitionMs: 1000 });
    expect(await bench.codeOf("CreateChannel", toBucket)).toBe("ResourceInUseException");
    await bench.pass(1000);
    const from = (name: string) => ({
      ...toBucket,
      StreamConfigurationList: source("JSON").map((one) => ({
        ...one,
        StreamARN: streamArn(name),
      })),
    });
    expect(await bench.codeOf("CreateChannel", from("fixed"))).toBe("ValidationException");
    expect(await bench.codeOf("CreateChannel", from("none"))).toBe("ResourceNotFoundException");
    expect(await bench.codeOf("CreateChannel", toBucket)).toBe("none");
    expect(await bench.codeOf("CreateChannel", toBucket)).toBe("ResourceInUseException");
  });

  it.each(["null", "5", "[null]", "{", '[{"StreamARN":5}]'])(
    "are not listed by a made-up token with the filter %s",
    async (filter) => {
      const bench = await withStream();
      const issuedMs = bench.test.platform.clock.nowMs();
      const operation = "ListChannels";
      const NextToken = formatPageToken({
        operation,
        streamUid: 0,
        position: "",
        issuedMs,
        filter,
      });
      const error = await failureOf(bench.call("ListChannels", { NextToken }));
      expect(error).toMatchObject({ code: "InvalidArgumentException", argument: "NextToken" });
    },
  );

  it("are ACTIVE at once, whatever a clock that was set back says", async () => {
    const bench = await withStream();
    const status = async () =>
      (await bench.call("DescribeChannel", { ChannelARN })).ChannelDescription.ChannelStatus;
    const { clock } = bench.test.platform;
    await bench.call("CreateChannel", toBucket);
    clock.jumpWall(-3_600_000);
    expect(await status()).toBe("ACTIVE");
    clock.jumpWall(7_200_000);
    const S3DestinationConfiguration = { DataFreshnessInSeconds: 600 };
    await bench.call("UpdateChannel", { ChannelARN, S3DestinationConfiguration });
    clock.jumpWall(-1_800_000);
    expect(await status()).toBe("ACTIVE");
  });

  it("pass through CREATING, UPDATING and DELETING by the clock", async () => {
    const bench = await withStream({ transitionMs: 1000 });
    await bench.pass(1000);
    const status = async () =>
      (await bench.call("DescribeChannel", { ChannelARN })).ChannelDescription.ChannelStatus;
    const { ChannelDescription: created } = await bench.call("CreateChannel", toBucket);
    expect(created.ChannelStatus).toBe("CREATING");
    const update = { ChannelARN, S3DestinationConfiguration: { DataFreshnessInSeconds: 600 } };
    expect(await bench.codeOf("UpdateChannel", update)).toBe("ResourceInUseException");
    await bench.pass(999);
    expect(await status()).toBe("CREATING");
    await bench.pass(1);
    expect(await status()).toBe("ACTIVE");
    const { ChannelDescription: updated } = await bench.call("UpdateChannel", update);
    expect(updated.ChannelStatus).toBe("UPDATING");
    expect(updated.S3DestinationConfiguration).toEqual({
      ...created.S3DestinationConfiguration,
      DataFreshnessInSeconds: 600,
    });
    expect(await bench.codeOf("UpdateChannel", update)).toBe("ResourceInUseException");
    const Tags = { a: "" };
    expect(await bench.codeOf("TagResource", { ResourceARN: ChannelARN, Tags })).toBe(
      "ResourceInUseException",
    );
    await bench.pass(1000);
    expect(await status()).toBe("ACTIVE");
    await bench.call("TagResource", { ResourceARN: ChannelARN, Tags });
    await bench.call("DeleteChannel", { ChannelARN });
    expect(await status()).toBe("DELETING");
    await bench.pass(999);
    await bench.call("DeleteChannel", { ChannelARN });
    expect(await bench.codeOf("CreateChannel", toBucket)).toBe("ResourceInUseException");
    await bench.pass(1);
    expect(await bench.codeOf("DescribeChannel", { ChannelARN })).toBe("ResourceNotFoundException");
    expect(await bench.call("ListChannels", {})).toEqual({ ChannelSummaries: [] });
    const { ChannelDescription: next } = await bench.call("CreateChannel", toBucket);
    expect(next.ChannelId).not.toBe(created.ChannelId);
    expect(await bench.call("ListTagsForResource", { ResourceARN: ChannelARN })).toEqual({
      Tags: [],
    });
  });

  it("are updated in what may change only", async () => {
    const bench = await withStream();
    await bench.call("CreateChannel", toTable);
    const refused: [Omit<InputOf<"UpdateChannel">, "ChannelARN">, RegExp][] = [
      [{}, /nothing to update/],
      [
        { S3DestinationConfiguration: { DataFreshnessInSeconds: 300 } },
        /does not deliver to a bucket/,
      ],
      [{ S3TablesDestinationConfiguration: { DataFreshnessInSeconds: 60 } }, /from 300 to 900/],
    ];
    for (const [change, message] of refused) {
      const failure = await failureOf(bench.call("UpdateChannel", { ChannelARN, ...change }));
      expect([failure.code, failure.message]).toEqual([
        "InvalidArgumentException",
        expect.stringMatching(message),
      ]);
    }
    const CloudWatchLogs = { Enabled: true, LogGroupName: "/mine" };
    const { ChannelDescription } = await bench.call("UpdateChannel", {
      ChannelARN,
      S3TablesDestinationConfiguration: { DataFreshnessInSeconds: 400 },
      LoggingConfiguration: { CloudWatchLogs },
    });
    expect(ChannelDescription.S3TablesDestinationConfiguration?.DataFreshnessInSeconds).toBe(400);
    expect(ChannelDescription.LoggingConfiguration).toEqual({
      CloudWatchLogs: { ...CloudWatchLogs, LogStreamName: "DestinationDelivery" },
    });
  });

  it("are listed in pages, for all streams or some", async () => {
    const bench = await withStream();
    await bench.createStream("views", { mode: "ON_DEMAND" });
    for (const ChannelName of ["d", "a", "c"])
      await bench.call("CreateChannel", { ...toBucket, ChannelName });
    const ofViews = source("JSON").map((one) => ({ ...one, StreamARN: streamArn("views") }));
    await bench.call("CreateChannel", {
      ...toBucket,
      ChannelName: "b",
      StreamConfigurationList: ofViews,
    });
    const first = await bench.call("ListChannels", { MaxResults: 3 });
    expect(first.ChannelSummaries.map(({ ChannelName }) => ChannelName)).toEqual(["a", "b", "c"]);
    const rest = await bench.call("ListChannels", { NextToken: first.NextToken });
    expect(rest.ChannelSummaries.map(({ ChannelName }) => ChannelName)).toEqual(["d"]);
    expect(rest.NextToken).toBeUndefined();
    expect(first.ChannelSummaries[1]).toEqual({
      ChannelName: "b",
      ChannelARN: channelArn("b"),
      ChannelId: expect.any(String),
      ChannelStatus: "ACTIVE",
      ChannelCreationTimestamp: NOW,
      ChannelDestinationType: "S3",
      Streams: [{ StreamARN: streamArn("views"), StreamCreationTimestamp: NOW }],
    });
    const StreamFilter = [{ StreamARN: streamArn("clicks") }];
    const some = await bench.call("ListChannels", { StreamFilter, MaxResults: 2 });
    expect(some.ChannelSummaries.map(({ ChannelName }) => ChannelName)).toEqual(["a", "c"]);
    const more = await bench.call("ListChannels", { NextToken: some.NextToken });
    expect(more.ChannelSummaries.map(({ ChannelName }) => ChannelName)).toEqual(["d"]);
    const older = new Date(NOW.getTime() - 1000);
    const named = (StreamCreationTimestamp: Date) => [
      { StreamARN: streamArn("views"), StreamCreationTimestamp },
    ];
    expect(
      (await bench.call("ListChannels", { StreamFilter: named(NOW) })).ChannelSummaries,
    ).toHaveLength(1);
    expect(
      (await bench.call("ListChannels", { StreamFilter: named(older) })).ChannelSummaries,
    ).toEqual([]);
    const another = { NextToken: some.NextToken, StreamFilter: named(NOW) };
    expect(await bench.codeOf("ListChannels", another)).toBe("InvalidArgumentException");
    await bench.pass(300_001);
    expect(await bench.codeOf("ListChannels", { NextToken: some.NextToken })).toBe(
      "ExpiredNextTokenException",
    );
    expect(await bench.codeOf("ListChannels", { NextToken: "x" })).toBe("InvalidArgumentException");
  });

  it("are so many and no more", async () => {
    const bench = await withStream();
    for (let i = 0; i < CHANNELS_MAX; i++) {
      await bench.call("CreateChannel", { ...toBucket, ChannelName: `c${i}` });
    }
    expect(await bench.codeOf("CreateChannel", toBucket)).toBe("LimitExceededException");
    await bench.call("DeleteChannel", { ChannelARN: channelArn("c7") });
    expect(await bench.codeOf("CreateChannel", toBucket)).toBe("none");
  });

  it("are protected by policies of their own", async () => {
    const bench = await withStream();
    const frame = framePrincipal("https://shop.example");
    expect(await bench.codeOf("CreateChannel", toBucket, frame)).toBe("AccessDeniedException");
    expect(await bench.codeOf("ListChannels", {}, frame)).toBe("AccessDeniedException");
    await bench.call("CreateChannel", toBucket);
    const key = accessKeyPrincipal("AKIA1");
    const statement = (Effect: string, who: string, Action: string) => ({
      Effect,
      Principal: { AWS: who },
      Action,
      Resource: ChannelARN,
    });
    const Statement = [
      statement("Allow", frame, "kinesis:DescribeChannel"),
      statement("Deny", key, "kinesis:*Channel"),
    ];
    await bench.call("PutResourcePolicy", {
      ResourceARN: ChannelARN,
      Policy: JSON.stringify({ Statement }),
    });
    expect(await bench.codeOf("DescribeChannel", { ChannelARN }, frame)).toBe("none");
    expect(await bench.codeOf("DeleteChannel", { ChannelARN }, frame)).toBe(
      "AccessDeniedException",
    );
    const update = { ChannelARN, S3DestinationConfiguration: { DataFreshnessInSeconds: 600 } };
    expect(await bench.codeOf("UpdateChannel", update, key)).toBe("AccessDeniedException");
  });

  it("that are not there are not found", async () => {
    const bench = await withStream();
    expect(await bench.codeOf("DescribeChannel", { ChannelARN })).toBe("ResourceNotFoundException");
    expect(await bench.codeOf("DeleteChannel", { ChannelARN })).toBe("ResourceNotFoundException");
    expect(await bench.codeOf("UpdateChannel", { ChannelARN })).toBe("ResourceNotFoundException");
    const odd = { ChannelARN: `${ChannelARN}/x` };
    expect(await bench.codeOf("DescribeChannel", odd)).toBe("InvalidArgumentException");
  });

  it("deliver nothing, and say why", async () => {
    const bench = await withStream();
    await bench.call("CreateChannel", toBucket);
    const { documents, clock } = bench.context;
    const channel = findChannel(documents, "lake", clock.nowMs());
    if (channel === undefined) throw new Error("no channel");
    expect(() => deliver(channel)).toThrow(NotSupportedError);
    expect(() => deliver(channel)).toThrow(/needs an object store/);
  });
});
