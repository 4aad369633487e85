/**
 * Registered consumers of a stream: one document each, whose status follows from its times.
 *
 * A consumer is CREATING until `activeMs`. Once it is deregistered it is DELETING until `deletedMs` and
 * gone from then on, even though its documents go only with the next change of the stream's consumers.
 */
import { ACCOUNT_ID, ResourceNotFoundError } from "../errors/index.ts";
import type { ControlRecord } from "../log/control-records.ts";
import { consumerArn, type Resource } from "./arns.ts";
import { type Documents, streamKey } from "./documents.ts";

/** AWS's status of a consumer. */
export type ConsumerStatus = "CREATING" | "DELETING" | "ACTIVE";

/** What the document of a consumer holds; times in ms since the Unix epoch. */
export type ConsumerDocument = {
  readonly createdMs: number;
  /** Until when it is CREATING. */
  readonly activeMs: number;
  /** Until when it is DELETING; absent while it is registered. */
  readonly deletedMs?: number;
};

/** A registered consumer at one moment. */
export interface Consumer {
  readonly name: string;
  readonly arn: string;
  /** Prefix of its own documents, as in `stream/7/consumer/app/`. */
  readonly key: string;
  readonly status: ConsumerStatus;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
}

/** What of a stream its consumers need to know. */
export interface ConsumedStream {
  readonly uid: number;
  readonly name: string;
}

/** Key of a consumer's document; what else is kept of the consumer stands below it. */
export function consumerKey(streamUid: number, consumerName: string): string {
  return streamKey(streamUid, `consumer/${consumerName}`);
}

/** A stream's consumer of a name, unless there is none or it is gone by `nowMs`. */
export function findConsumer(
  documents: Documents,
  stream: ConsumedStream,
  consumerName: string,
  nowMs: number,
): Consumer | undefined {
  const key = consumerKey(stream.uid, consumerName);
  const document = documents.get<ConsumerDocument>(key);
  if (document === undefined) return undefined;
  const { createdMs, activeMs, deletedMs } = document;
  if (deletedMs !== undefined && nowMs >= deletedMs) return undefined;
  // Before its creation there is only a clock that was set back.
  const creating = createdMs <= nowMs && nowMs < activeMs;
  return {
    name: consumerName,
    arn: consumerArn(stream.name, consumerName, Math.floor(createdMs / 1000)),
    key: `${key}/`,
    status: deletedMs !== undefined ? "DELETING" : creating ? "CREATING" : "ACTIVE",
    createdMs,
  };
}

/** A stream's consumers in the order of their names. */
export function consumersOf(
  documents: Documents,
  stream: ConsumedStream,
  nowMs: number,
): Consumer[] {
  return namesOf(documents, stream.uid)
    .map((name) => findConsumer(documents, stream, name, nowMs))
    .filter((consumer) => consumer !== undefined);
}

/**
 * The consumer that an ARN names, in the stream of that name.
 *
 * @throws ResourceNotFoundError when there is none, or only a younger one of the same name.
 */
export function consumerByArn(
  documents: Documents,
  stream: ConsumedStream,
  resource: Extract<Resource, { kind: "consumer" }>,
  nowMs: number,
): Consumer {
  const found = findConsumer(documents, stream, resource.consumerName, nowMs);
  if (found !== undefined && Math.floor(found.createdMs / 1000) === resource.createdSeconds) {
    return found;
  }
  const { streamName, consumerName, createdSeconds } = resource;
  throw consumerNotFound(consumerArn(streamName, consumerName, createdSeconds));
}

/** AWS's answer to a consumer that there is not. */
export function consumerNotFound(nameOrArn: string): ResourceNotFoundError {
  return new ResourceNotFoundError(`Consumer ${nameOrArn} under account ${ACCOUNT_ID} not found.`, {
    argument: "consumer",
    value: nameOrArn,
  });
}

/** The records that remove what is left of the consumers that are gone. */
export function sweepingRecords(
  documents: Documents,
  stream: ConsumedStream,
  nowMs: number,
): ControlRecord[] {
  return namesOf(documents, stream.uid)
    .filter((name) => findConsumer(documents, stream, name, nowMs) === undefined)
    .flatMap((name) => removingRecords(documents, stream.uid, name));
}

/** The records that remove a consumer with all that is kept of it. */
export function removingRecords(
  documents: Documents,
  streamUid: number,
  consumerName: string,
): ControlRecord[] {
  const key = consumerKey(streamUid, consumerName);
  return [documents.deleting(key), ...documents.deletingAll(`${key}/`)];
}

/** Names that have a document of their own, and not only documents below it. */
function namesOf(documents: Documents, streamUid: number): string[] {
  const prefix = consumerKey(streamUid, "");
  return documents
    .keys(prefix)
    .map((key) => key.slice(prefix.length))
    .filter((name) => !name.includes("/"));
}
