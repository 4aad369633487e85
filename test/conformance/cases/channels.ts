/** Cases of the channel operations: a state machine; delivery needs an object store. */
import { assert } from "vitest";
import {
  CONTROL_RATES,
  createOnDemand,
  createStream,
  fails,
  type Input,
  SLOW_TRANSITIONS,
  STREAM,
  STREAM_ARN,
  succeeds,
  untilRefused,
  type World,
} from "../world.ts";

const CHANNEL_ARN = STREAM_ARN.replace(`stream/${STREAM}`, "channel/lake");
const MISSING_ARN = STREAM_ARN.replace(`stream/${STREAM}`, "channel/missing");

const BUCKET = {
  BucketARN: "arn:aws:s3:::shop-lake",
  ExpectedBucketOwner: "000000000000",
};

function channel(rest: object = {}): Input<"CreateChannel"> {
  return {
    ChannelName: "lake",
    ServiceExecutionRoleARN: "arn:aws:iam::000000000000:role/delivery",
    StreamConfigurationList: [
      { StreamARN: STREAM_ARN, RecordConfiguration: { RecordFormatType: "JSON" } },
    ],
    S3DestinationConfiguration: {
      DataFreshnessInSeconds: 300,
      StorageConfiguration: { ...BUCKET, CompressionType: "GZIP" },
    },
    ...rest,
  } as Input<"CreateChannel">;
}

async function created(world: World): Promise<void> {
  await createOnDemand(world);
  await world.advance(1001);
  await world.call("CreateChannel", channel());
  await world.advance(1001);
}

succeeds("CreateChannel", "answers the channel as it will be", async (world) => {
  await createOnDemand(world);
  const { ChannelDescription: made } = await world.call(
    "CreateChannel",
    channel({ Tags: { team: "shop" } }),
  );
  assert.equal(made.ChannelName, "lake");
  assert.equal(made.ChannelARN, CHANNEL_ARN);
  assert.equal(made.ChannelStatus, "ACTIVE");
  assert.instanceOf(made.ChannelCreationTimestamp, Date);
  assert.equal(made.StreamConfigurationList[0]?.StreamARN, STREAM_ARN);
});
fails("CreateChannel", "ResourceInUseException", "a name that is taken", async (world) => {
  await created(world);
  await world.call("CreateChannel", channel());
});
fails("CreateChannel", "ResourceNotFoundException", "no such stream", (world) =>
  world.call("CreateChannel", channel()),
);
fails("CreateChannel", "InvalidArgumentException", "no destination", async (world) => {
  await createOnDemand(world);
  await world.call("CreateChannel", channel({ S3DestinationConfiguration: undefined }));
});
fails("CreateChannel", "ValidationException", "a provisioned stream", async (world) => {
  await createStream(world);
  await world.call("CreateChannel", channel());
});
fails(
  "CreateChannel",
  "LimitExceededException",
  "over 5 calls a second",
  (world) =>
    untilRefused(() =>
      world.call("CreateChannel", channel()).catch((error: unknown) => {
        if ((error as Error).name !== "ResourceNotFoundException") throw error;
      }),
    ),
  CONTROL_RATES,
);

succeeds(
  "DescribeChannel",
  "shows its state",
  async (world) => {
    await createOnDemand(world);
    await world.advance(1001);
    await world.call("CreateChannel", channel());
    const before = await world.call("DescribeChannel", { ChannelARN: CHANNEL_ARN });
    assert.equal(before.ChannelDescription.ChannelStatus, "CREATING");
    await world.advance(1001);
    const { ChannelDescription: after } = await world.call("DescribeChannel", {
      ChannelARN: CHANNEL_ARN,
    });
    assert.equal(after.ChannelStatus, "ACTIVE");
    assert.isString(after.ChannelId);
    assert.isFalse(after.LoggingConfiguration.CloudWatchLogs.Enabled);
  },
  SLOW_TRANSITIONS,
);
succeeds("ListChannels", "those of a stream, page by page", async (world) => {
  await createOnDemand(world);
  for (const ChannelName of ["a", "b"]) await world.call("CreateChannel", channel({ ChannelName }));
  const first = await world.call("ListChannels", { MaxResults: 1 });
  assert.equal(first.ChannelSummaries[0]?.ChannelName, "a");
  assert.equal(first.ChannelSummaries[0]?.Streams[0]?.StreamARN, STREAM_ARN);
  const second = await world.call("ListChannels", { NextToken: first.NextToken });
  assert.equal(second.ChannelSummaries[0]?.ChannelName, "b");
  const none = await world.call("ListChannels", {
    StreamFilter: [{ StreamARN: STREAM_ARN.replace(STREAM, "missing") }],
  });
  assert.deepEqual(none.ChannelSummaries, []);
});
fails("ListChannels", "ExpiredNextTokenException", "a token of five minutes ago", async (world) => {
  await createOnDemand(world);
  for (const ChannelName of ["a", "b"]) await world.call("CreateChannel", channel({ ChannelName }));
  const { NextToken } = await world.call("ListChannels", { MaxResults: 1 });
  await world.advance(301_000);
  await world.call("ListChannels", { NextToken });
});
fails("ListChannels", "InvalidArgumentException", "a token that is none", (world) =>
  world.call("ListChannels", { NextToken: "garbage" }),
);
fails("ListChannels", "ValidationException", "no results wanted", (world) =>
  world.call("ListChannels", { MaxResults: 0 }),
);
fails(
  "ListChannels",
  "LimitExceededException",
  "over 5 calls a second",
  (world) => untilRefused(() => world.call("ListChannels", {})),
  CONTROL_RATES,
);

