/**
 * Operations that are made again because the core failed while they were under way: had they taken
 * effect, the second call would find its own work and refuse it as somebody else's.
 *
 * So the effect of such an operation is looked for before the first call and before the second one. When
 * it came to be in between, the operation has done its work, and only its answer is still owed. Two
 * callers who ask for the same effect at the same time, over the failure of a core, are both told yes.
 *
 * What was found before is lost with a leader. Under the next one an operation is simply made again, and
 * a refusal counts as success when the effect is there, whoever brought it about.
 */
import { MillraceError } from "../errors/index.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import type { InputOf, OperationName, OutputOf } from "../model/shapes.ts";
import { shardIndexOf } from "../sequence/sequence-number.ts";
import { channelArn, parseArn, streamArn } from "../streams/arns.ts";
import type { StreamReference } from "../streams/catalogue.ts";
import { findConsumer } from "../streams/consumers.ts";
import { streamPrefix } from "../streams/documents.ts";
import { isOpen, openShardsOf } from "../streams/lineage.ts";
import type { OperationContext } from "./operations/operation.ts";

/** Whether what an operation is to bring about is the case. */
type Effect<Name extends OperationName> = (
  context: OperationContext,
  input: InputOf<Name>,
) => boolean;

/** What was found before an operation was first made. */
export interface Before {
  readonly shown: boolean;
  /** Open shards of the stream that the operation is about. */
  readonly openShards: number;
}

function streamOf(
  { catalogue }: OperationContext,
  reference: StreamReference,
): StreamDefinition | undefined {
  try {
    return catalogue.resolve(reference);
  } catch (error) {
    if (error instanceof MillraceError) return undefined;
    throw error;
  }
}

function isClosed(stream: StreamDefinition | undefined, shardId: string): boolean {
  try {
    const index = shardIndexOf(shardId);
    const shard = stream?.shards.find(({ shardIndex }) => shardIndex === index);
    return shard !== undefined && !isOpen(shard);
  } catch (error) {
    if (error instanceof MillraceError) return false;
    throw error;
  }
}

/** Hours of retention that a change of retention asks for are the stream's. */
const retains: Effect<"IncreaseStreamRetentionPeriod" | "DecreaseStreamRetentionPeriod"> = (
  context,
  input,
) => streamOf(context, input)?.retentionHours === input.RetentionPeriodHours;

function consumerIsRegistered(
  context: OperationContext,
  input: InputOf<"DeregisterStreamConsumer">,
): boolean {
  const named = input.ConsumerARN === undefined ? undefined : parseArn(input.ConsumerARN);
  const consumerName = named?.kind === "consumer" ? named.consumerName : input.ConsumerName;
  const arn = named?.kind === "consumer" ? streamArn(named.streamName) : input.StreamARN;
  const stream = streamOf(context, { StreamARN: arn });
  if (stream === undefined || consumerName === undefined) return false;
  const { documents, clock } = context;
  return findConsumer(documents, stream, consumerName, clock.nowMs())?.status === "ACTIVE";
}

function hasPolicy(context: OperationContext, arn: string): boolean {
  const resource = parseArn(arn);
  if (resource === undefined || resource.kind === "channel") return false;
  const stream = streamOf(context, { StreamName: resource.streamName });
  if (stream === undefined) return false;
  const inside = resource.kind === "consumer" ? `consumer/${resource.consumerName}/` : "";
  return context.documents.get(`${streamPrefix(stream.uid)}${inside}policy`) !== undefined;
}

/** Undefined when there is no such stream, null when it is not encrypted. */
function encryptionOf(context: OperationContext, reference: StreamReference) {
  const stream = streamOf(context, reference);
  return stream === undefined ? undefined : context.catalogue.encryption(stream);
}

function channelExists({ documents }: OperationContext, name: string | undefined): boolean {
  return name !== undefined && documents.get(`channel/${name}`) !== undefined;
}

