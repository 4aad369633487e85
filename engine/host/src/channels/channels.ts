/**
 * Channels: the deliveries that streams are configured for. One document each, whose status follows
 * from its times.
 *
 * A channel is CREATING until `activeMs`, UPDATING until `updatedMs`, and DELETING until `deletedMs`;
 * from then on it is gone, even though its documents go only with the next change of channels.
 */
import { ACCOUNT_ID, ResourceInUseError, ResourceNotFoundError } from "../errors/index.ts";
import type { ControlRecord, DocumentValue } from "../log/control-records.ts";
import type { StructureOf } from "../model/shapes.ts";
import { channelArn, streamArn } from "../streams/arns.ts";
import type { Documents } from "../streams/documents.ts";

/** AWS's status of a channel. A channel that delivers nowhere cannot fail. */
export type ChannelStatus = "CREATING" | "ACTIVE" | "UPDATING" | "DELETING";

/** The part of a channel's description that its creator gave, with every default filled in. */
export type ChannelConfiguration = Pick<
  StructureOf<"ChannelDescription">,
  | "ServiceExecutionRoleARN"
  | "S3DestinationConfiguration"
  | "S3TablesDestinationConfiguration"
  | "EncryptionConfiguration"
  | "LoggingConfiguration"
> & { readonly RecordConfiguration: StructureOf<"RecordConfiguration"> };

/** What the document of a channel holds; times in ms since the Unix epoch. */
export interface ChannelDocument {
  /** AWS's ChannelId: the channel of a name may be another one later. */
  readonly id: string;
  readonly createdMs: number;
  readonly activeMs: number;
  readonly updatedMs?: number;
  readonly deletedMs?: number;
  readonly streamUid: number;
  readonly streamName: string;
  readonly streamCreatedMs: number;
  readonly configuration: ChannelConfiguration;
}

/** A channel at one moment. */
export interface Channel {
  readonly name: string;
  readonly arn: string;
  /** Prefix of its own documents, as in `channel/lake/`. */
  readonly key: string;
  readonly status: ChannelStatus;
  readonly document: ChannelDocument;
}

/** Channels of one account. */
export const CHANNELS_MAX = 50;

const PREFIX = "channel/";

/** Key of a channel's document; what else is kept of the channel stands below it. */
export function channelKey(channelName: string): string {
  return `${PREFIX}${channelName}`;
}

/** The channel of a name, unless there is none or it is gone by `nowMs`. */
export function findChannel(
  documents: Documents,
  channelName: string,
  nowMs: number,
): Channel | undefined {
  const key = channelKey(channelName);
  const document = documents.get<ChannelDocument>(key);
  if (document === undefined) return undefined;
  const { deletedMs = Number.POSITIVE_INFINITY } = document;
  if (nowMs >= deletedMs) return undefined;
  return {
    name: channelName,
    arn: channelArn(channelName),
    key: `${key}/`,
    status: statusOf(document, nowMs),
    document,
  };
}

/** All channels in the order of their names. */
export function allChannels(documents: Documents, nowMs: number): Channel[] {
  return namesOf(documents)
    .map((name) => findChannel(documents, name, nowMs))
    .filter((channel) => channel !== undefined);
}

/** The channels that deliver from a stream, in the order of their names. */
export function channelsOf(documents: Documents, streamUid: number, nowMs: number): Channel[] {
  return allChannels(documents, nowMs).filter(({ document }) => document.streamUid === streamUid);
}

/** Refuses what cannot be done to a stream that channels deliver from. @throws ResourceInUseError that names them. */
export function requireNoChannels(
  documents: Documents,
  stream: { readonly uid: number; readonly name: string },
  nowMs: number,
): void {
  const channels = channelsOf(documents, stream.uid, nowMs);
  if (channels.length === 0) return;
  const names = channels.map(({ name }) => name).join(", ");
  throw new ResourceInUseError(
    `Stream ${stream.name} under account ${ACCOUNT_ID} is the source of the channels ${names}. ` +
      "Delete them first.",
    { argument: "StreamName", value: stream.name },
  );
}

/** AWS's answer to a channel that there is not. */
export function channelNotFound(arn: string): ResourceNotFoundError {
  return new ResourceNotFoundError(`Channel ${arn} under account ${ACCOUNT_ID} not found.`, {
    argument: "ChannelARN",
    value: arn,
  });
}

/** ARN of the stream that a channel delivers from. */
export function sourceArn({ document }: Channel): string {
  return streamArn(document.streamName);
}

/** The record that keeps a channel. */
export function channelRecord(
  documents: Documents,
  channelName: string,
  document: ChannelDocument,
): ControlRecord {
  // Through JSON, as documents are kept: members that are undefined are left out.
  const value = JSON.parse(JSON.stringify(document)) as DocumentValue;
  return documents.putting(channelKey(channelName), value);
}

/** The records that remove a channel with all that is kept of it. */
export function removingRecords(documents: Documents, channelName: string): ControlRecord[] {
  const key = channelKey(channelName);
  return [documents.deleting(key), ...documents.deletingAll(`${key}/`)];
}

/** The records that remove what is left of the channels that are gone. */
export function sweepingRecords(documents: Documents, nowMs: number): ControlRecord[] {
  return namesOf(documents)
    .filter((name) => findChannel(documents, name, nowMs) === undefined)
    .flatMap((name) => removingRecords(documents, name));
}

function statusOf(document: ChannelDocument, nowMs: number): ChannelStatus {
  const { createdMs, activeMs, updatedMs = activeMs, deletedMs } = document;
  if (deletedMs !== undefined) return "DELETING";
  // Before its creation there is only a clock that was set back.
  if (nowMs < createdMs) return "ACTIVE";
  if (nowMs < activeMs) return "CREATING";
  return nowMs < updatedMs ? "UPDATING" : "ACTIVE";
}

/** Names that have a document of their own, and not only documents below it. */
function namesOf(documents: Documents): string[] {
  return documents
    .keys(PREFIX)
    .map((key) => key.slice(PREFIX.length))
    .filter((name) => !name.includes("/"));
}
