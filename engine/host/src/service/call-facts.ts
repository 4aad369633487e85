/** What faults, rates and the trail need to know of a call, whatever the operation. */
import { ACCOUNT_ID, MillraceError } from "../errors/index.ts";
import type { FaultSubject } from "../faults/fault-injector.ts";
import type { OperationName } from "../model/shapes.ts";
import { shardIndexOf } from "../sequence/sequence-number.ts";
import { parseArn, streamArn } from "../streams/arns.ts";
import type { Caller } from "./engine-service.ts";

/** A JSON object of the trail. */
export type Facts = { readonly [member: string]: unknown };

/** One call of an operation. */
export interface CallFacts extends FaultSubject {
  readonly caller: Caller;
  /** ARNs of what it is about. */
  readonly resources: readonly string[];
  /** Its parameters without contents of records and policies; asked only when they are written down. */
  readonly parameters: () => Facts | null;
}

/** Members that hold contents: only their size is told. */
const CONTENTS = new Set(["Data", "Policy", "Schema"]);
/** Members that name shards. */
const SHARD_MEMBERS = ["ShardId", "ShardToSplit", "ShardToMerge", "AdjacentShardToMerge"];
/** Members that name what a call is about, the closest one first. */
const ARN_MEMBERS = ["ConsumerARN", "ResourceARN", "ChannelARN", "StreamARN"];
/** Longer texts are cut; characters. */
const TEXT_MAX = 1024;
/** Longest ARN that the model takes; characters. */
const ARN_MAX = 2048;
/** Levels of an input that are told; the model's have seven at most. */
const LEVELS_MAX = 10;
/** Stands for what lies deeper. */
const DEEPER = "…";

const NO_SHARDS: ReadonlySet<number> = new Set();
const utf8 = new TextEncoder();

/** A member's name as CloudTrail writes it: `StreamARN` is `streamARN`. */
export function camelCase(member: string): string {
  return member.slice(0, 1).toLowerCase() + member.slice(1);
}

/** A text as the trail may show it. */
export function describeText(text: string): string {
  return text.length <= TEXT_MAX ? text : text.slice(0, TEXT_MAX);
}

/** A value as the trail may show it. Calls that the model refuses bring any value. */
export function describeValue(value: unknown, levels: number = LEVELS_MAX): unknown {
  if (typeof value === "string") return describeText(value);
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return { bytes: value.byteLength };
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (!isObject(value)) return value;
  if (levels === 0) return DEEPER;
  if (Array.isArray(value)) return value.map((one) => describeValue(one, levels - 1));
  return describeMembers(value, levels);
}

/** The members of an input as the trail may show them. */
export function describeMembers(input: Facts, levels: number = LEVELS_MAX): Facts {
  const shown: Record<string, unknown> = {};
  for (const [member, value] of Object.entries(input)) {
    if (value === undefined) continue;
    const name = camelCase(member);
    if (!CONTENTS.has(member)) shown[name] = describeValue(value, levels - 1);
    else shown[`${name}Bytes`] = sizeOf(value);
  }
  return shown;
}

function sizeOf(value: unknown): number | null {
  if (typeof value === "string") return utf8.encode(value).byteLength;
  return value instanceof Uint8Array ? value.byteLength : null;
}

function isObject(value: unknown): value is Facts {
  return typeof value === "object" && value !== null;
}

function textOf(input: Facts, member: string): string | undefined {
  const value = input[member];
  return typeof value === "string" ? value : undefined;
}

/** Name of the stream that an input names by name or by any ARN. */
function streamNameOf(input: Facts): string | undefined {
  const name = textOf(input, "StreamName");
  if (name !== undefined) return name;
  for (const member of ARN_MEMBERS) {
    const arn = textOf(input, member);
    const resource = arn === undefined ? undefined : parseArn(arn);
    if (resource !== undefined && resource.kind !== "channel") return resource.streamName;
  }
  return undefined;
}

function shardIndexesOf(input: Facts): ReadonlySet<number> {
  const ids = SHARD_MEMBERS.map((member) => textOf(input, member)).filter((id) => id !== undefined);
  return ids.length === 0 ? NO_SHARDS : new Set(ids.flatMap(knownIndex));
}

/** Index of a shard id; none when it is no id, which is the operation's to refuse. */
function knownIndex(shardId: string): number[] {
  try {
    return [shardIndexOf(shardId)];
  } catch (error) {
    if (error instanceof MillraceError) return [];
    throw error;
  }
}

/** The facts of a call with an input of the service model. */
export function factsOfInput(operation: OperationName, caller: Caller, input: Facts): CallFacts {
  const streamName = streamNameOf(input);
  const [arn] = ARN_MEMBERS.map((member) => textOf(input, member)).filter(
    (one) => one !== undefined,
  );
  const named = arn ?? (streamName === undefined ? undefined : streamArn(streamName));
  return {
    operation,
    caller,
    streamName,
    resources: named === undefined ? [] : [named],
    shardIndexes: () => shardIndexesOf(input),
    parameters: () => describeMembers(input),
  };
}

/** The facts of a call about one stream whose parameters are not an input of the model. */
export function factsOfStream(
  operation: OperationName,
  caller: Caller,
  streamName: string | undefined,
  shardIndexes: () => ReadonlySet<number>,
  parameters: () => Facts,
): CallFacts {
  return {
    operation,
    caller,
    streamName,
    resources: streamName === undefined ? [] : [streamArn(streamName)],
    shardIndexes,
    parameters,
  };
}

/** A resource as the trail lists it. */
export function describeResource(arn: string): Facts {
  const kind = parseArn(arn)?.kind;
  const type = kind === "consumer" ? "StreamConsumer" : kind === "channel" ? "Channel" : "Stream";
  return { ARN: arn.slice(0, ARN_MAX), accountId: ACCOUNT_ID, type: `AWS::Kinesis::${type}` };
}