/** The operations that refuse what is the case already. All others can simply be made again. */
const EFFECTS: { readonly [Name in OperationName]?: Effect<Name> } = {
  CreateStream: ({ catalogue }, { StreamName }) => catalogue.find(StreamName) !== undefined,
  DeleteStream: (context, input) => {
    const stream = streamOf(context, input);
    return stream === undefined || context.catalogue.status(stream) === "DELETING";
  },
  SplitShard: (context, input) => isClosed(streamOf(context, input), input.ShardToSplit),
  MergeShards: (context, input) => isClosed(streamOf(context, input), input.ShardToMerge),
  UpdateShardCount: (context, input) => {
    const stream = streamOf(context, input);
    return stream !== undefined && openShardsOf(stream).length === input.TargetShardCount;
  },
  UpdateStreamMode: (context, input) =>
    streamOf(context, input)?.mode === input.StreamModeDetails.StreamMode,
  IncreaseStreamRetentionPeriod: retains,
  DecreaseStreamRetentionPeriod: retains,
  RegisterStreamConsumer: (context, { StreamARN, ConsumerName }) =>
    consumerIsRegistered(context, { StreamARN, ConsumerName }),
  DeregisterStreamConsumer: (context, input) => !consumerIsRegistered(context, input),
  DeleteResourcePolicy: (context, { ResourceARN }) => !hasPolicy(context, ResourceARN),
  StartStreamEncryption: (context, input) => {
    const encryption = encryptionOf(context, input);
    return encryption?.keyName === input.KeyId && !encryption.shredded;
  },
  StopStreamEncryption: (context, input) => encryptionOf(context, input) === null,
  CreateChannel: (context, { ChannelName }) => channelExists(context, ChannelName),
  DeleteChannel: (context, { ChannelARN }) => {
    const channel = parseArn(ChannelARN);
    return !channelExists(context, channel?.kind === "channel" ? channel.channelName : undefined);
  },
};

/** Looks before an operation is first made. */
export function lookBefore<Name extends OperationName>(
  context: OperationContext,
  operation: Name,
  input: InputOf<Name>,
): Before {
  const effect: Effect<Name> | undefined = EFFECTS[operation];
  const stream = streamOf(context, input as StreamReference);
  return {
    shown: effect?.(context, input) ?? false,
    openShards: stream === undefined ? 0 : openShardsOf(stream).length,
  };
}

/** Whether an operation that is to be made again has taken effect the first time. */
export function tookEffect<Name extends OperationName>(
  context: OperationContext,
  operation: Name,
  input: InputOf<Name>,
  before: Before,
): boolean {
  const effect: Effect<Name> | undefined = EFFECTS[operation];
  return !before.shown && (effect?.(context, input) ?? false);
}

/** Runs an operation that only describes. */
export type Describe = <Name extends "DescribeStreamConsumer" | "DescribeChannel">(
  operation: Name,
  input: InputOf<Name>,
) => Promise<OutputOf<Name>>;

/** The answer that an operation still owes after it took effect. */
export async function owedAnswer(
  operation: OperationName,
  input: unknown,
  before: Before,
  context: OperationContext,
  describe: Describe,
): Promise<unknown> {
  switch (operation) {
    case "UpdateShardCount": {
      const { TargetShardCount, ...reference } = input as InputOf<"UpdateShardCount">;
      const { name } = context.catalogue.resolve(reference);
      return {
        StreamName: name,
        StreamARN: streamArn(name),
        CurrentShardCount: before.openShards,
        TargetShardCount,
      };
    }
    case "RegisterStreamConsumer": {
      const { StreamARN, ConsumerName } = input as InputOf<"RegisterStreamConsumer">;
      const { ConsumerDescription } = await describe("DescribeStreamConsumer", {
        StreamARN,
        ConsumerName,
      });
      const { StreamARN: _, ...Consumer } = ConsumerDescription;
      return { Consumer };
    }
    case "CreateChannel": {
      const { ChannelName } = input as InputOf<"CreateChannel">;
      return await describe("DescribeChannel", { ChannelARN: channelArn(ChannelName) });
    }
    default:
      return undefined;
  }
}
