/** What is done to a stream as a whole: its shards, retention, consumers, producers and metrics. Loaded when it is used. */
import {
  type ControlOperations,
  type EngineClient,
  ROOT_PRINCIPAL,
  type ShardDescription,
  type StreamDescription,
} from "@millrace/engine";
import type { InputOf, OperationName, OutputOf, StructureOf } from "@millrace/engine/model";
import { checkInteger, checkMembers, checkName, refuse } from "./check.ts";
import type { ProducerOptions } from "./producer/options.ts";
import type { Producer } from "./producer/producer.ts";
import { allShards, parentsOf } from "./shard-turns.ts";
import { checkKeeping, type StreamKeeping } from "./stream-spec.ts";

/** Which datapoints of a metric are wanted. */
export interface MetricOptions {
  /** Only this shard, as in `shardId-000000000000`; its metric must be enabled. */
  readonly shard?: string;
  /** Only this registered consumer. */
  readonly consumer?: string;
  /** Minutes that begin then or later; three hours ago when absent. */
  readonly start?: Date;
  /** Minutes that begin before; now when absent. */
  readonly end?: Date;
}

/** What CloudWatch calls a statistic set, of one minute. */
export type MetricDatapoint = ReturnType<ControlOperations["streamMetrics"]>[number];

/** A registered consumer. */
export interface StreamConsumer {
  readonly name: string;
  readonly arn: string;
  readonly status: string;
  readonly created: Date;
}

const KEPT_MS = 10_800_000;
const SHARDS_MAX = 10_000;
const RETENTION_HOURS_MAX = 8760;
const RETENTION_HOURS_MIN = 24;

async function invoke<Name extends OperationName>(
  client: EngineClient,
  operation: Name,
  input: InputOf<Name>,
): Promise<OutputOf<Name>> {
  const caller = { principal: ROOT_PRINCIPAL };
  return (await client.call("invoke", { operation, input, caller })) as OutputOf<Name>;
}

function describe(client: EngineClient, name: string): Promise<StreamDescription> {
  return client.call("describeStream", { name });
}

/** Open and closed shards by index. */
export async function listShards(client: EngineClient, name: string): Promise<ShardDescription[]> {
  return allShards(await describe(client, name));
}

/** The hash key that halves a shard's range. */
function middleOf({ startingHashKey, endingHashKey }: ShardDescription): string {
  return ((BigInt(startingHashKey) + BigInt(endingHashKey) + 1n) / 2n).toString();
}

function find(shards: readonly ShardDescription[], shardId: string): ShardDescription | undefined {
  return shards.find((shard) => shard.shardId === shardId);
}

function childrenOf(
  shards: readonly ShardDescription[],
  parent: ShardDescription | undefined,
): ShardDescription[] {
  return shards.filter((one) => parent !== undefined && parentsOf(one).includes(parent.shardIndex));
}

/** Splits a shard and gives its children, lower hash keys first. */
export async function split(
  client: EngineClient,
  name: string,
  shardId: string,
  newStartingHashKey: string | undefined,
): Promise<ShardDescription[]> {
  const shard = find(await listShards(client, name), shardId);
  await invoke(client, "SplitShard", {
    StreamName: name,
    ShardToSplit: shardId,
    // A shard that there is not has no middle either; the engine says what is wrong.
    NewStartingHashKey: newStartingHashKey ?? (shard === undefined ? "1" : middleOf(shard)),
  });
  const shards = await listShards(client, name);
  return childrenOf(shards, find(shards, shardId));
}

/** Merges two adjacent shards and gives their child. */
export async function merge(
  client: EngineClient,
  name: string,
  shardId: string,
  adjacentShardId: string,
): Promise<ShardDescription | undefined> {
  await invoke(client, "MergeShards", {
    StreamName: name,
    ShardToMerge: shardId,
    AdjacentShardToMerge: adjacentShardId,
  });
  const shards = await listShards(client, name);
  return childrenOf(shards, find(shards, shardId))[0];
}

/** Changes the number of open shards, uniformly. */
export async function scale(
  client: EngineClient,
  name: string,
  shards: number,
): Promise<StreamDescription> {
  await invoke(client, "UpdateShardCount", {
    StreamName: name,
    TargetShardCount: checkInteger("shards", shards, 1, SHARDS_MAX),
    ScalingType: "UNIFORM_SCALING",
  });
  return await describe(client, name);
}

/** Opens a producer. `quotas`: whether the engine enforces AWS's. */
export async function producer(
  client: EngineClient,
  stream: StreamDescription,
  quotas: boolean,
  options: ProducerOptions | undefined,
): Promise<Producer> {
  const { openStreamProducer } = await import("./producer/open-producer.ts");
  return await openStreamProducer(client, stream, quotas, options);
}

