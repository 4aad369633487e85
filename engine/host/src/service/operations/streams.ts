/** CreateStream, DeleteStream, DescribeStream, DescribeStreamSummary, ListStreams. */

import { channelsOf, requireNoChannels } from "../../channels/channels.ts";
import { ACCOUNT_ID, ResourceInUseError, ValidationError } from "../../errors/index.ts";
import type { ControlRecord, StreamDefinition } from "../../log/control-records.ts";
import { formatPageToken } from "../../model/page-token.ts";
import type { InputOf, StructureOf } from "../../model/shapes.ts";
import { streamArn } from "../../streams/arns.ts";
import { consumersOf } from "../../streams/consumers.ts";
import { streamKey, streamPrefix } from "../../streams/documents.ts";
import { openShardsOf } from "../../streams/lineage.ts";
import type { NewStream } from "../../streams/new-stream.ts";
import {
  checkWarmThroughput,
  describeWarmThroughput,
  puttingWarmThroughput,
} from "../../streams/on-demand.ts";
import { nameOf } from "../../streams/stream-reference.ts";
import { taggingRecords } from "../../streams/tags.ts";
import { locateStream } from "./located-stream.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";
import { pageOf, readPageToken } from "./pages.ts";
import { streamResource } from "./resources.ts";
import { requireShardIndex, shardOutput } from "./shard-outputs.ts";

/** Retention and record size of a stream that is created without saying so. */
const RETENTION_HOURS = 24;
const RECORD_KIB_MAX = 1024;
/** Streams, or shards, of one page when the call does not say. */
const PAGE_SIZE = 100;

const createStream: Operation<"CreateStream"> = async (context, input, { principal }) => {
  context.access.checkAccount(principal, "CreateStream");
  const spec = specOf(input);
  if (spec.warmMibps !== undefined) {
    const nowMs = context.clock.nowMs();
    checkWarmThroughput(context.documents, spec.mode ?? "PROVISIONED", spec.warmMibps, nowMs);
  }
  await context.catalogue.create(spec, (stream) => belongings(context, stream, input));
  return undefined;
};

/** What a stream is created with. @throws ValidationError for members that do not go together. */
function specOf(input: InputOf<"CreateStream">): NewStream {
  const mode = input.StreamModeDetails?.StreamMode ?? "PROVISIONED";
  const distribution = input.RecordDistributionStrategy ?? "USER_PARTITION_KEY";
  if (mode === "PROVISIONED" && input.ShardCount === undefined) {
    throw new ValidationError("ShardCount is required for streams in PROVISIONED mode.", {
      argument: "ShardCount",
    });
  }
  return {
    name: input.StreamName,
    // AWS takes a shard count for an on-demand stream, too, and does not heed it.
    shards: input.ShardCount ?? 0,
    retentionHours: RETENTION_HOURS,
    recordKibMax: input.MaxRecordSizeInKiB ?? RECORD_KIB_MAX,
    mode,
    distribution,
    ...(input.WarmThroughputMiBps === undefined ? {} : { warmMibps: input.WarmThroughputMiBps }),
  };
}

/** Documents that are committed with a new stream. */
function belongings(
  context: OperationContext,
  stream: StreamDefinition,
  input: InputOf<"CreateStream">,
): ControlRecord[] {
  const { documents } = context;
  const resource = { label: `stream ${stream.name}`, key: streamPrefix(stream.uid) };
  const tags = taggingRecords(documents, resource, input.Tags ?? {});
  if (input.WarmThroughputMiBps === undefined) return tags;
  return [...tags, puttingWarmThroughput(documents, stream, input.WarmThroughputMiBps)];
}

const deleteStream: Operation<"DeleteStream"> = async (context, input, { principal }) => {
  const { access, catalogue } = context;
  await catalogue.delete(nameOf(input), (stream) => {
    access.check(principal, "DeleteStream", streamResource(stream));
    checkDeletable(context, stream, input.EnforceConsumerDeletion ?? false);
  });
  return undefined;
};

/**
 * Refuses to delete a stream that something depends on: registered consumers, unless they are to go with
 * it, and channels. @throws ResourceInUseError.
 */
export function checkDeletable(
  context: OperationContext,
  stream: StreamDefinition,
  enforced: boolean,
): void {
  const consumers = consumersOf(context.documents, stream, context.clock.nowMs());
  if (consumers.length > 0 && !enforced) {
    throw new ResourceInUseError(
      `Stream ${stream.name} under account ${ACCOUNT_ID} has ${consumers.length} registered ` +
        "consumers. Deregister them, or set EnforceConsumerDeletion.",
      { argument: "EnforceConsumerDeletion", value: enforced },
    );
  }
  requireNoChannels(context.documents, stream, context.clock.nowMs());
}

