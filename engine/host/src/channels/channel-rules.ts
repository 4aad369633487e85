/** What a channel may be: the rules of CreateChannel and UpdateChannel that the service model does not state, and the defaults. */
import { InvalidArgumentError } from "../errors/index.ts";
import type { InputOf, StructureOf } from "../model/shapes.ts";
import type { ChannelConfiguration } from "./channels.ts";

/**
 * Bounds of DataFreshnessInSeconds. AWS documents the default only; the bounds for tables are those of
 * its channels from Kafka, and buckets take data as often as Firehose's buffers may be emptied.
 */
export const FRESHNESS_SECONDS = {
  bucket: { min: 60, max: 900 },
  table: { min: 300, max: 900 },
} as const;
const FRESHNESS_SECONDS_DEFAULT = 300;

/** What buckets and tables can be made of; JSON does for both. */
const FORMATS = {
  bucket: ["JSON", "STRING", "BYTE_ARRAY"],
  table: ["JSON", "GSR_JSON"],
} as const;
const PARTITION_TRANSFORM = "TIME_HOUR";
/** The service's own key, which customers' channels cannot use. */
const SERVICE_KEY = /(?:^|:)alias\/aws\/kinesis$/;
const KEY_TEMPLATE =
  "kinesis-channel/!{channel-name}/!{channel-id}/!{yyyy}/!{MM}/!{dd}/!{HH}/" +
  "!{channel-name}-!{channel-id}-!{yyyy}-!{MM}-!{dd}-!{HH}-!{mm}!{extension}";
const LOG_STREAM = "DestinationDelivery";

/** Which kind of destination a channel has. */
export type DestinationKind = "bucket" | "table";

/** A channel to be, with what the defaults are made of. */
export interface NewChannel {
  readonly name: string;
  readonly id: string;
}

/**
 * The configuration of a new channel, defaults filled in.
 *
 * @throws InvalidArgumentError for members that do not go together.
 */
export function newConfiguration(
  input: InputOf<"CreateChannel">,
  channel: NewChannel,
): ChannelConfiguration {
  const destination = destinationOf(input, channel);
  const kind = "S3DestinationConfiguration" in destination ? "bucket" : "table";
  const [source, ...others] = input.StreamConfigurationList;
  if (source === undefined || others.length > 0) {
    throw refused("StreamConfigurationList", "a channel delivers from exactly one stream");
  }
  checkRecords(source.RecordConfiguration, kind);
  const { EncryptionConfiguration: encryption } = input;
  if (encryption !== undefined && SERVICE_KEY.test(encryption.KeyId)) {
    throw refused(
      "EncryptionConfiguration.KeyId",
      "the service key aws/kinesis cannot be used, name a key of your own",
    );
  }
  return {
    ServiceExecutionRoleARN: input.ServiceExecutionRoleARN,
    RecordConfiguration: source.RecordConfiguration,
    ...destination,
    ...(encryption === undefined ? {} : { EncryptionConfiguration: encryption }),
    LoggingConfiguration: loggingOf(input.LoggingConfiguration, channel),
  };
}

/**
 * The configuration of a channel after an update.
 *
 * @throws InvalidArgumentError when nothing is updated, or a destination that the channel does not have.
 */
export function updatedConfiguration(
  before: ChannelConfiguration,
  input: InputOf<"UpdateChannel">,
  channel: NewChannel,
): ChannelConfiguration {
  const { S3DestinationConfiguration: bucket, S3TablesDestinationConfiguration: table } = input;
  const { LoggingConfiguration: logging } = input;
  if (bucket === undefined && table === undefined && logging === undefined) {
    throw refused("ChannelARN", "there is nothing to update");
  }
  return {
    ...before,
    ...updatedDestination("S3DestinationConfiguration", before, bucket, "bucket"),
    ...updatedDestination("S3TablesDestinationConfiguration", before, table, "table"),
    ...(logging === undefined ? {} : { LoggingConfiguration: loggingOf(logging, channel) }),
  };
}

function updatedDestination(
  member: "S3DestinationConfiguration" | "S3TablesDestinationConfiguration",
  before: ChannelConfiguration,
  update: { readonly DataFreshnessInSeconds: number } | undefined,
  kind: DestinationKind,
): Partial<ChannelConfiguration> {
  if (update === undefined) return {};
  const destination = before[member];
  if (destination === undefined) throw refused(member, `the channel does not deliver to a ${kind}`);
  return { [member]: { ...destination, ...freshness(update, member, kind) } };
}

function destinationOf(
  input: InputOf<"CreateChannel">,
  channel: NewChannel,
): Pick<ChannelConfiguration, "S3DestinationConfiguration" | "S3TablesDestinationConfiguration"> {
  const { S3DestinationConfiguration: bucket, S3TablesDestinationConfiguration: table } = input;
  if (bucket !== undefined && table === undefined) {
    return { S3DestinationConfiguration: bucketOf(bucket, channel) };
  }
  if (table !== undefined && bucket === undefined) {
    return { S3TablesDestinationConfiguration: tableOf(table, channel) };
  }
  throw refused(
    "S3DestinationConfiguration",
    "you must specify either S3DestinationConfiguration or S3TablesDestinationConfiguration, but not both",
  );
}