/** Raises or lowers the retention period. */
export async function retain(
  client: EngineClient,
  name: string,
  hours: number,
): Promise<StreamDescription> {
  checkInteger("hours", hours, RETENTION_HOURS_MIN, RETENTION_HOURS_MAX);
  const stream = await describe(client, name);
  if (hours === stream.retentionHours) return stream;
  const operation =
    hours > stream.retentionHours
      ? "IncreaseStreamRetentionPeriod"
      : "DecreaseStreamRetentionPeriod";
  await invoke(client, operation, { StreamName: name, RetentionPeriodHours: hours });
  return await describe(client, name);
}

/** Changes how a stream is kept. */
export async function configure(
  client: EngineClient,
  name: string,
  settings: StreamKeeping,
): Promise<StreamDescription> {
  return await client.call("configureStream", { name, ...checkKeeping(settings) });
}

/** Encrypts a stream under a master key. */
export async function encrypt(
  client: EngineClient,
  name: string,
  keyId: string,
): Promise<StreamDescription> {
  const input = { StreamName: name, EncryptionType: "KMS", KeyId: checkKeyId(keyId) } as const;
  await invoke(client, "StartStreamEncryption", input);
  return await describe(client, name);
}

/** Ends a stream's encryption, if it has one. */
export async function stopEncrypting(
  client: EngineClient,
  name: string,
): Promise<StreamDescription> {
  const { encryption } = await describe(client, name);
  if (encryption !== null) {
    const KeyId = encryption.masterKeyId;
    await invoke(client, "StopStreamEncryption", {
      ...{ StreamName: name, EncryptionType: "KMS", KeyId },
    });
  }
  return await describe(client, name);
}

function checkKeyId(keyId: unknown): string {
  if (typeof keyId === "string" && keyId !== "") return keyId;
  return refuse("options.keyId", "a non-empty string", keyId, "a non-empty string");
}

function consumerOf(consumer: StructureOf<"Consumer">): StreamConsumer {
  const { ConsumerName, ConsumerARN, ConsumerStatus, ConsumerCreationTimestamp } = consumer;
  return {
    name: ConsumerName,
    arn: ConsumerARN,
    status: ConsumerStatus,
    created: ConsumerCreationTimestamp,
  };
}

/** Registers a consumer. */
export async function registerConsumer(
  client: EngineClient,
  { arn }: StreamDescription,
  name: string,
): Promise<StreamConsumer> {
  const input = { StreamARN: arn, ConsumerName: checkName("name", name) };
  return consumerOf((await invoke(client, "RegisterStreamConsumer", input)).Consumer);
}

/** All registered consumers. */
export async function listConsumers(
  client: EngineClient,
  { arn }: StreamDescription,
): Promise<StreamConsumer[]> {
  const consumers: StreamConsumer[] = [];
  let token: string | undefined;
  do {
    const input = { StreamARN: arn, ...(token === undefined ? {} : { NextToken: token }) };
    const page: OutputOf<"ListStreamConsumers"> = await invoke(
      client,
      "ListStreamConsumers",
      input,
    );
    consumers.push(...(page.Consumers ?? []).map(consumerOf));
    token = page.NextToken;
  } while (token !== undefined);
  return consumers;
}

/** Ends a consumer's registration. */
export async function deregisterConsumer(
  client: EngineClient,
  { arn }: StreamDescription,
  name: string,
): Promise<void> {
  const input = { StreamARN: arn, ConsumerName: checkName("name", name) };
  await invoke(client, "DeregisterStreamConsumer", input);
}

function timeOf(argument: string, time: unknown): number {
  if (time instanceof Date && Number.isFinite(time.getTime())) return time.getTime();
  return refuse(argument, "a valid Date", time, "a valid Date");
}

/** Datapoints of one of CloudWatch's metrics. */
export async function metric(
  client: EngineClient,
  name: string,
  metricName: string,
  options: MetricOptions = {},
): Promise<MetricDatapoint[]> {
  checkMembers("options", options, ["shard", "consumer", "start", "end"]);
  const { shard, consumer, start, end } = options;
  const endMs = end === undefined ? (await client.call("now", {})) + 1 : timeOf("end", end);
  const startMs = start === undefined ? endMs - KEPT_MS : timeOf("start", start);
  return await client.call("streamMetrics", {
    ...{ name, metricName, startMs, endMs },
    ...(shard === undefined ? {} : { shardId: shard }),
    ...(consumer === undefined ? {} : { consumerName: consumer }),
  });
}