const describeStream: Operation<"DescribeStream"> = (context, input, caller) => {
  const stream = locateStream(context, input, { operation: "DescribeStream", caller });
  const start = input.ExclusiveStartShardId;
  const after = start === undefined ? -1 : requireShardIndex("ExclusiveStartShardId", start);
  const shards = shownShards(context, stream).filter(({ shardIndex }) => shardIndex > after);
  const page = shards.slice(0, input.Limit ?? PAGE_SIZE);
  return {
    StreamDescription: {
      ...commonOutput(context, stream),
      Shards: page.map(shardOutput),
      HasMoreShards: page.length < shards.length,
    },
  };
};

/** A stream has its shards when it is there, not while it is CREATING. */
function shownShards(context: OperationContext, stream: StreamDefinition) {
  return context.catalogue.status(stream) === "CREATING" ? [] : stream.shards;
}

/** What both descriptions of a stream have in common. */
function commonOutput(context: OperationContext, stream: StreamDefinition) {
  const metrics = context.documents.get<readonly string[]>(streamKey(stream.uid, "metrics"));
  return {
    ...summaryOutput(context, stream),
    RetentionPeriodHours: stream.retentionHours,
    EnhancedMonitoring: [{ ShardLevelMetrics: [...(metrics ?? [])] }],
    ...encryptionOutput(context, stream),
  };
}

function encryptionOutput({ catalogue }: OperationContext, stream: StreamDefinition) {
  const encryption = catalogue.encryption(stream);
  if (encryption === null) return { EncryptionType: "NONE" };
  return { EncryptionType: "KMS", KeyId: encryption.keyName };
}

function summaryOutput(
  context: OperationContext,
  stream: StreamDefinition,
): StructureOf<"StreamSummary"> & { readonly StreamCreationTimestamp: Date } {
  return {
    StreamName: stream.name,
    StreamARN: streamArn(stream.name),
    StreamStatus: context.catalogue.status(stream),
    StreamModeDetails: { StreamMode: stream.mode },
    StreamCreationTimestamp: new Date(stream.createdMs),
  };
}

const describeStreamSummary: Operation<"DescribeStreamSummary"> = (context, input, caller) => {
  const stream = locateStream(context, input, { operation: "DescribeStreamSummary", caller });
  const { documents } = context;
  const nowMs = context.clock.nowMs();
  const shown = { ...stream, shards: shownShards(context, stream) };
  const updating = context.catalogue.status(stream) !== "ACTIVE";
  const warm = describeWarmThroughput(documents, stream, updating);
  return {
    StreamDescriptionSummary: {
      ...commonOutput(context, stream),
      OpenShardCount: openShardsOf(shown).length,
      ConsumerCount: consumersOf(documents, stream, nowMs).length,
      ChannelCount: channelsOf(documents, stream.uid, nowMs).length,
      MaxRecordSizeInKiB: stream.recordKibMax,
      RecordDistributionStrategy: stream.distribution,
      ...(warm === undefined ? {} : { WarmThroughput: warm }),
    },
  };
};

const listStreams: Operation<"ListStreams"> = (context, input, { principal }) => {
  const { access, clock, catalogue } = context;
  access.checkAccount(principal, "ListStreams");
  const nowMs = clock.nowMs();
  const after =
    input.NextToken === undefined
      ? input.ExclusiveStartStreamName
      : readPageToken(input.NextToken, "ListStreams", nowMs).position;
  const { page, more } = pageOf(catalogue.list(), after, input.Limit ?? PAGE_SIZE);
  const position = page.at(-1)?.name ?? "";
  const token = {
    operation: "ListStreams",
    streamUid: 0,
    position,
    issuedMs: nowMs,
    filter: "",
  } as const;
  return {
    StreamNames: page.map(({ name }) => name),
    HasMoreStreams: more,
    ...(more ? { NextToken: formatPageToken(token) } : {}),
    StreamSummaries: page.map((stream) => summaryOutput(context, stream)),
  };
};

/** Operations about streams as a whole. */
export const streamOperations: Pick<
  OperationTable,
  "CreateStream" | "DeleteStream" | "DescribeStream" | "DescribeStreamSummary" | "ListStreams"
> = {
  CreateStream: createStream,
  DeleteStream: deleteStream,
  DescribeStream: describeStream,
  DescribeStreamSummary: describeStreamSummary,
  ListStreams: listStreams,
};
