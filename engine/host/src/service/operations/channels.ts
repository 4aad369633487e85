/** Channels: CreateChannel, DescribeChannel, ListChannels, UpdateChannel, DeleteChannel. Delivery itself is not built. */
import { newConfiguration, updatedConfiguration } from "../../channels/channel-rules.ts";
import {
  allChannels,
  CHANNELS_MAX,
  type Channel,
  type ChannelDocument,
  channelKey,
  channelNotFound,
  channelRecord,
  findChannel,
  removingRecords,
  sourceArn,
  sweepingRecords,
} from "../../channels/channels.ts";
import {
  ACCOUNT_ID,
  InvalidArgumentError,
  LimitExceededError,
  ResourceInUseError,
  ValidationError,
} from "../../errors/index.ts";
import type { StreamDefinition } from "../../log/control-records.ts";
import { formatPageToken } from "../../model/page-token.ts";
import type { InputOf, OperationName, StructureOf } from "../../model/shapes.ts";
import type { Random } from "../../platform/platform.ts";
import { parseArn } from "../../streams/arns.ts";
import { taggingRecords } from "../../streams/tags.ts";
import type { Caller } from "../engine-service.ts";
import { locateStream } from "./located-stream.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";
import { pageOf, pageSize, readPageToken, readTokenFilter } from "./pages.ts";
import { requireActiveResource } from "./resources.ts";

/** AWS's ids consist of these: 20 of them, a hyphen, and 3 more. */
const ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
const ID_PARTS = [20, 3] as const;

const createChannel: Operation<"CreateChannel"> = async (context, input, caller) => {
  const { access, catalogue, clock, documents, options } = context;
  const { ChannelName: name, Tags: tags = {} } = input;
  const id = randomId(context.random);
  await catalogue.change(() => {
    access.checkAccount(caller.principal, "CreateChannel");
    const configuration = newConfiguration(input, { name, id });
    const stream = sourceOf(context, input, caller);
    const nowMs = clock.nowMs();
    checkNew(context, name, nowMs);
    const document: ChannelDocument = {
      id,
      createdMs: nowMs,
      activeMs: nowMs + (options.transitionMs ?? 0),
      streamUid: stream.uid,
      streamName: stream.name,
      streamCreatedMs: stream.createdMs,
      configuration,
    };
    const tagged = { label: `channel ${name}`, key: `${channelKey(name)}/` };
    return [
      ...sweepingRecords(documents, nowMs),
      channelRecord(documents, name, document),
      ...taggingRecords(documents, tagged, tags, {}),
    ];
  });
  return { ChannelDescription: describe(existing(context, name)) };
};

const describeChannel: Operation<"DescribeChannel"> = (context, input, { principal }) => {
  const channel = channelOf(context, input);
  context.access.check(principal, "DescribeChannel", channel);
  return { ChannelDescription: describe(channel) };
};

const updateChannel: Operation<"UpdateChannel"> = async (context, input, { principal }) => {
  const { access, catalogue, clock, documents, options } = context;
  const transitionMs = options.transitionMs ?? 0;
  const { name } = channelOf(context, input);
  await catalogue.change(() => {
    const channel = channelOf(context, input);
    access.check(principal, "UpdateChannel", channel);
    const { document, key, arn } = channel;
    const identity = { name, id: document.id };
    const configuration = updatedConfiguration(document.configuration, input, identity);
    requireActiveResource(context, {
      kind: "channel",
      label: `channel ${name}`,
      channel,
      arn,
      key,
    });
    const { updatedMs: _, ...settled } = document;
    const updated = { ...settled, configuration };
    if (transitionMs === 0) return [channelRecord(documents, name, updated)];
    const updatedMs = clock.nowMs() + transitionMs;
    return [channelRecord(documents, name, { ...updated, updatedMs })];
  });
  return { ChannelDescription: describe(existing(context, name)) };
};

const deleteChannel: Operation<"DeleteChannel"> = async (context, input, { principal }) => {
  const { access, catalogue, clock, documents, options } = context;
  const transitionMs = options.transitionMs ?? 0;
  await catalogue.change(() => {
    const channel = channelOf(context, input);
    access.check(principal, "DeleteChannel", channel);
    if (channel.status === "DELETING") return [];
    if (transitionMs === 0) return removingRecords(documents, channel.name);
    const deletedMs = clock.nowMs() + transitionMs;
    return [channelRecord(documents, channel.name, { ...channel.document, deletedMs })];
  });
  return undefined;
};

const listChannels: Operation<"ListChannels"> = (context, input, { principal }) => {
  const { access, clock, documents } = context;
  const operation: OperationName = "ListChannels";
  access.checkAccount(principal, operation);
  const nowMs = clock.nowMs();
  const { NextToken, MaxResults, StreamFilter } = input;
  const asked = StreamFilter === undefined ? "" : JSON.stringify(StreamFilter);
  const token = NextToken === undefined ? undefined : readPageToken(NextToken, operation, nowMs);
  if (token !== undefined && asked !== "" && asked !== token.filter) {
    throw new InvalidArgumentError("NextToken belongs to a list with another StreamFilter.", {
      argument: "StreamFilter",
    });
  }
  const filter = token?.filter ?? asked;
  const channels = allChannels(documents, nowMs).filter(filterOf(filter));
  const { page, more } = pageOf(channels, token?.position, pageSize(MaxResults));
  const position = page.at(-1)?.name;
  const ChannelSummaries = page.map(summarise);
  if (!more || position === undefined) return { ChannelSummaries };
  const next = { operation, streamUid: 0, position, issuedMs: nowMs, filter };
  return { ChannelSummaries, NextToken: formatPageToken(next) };
};