function bucketOf(
  bucket: StructureOf<"S3DestinationConfiguration">,
  channel: NewChannel,
): StructureOf<"S3DestinationDescription"> {
  const { StorageConfiguration: storage, DeadLetterQueueS3Configuration: queue } = bucket;
  const { BucketARN, ExpectedBucketOwner } = storage;
  return {
    ...freshness(bucket, "S3DestinationConfiguration", "bucket"),
    DeadLetterQueueS3Configuration: queueOf(queue ?? { BucketARN, ExpectedBucketOwner }, channel),
    StorageConfiguration: {
      OutputKeyTemplate: KEY_TEMPLATE,
      StorageClass: "STANDARD",
      ...given(storage),
    },
  };
}

function tableOf(
  destination: StructureOf<"S3TablesDestinationConfiguration">,
  channel: NewChannel,
): StructureOf<"S3TablesDestinationDescription"> {
  const path = "S3TablesDestinationConfiguration";
  const [table, ...others] = destination.S3TablesConfigurationList;
  if (table === undefined || others.length > 0) {
    throw refused(`${path}.S3TablesConfigurationList`, "a channel delivers to exactly one table");
  }
  const fields = table.PartitionSpec?.PartitionFields ?? [];
  if (fields.some(({ Transform }) => Transform !== PARTITION_TRANSFORM)) {
    throw refused(
      `${path}.S3TablesConfigurationList.PartitionSpec`,
      `the only partition transform is ${PARTITION_TRANSFORM}`,
    );
  }
  return {
    ...freshness(destination, path, "table"),
    DeadLetterQueueS3Configuration: queueOf(destination.DeadLetterQueueS3Configuration, channel),
    S3TablesConfigurationList: [table],
  };
}

function queueOf(
  queue: StructureOf<"DeadLetterQueueS3Configuration">,
  { name, id }: NewChannel,
): StructureOf<"DeadLetterQueueS3Configuration"> {
  return { ErrorOutputPrefix: `kinesis-channel/errors/${name}/${id}/`, ...given(queue) };
}

function freshness(
  {
    DataFreshnessInSeconds: seconds = FRESHNESS_SECONDS_DEFAULT,
  }: {
    readonly DataFreshnessInSeconds?: number | undefined;
  },
  path: string,
  kind: DestinationKind,
): { readonly DataFreshnessInSeconds: number } {
  const { min, max } = FRESHNESS_SECONDS[kind];
  if (seconds >= min && seconds <= max) return { DataFreshnessInSeconds: seconds };
  throw refused(
    `${path}.DataFreshnessInSeconds`,
    `it must be from ${min} to ${max} for a ${kind}`,
    {
      value: seconds,
      limit: `${min} to ${max}`,
    },
  );
}

/** A table needs a schema, and a bucket takes records as they are. */
function checkRecords(
  { RecordFormatType: format, GSRSchemaARN: schema }: StructureOf<"RecordConfiguration">,
  kind: DestinationKind,
): void {
  const path = "StreamConfigurationList.RecordConfiguration";
  const formats: readonly string[] = FORMATS[kind];
  if (!formats.includes(format)) {
    throw refused(
      `${path}.RecordFormatType`,
      `records for a ${kind} are one of ${formats.join(", ")}`,
      { value: format, limit: formats.join(", ") },
    );
  }
  if (kind === "table" && schema === undefined) {
    throw refused(`${path}.GSRSchemaARN`, "a table needs a schema");
  }
  if (kind === "bucket" && schema !== undefined) {
    throw refused(`${path}.GSRSchemaARN`, "records for a bucket have no schema");
  }
}

function loggingOf(
  logging: StructureOf<"ChannelLoggingConfiguration"> | undefined,
  { name, id }: NewChannel,
): StructureOf<"ChannelLoggingConfiguration"> {
  const logs = logging?.CloudWatchLogs;
  if (logs?.Enabled !== true) return { CloudWatchLogs: { ...logs, Enabled: false } };
  const names = { LogGroupName: `/aws/kinesis/${name}/${id}`, LogStreamName: LOG_STREAM };
  return { CloudWatchLogs: { ...names, ...given(logs) } };
}

/** A structure without the members that are not there, so that defaults in front of it stay. */
function given<Structure extends object>(structure: Structure): Structure {
  const members = Object.entries(structure).filter(([, value]) => value !== undefined);
  return Object.fromEntries(members) as Structure;
}

function refused(
  argument: string,
  reason: string,
  details: { readonly value?: string | number; readonly limit?: string } = {},
): InvalidArgumentError {
  return new InvalidArgumentError(`${argument}: ${reason}.`, { argument, ...details });
}