function update(world: World, ChannelARN = CHANNEL_ARN, rest: object = {}) {
  return world.call("UpdateChannel", {
    ChannelARN,
    S3DestinationConfiguration: { DataFreshnessInSeconds: 600 },
    ...rest,
  });
}

succeeds(
  "UpdateChannel",
  "changes the freshness",
  async (world) => {
    await created(world);
    const { ChannelDescription } = await update(world);
    assert.equal(ChannelDescription.ChannelStatus, "UPDATING");
    await world.advance(1001);
    const { ChannelDescription: after } = await world.call("DescribeChannel", {
      ChannelARN: CHANNEL_ARN,
    });
    assert.equal(after.S3DestinationConfiguration?.DataFreshnessInSeconds, 600);
  },
  SLOW_TRANSITIONS,
);
fails(
  "UpdateChannel",
  "ResourceInUseException",
  "the channel is being updated",
  async (world) => {
    await created(world);
    await update(world);
    await update(world);
  },
  SLOW_TRANSITIONS,
);
succeeds("DeleteChannel", "is gone afterwards", async (world) => {
  await created(world);
  await world.call("DeleteChannel", { ChannelARN: CHANNEL_ARN });
  const { ChannelSummaries } = await world.call("ListChannels", {});
  assert.deepEqual(ChannelSummaries, []);
});

for (const operation of ["DescribeChannel", "UpdateChannel", "DeleteChannel"] as const) {
  const call = (world: World, ChannelARN: string): Promise<unknown> =>
    operation === "UpdateChannel"
      ? update(world, ChannelARN)
      : world.callRaw(operation, { ChannelARN });
  fails(operation, "ResourceNotFoundException", "no such channel", (world) =>
    call(world, MISSING_ARN),
  );
  fails(operation, "ValidationException", "an ARN that is none", (world) =>
    call(world, "arn:aws:s3:::bucket"),
  );
  fails(
    operation,
    "LimitExceededException",
    "over 5 calls a second",
    (world) =>
      untilRefused(() =>
        call(world, MISSING_ARN).catch((error: unknown) => {
          if ((error as Error).name !== "ResourceNotFoundException") throw error;
        }),
      ),
    CONTROL_RATES,
  );
}

const TABLES = {
  S3DestinationConfiguration: undefined,
  StreamConfigurationList: [
    {
      StreamARN: STREAM_ARN,
      RecordConfiguration: {
        RecordFormatType: "GSR_JSON",
        GSRSchemaARN: "arn:aws:glue:us-east-1:000000000000:schema/shop/clicks",
      },
    },
  ],
  S3TablesDestinationConfiguration: {
    DataFreshnessInSeconds: 600,
    DeadLetterQueueS3Configuration: { ...BUCKET, ErrorOutputPrefix: "errors/" },
    S3TablesConfigurationList: [
      {
        TableBucketARN: "arn:aws:s3tables:us-east-1:000000000000:bucket/tables",
        Namespace: "shop",
        TableName: "clicks",
        CompressionType: "ZSTD",
        PartitionSpec: { PartitionFields: [{ Transform: "TIME_HOUR", SourceName: "at" }] },
      },
    ],
  },
  LoggingConfiguration: {
    CloudWatchLogs: { Enabled: true, LogGroupName: "/shop/lake", LogStreamName: "delivery" },
  },
};

succeeds("CreateChannel", "into tables, with a schema and a log", async (world) => {
  await createOnDemand(world);
  const { ChannelDescription: made } = await world.call("CreateChannel", channel(TABLES));
  const [table] = made.S3TablesDestinationConfiguration?.S3TablesConfigurationList ?? [];
  assert.equal(table?.PartitionSpec?.PartitionFields[0]?.SourceName, "at");
  assert.equal(made.LoggingConfiguration.CloudWatchLogs.LogGroupName, "/shop/lake");
});
succeeds("DescribeChannel", "shows tables as they were made", async (world) => {
  await createOnDemand(world);
  const { ChannelDescription: made } = await world.call("CreateChannel", channel(TABLES));
  const { ChannelDescription: shown } = await world.call("DescribeChannel", {
    ChannelARN: CHANNEL_ARN,
  });
  assert.deepEqual(shown, made);
});
succeeds("UpdateChannel", "changes the freshness of tables", async (world) => {
  await createOnDemand(world);
  await world.call("CreateChannel", channel(TABLES));
  const { ChannelDescription: changed } = await world.call("UpdateChannel", {
    ChannelARN: CHANNEL_ARN,
    S3TablesDestinationConfiguration: { DataFreshnessInSeconds: 900 },
  });
  assert.equal(changed.S3TablesDestinationConfiguration?.DataFreshnessInSeconds, 900);
});
fails(
  "UpdateChannel",
  "InvalidArgumentException",
  "a destination it does not have",
  async (world) => {
    await createOnDemand(world);
    await world.call("CreateChannel", channel());
    await world.call("UpdateChannel", {
      ChannelARN: CHANNEL_ARN,
      S3TablesDestinationConfiguration: { DataFreshnessInSeconds: 600 },
    });
  },
);