/** The operations of this family. */
export const channelOperations: Pick<
  OperationTable,
  "CreateChannel" | "DescribeChannel" | "UpdateChannel" | "DeleteChannel" | "ListChannels"
> = {
  CreateChannel: createChannel,
  DescribeChannel: describeChannel,
  UpdateChannel: updateChannel,
  DeleteChannel: deleteChannel,
  ListChannels: listChannels,
};

/** The stream that a new channel delivers from, when it can. */
function sourceOf(
  context: OperationContext,
  input: InputOf<"CreateChannel">,
  caller: Caller,
): StreamDefinition {
  const { StreamARN } = input.StreamConfigurationList[0] ?? {};
  const stream = locateStream(context, { StreamARN }, { operation: "CreateChannel", caller });
  if (stream.mode !== "ON_DEMAND") {
    throw new ValidationError(
      "CreateChannel is only supported for data streams with the on-demand capacity mode. Stream " +
        `${stream.name} under account ${ACCOUNT_ID} is in mode ${stream.mode}.`,
      { argument: "StreamConfigurationList", value: stream.mode },
    );
  }
  context.catalogue.requireActive(stream);
  return stream;
}

function checkNew({ documents }: OperationContext, name: string, nowMs: number): void {
  if (findChannel(documents, name, nowMs) !== undefined) {
    throw new ResourceInUseError(`Channel ${name} under account ${ACCOUNT_ID} already exists.`, {
      argument: "ChannelName",
      value: name,
    });
  }
  const count = allChannels(documents, nowMs).length;
  if (count < CHANNELS_MAX) return;
  throw new LimitExceededError(
    `Account ${ACCOUNT_ID} has ${count} channels. Limit: ${CHANNELS_MAX}.`,
    { argument: "ChannelName", value: count + 1, limit: CHANNELS_MAX },
  );
}

/** The channel that an input's ARN names. @throws InvalidArgumentError, ResourceNotFoundError. */
function channelOf(context: OperationContext, input: { readonly ChannelARN: string }): Channel {
  const resource = parseArn(input.ChannelARN);
  if (resource?.kind === "channel") return existing(context, resource.channelName);
  throw new InvalidArgumentError(`ChannelARN ${input.ChannelARN} is not the ARN of a channel.`, {
    argument: "ChannelARN",
    value: input.ChannelARN,
  });
}

function existing({ documents, clock }: OperationContext, name: string): Channel {
  const channel = findChannel(documents, name, clock.nowMs());
  if (channel === undefined) throw channelNotFound(name);
  return channel;
}

/** A StreamFilter as JSON has it. */
type WrittenFilter = readonly {
  readonly StreamARN: string;
  readonly StreamCreationTimestamp?: string;
}[];

function isWrittenFilter(value: unknown): value is WrittenFilter {
  const isEntry = (entry: unknown): boolean =>
    typeof entry === "object" &&
    entry !== null &&
    "StreamARN" in entry &&
    typeof entry.StreamARN === "string";
  return Array.isArray(value) && value.every(isEntry);
}

/** Reads a StreamFilter back from its text. A filter's timestamps travel in seconds. */
function filterOf(text: string): (channel: Channel) => boolean {
  if (text === "") return () => true;
  const wanted = readTokenFilter(text, isWrittenFilter).map(
    ({ StreamARN, StreamCreationTimestamp: created }) => {
      const resource = parseArn(StreamARN);
      return {
        streamName: resource?.kind === "stream" ? resource.streamName : undefined,
        createdSeconds: created === undefined ? undefined : secondsOf(Date.parse(created)),
      };
    },
  );
  return ({ document }) =>
    wanted.some(
      ({ streamName, createdSeconds = secondsOf(document.streamCreatedMs) }) =>
        streamName === document.streamName &&
        createdSeconds === secondsOf(document.streamCreatedMs),
    );
}

function secondsOf(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}

function randomId(random: Random): string {
  return ID_PARTS.map((length) =>
    Array.from(
      random.fill(new Uint8Array(length)),
      (byte) => ID_LETTERS[byte % ID_LETTERS.length],
    ).join(""),
  ).join("-");
}

function describe(channel: Channel): StructureOf<"ChannelDescription"> {
  const { RecordConfiguration, ...configuration } = channel.document.configuration;
  const { ChannelDestinationType: _, Streams, ...summary } = summarise(channel);
  return {
    ...summary,
    ...configuration,
    StreamConfigurationList: Streams.map((stream) => ({ ...stream, RecordConfiguration })),
  };
}

function summarise(channel: Channel): StructureOf<"ChannelSummary"> {
  const { document } = channel;
  const toBucket = document.configuration.S3DestinationConfiguration !== undefined;
  return {
    ChannelName: channel.name,
    ChannelARN: channel.arn,
    ChannelId: document.id,
    ChannelStatus: channel.status,
    ChannelCreationTimestamp: new Date(document.createdMs),
    ChannelDestinationType: toBucket ? "S3" : "S3_TABLES",
    Streams: [
      {
        StreamARN: sourceArn(channel),
        StreamCreationTimestamp: new Date(document.streamCreatedMs),
      },
    ],
  };
}
