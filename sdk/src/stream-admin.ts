/**
 * What is done to a stream as a whole, by AWS's operations: its shards, retention, encryption and consumers. Where
 * the stream is, the desk knows.
 */
import type { ShardDescription } from "@millrace/engine";
import type { InputOf, OperationName, OutputOf, StructureOf } from "@millrace/engine/model";
import { checkInteger, checkName, refuse } from "./check.ts";
import { allShards, childrenOf } from "./shard-turns.ts";
import type { CommonStreamDescription, StreamConsumer } from "./stream-like.ts";

/** Makes AWS's calls, and describes streams. */
export interface ControlDesk<Description extends CommonStreamDescription> {
  describe(name: string): Promise<Description>;
  invoke<Name extends OperationName>(
    operation: Name,
    input: InputOf<Name>,
  ): Promise<OutputOf<Name>>;
}

type AnyDesk = ControlDesk<CommonStreamDescription>;

const SHARDS_MAX = 10_000;
const RETENTION_HOURS_MAX = 8760;
const RETENTION_HOURS_MIN = 24;

/** Open and closed shards by index. */
export async function listShards(desk: AnyDesk, name: string): Promise<ShardDescription[]> {
  return allShards(await desk.describe(name));
}

/** The hash key that halves a shard's range. */
function middleOf({ startingHashKey, endingHashKey }: ShardDescription): string {
  return ((BigInt(startingHashKey) + BigInt(endingHashKey) + 1n) / 2n).toString();
}

function find(shards: readonly ShardDescription[], shardId: string): ShardDescription | undefined {
  return shards.find((shard) => shard.shardId === shardId);
}

function childrenById(shards: readonly ShardDescription[], shardId: string): ShardDescription[] {
  const parent = find(shards, shardId);
  return parent === undefined ? [] : childrenOf(shards, parent.shardIndex);
}

/** Splits a shard and gives its children, lower hash keys first. */
export async function split(
  desk: AnyDesk,
  name: string,
  shardId: string,
  newStartingHashKey: string | undefined,
): Promise<ShardDescription[]> {
  const shard = find(await listShards(desk, name), shardId);
  await desk.invoke("SplitShard", {
    StreamName: name,
    ShardToSplit: shardId,
    // A shard that there is not has no middle either; whoever is asked says what is wrong.
    NewStartingHashKey: newStartingHashKey ?? (shard === undefined ? "1" : middleOf(shard)),
  });
  const shards = await listShards(desk, name);
  return childrenById(shards, shardId);
}

/** Merges two adjacent shards and gives their child. */
export async function merge(
  desk: AnyDesk,
  name: string,
  shardId: string,
  adjacentShardId: string,
): Promise<ShardDescription | undefined> {
  await desk.invoke("MergeShards", {
    StreamName: name,
    ShardToMerge: shardId,
    AdjacentShardToMerge: adjacentShardId,
  });
  const shards = await listShards(desk, name);
  return childrenById(shards, shardId)[0];
}

/** Changes the number of open shards, uniformly. */
export async function scale<Description extends CommonStreamDescription>(
  desk: ControlDesk<Description>,
  name: string,
  shards: number,
): Promise<Description> {
  await desk.invoke("UpdateShardCount", {
    StreamName: name,
    TargetShardCount: checkInteger("shards", shards, 1, SHARDS_MAX),
    ScalingType: "UNIFORM_SCALING",
  });
  return await desk.describe(name);
}

/** Raises or lowers the retention period. */
export async function retain<Description extends CommonStreamDescription>(
  desk: ControlDesk<Description>,
  name: string,
  hours: number,
): Promise<Description> {
  checkInteger("hours", hours, RETENTION_HOURS_MIN, RETENTION_HOURS_MAX);
  const stream = await desk.describe(name);
  if (hours === stream.retentionHours) return stream;
  const operation =
    hours > stream.retentionHours
      ? "IncreaseStreamRetentionPeriod"
      : "DecreaseStreamRetentionPeriod";
  await desk.invoke(operation, { StreamName: name, RetentionPeriodHours: hours });
  return await desk.describe(name);
}

/** Encrypts a stream under a master key. */
export async function encrypt<Description extends CommonStreamDescription>(
  desk: ControlDesk<Description>,
  name: string,
  keyId: string,
): Promise<Description> {
  const input = { StreamName: name, EncryptionType: "KMS", KeyId: checkKeyId(keyId) } as const;
  await desk.invoke("StartStreamEncryption", input);
  return await desk.describe(name);
}

/** Ends a stream's encryption, if it has one. */
export async function stopEncrypting<Description extends CommonStreamDescription>(
  desk: ControlDesk<Description>,
  name: string,
): Promise<Description> {
  const { encryption } = await desk.describe(name);
  if (encryption !== null) {
    const KeyId = encryption.masterKeyId;
    await desk.invoke("StopStreamEncryption", {
      ...{ StreamName: name, EncryptionType: "KMS", KeyId },
    });
  }
  return await desk.describe(name);
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
  desk: AnyDesk,
  { arn }: CommonStreamDescription,
  name: string,
): Promise<StreamConsumer> {
  const input = { StreamARN: arn, ConsumerName: checkName("name", name) };
  return consumerOf((await desk.invoke("RegisterStreamConsumer", input)).Consumer);
}

/** All registered consumers. */
export async function listConsumers(
  desk: AnyDesk,
  { arn }: CommonStreamDescription,
): Promise<StreamConsumer[]> {
  const consumers: StreamConsumer[] = [];
  let token: string | undefined;
  do {
    const input = { StreamARN: arn, ...(token === undefined ? {} : { NextToken: token }) };
    const page: OutputOf<"ListStreamConsumers"> = await desk.invoke("ListStreamConsumers", input);
    consumers.push(...(page.Consumers ?? []).map(consumerOf));
    token = page.NextToken;
  } while (token !== undefined);
  return consumers;
}

/** Ends a consumer's registration. */
export async function deregisterConsumer(
  desk: AnyDesk,
  { arn }: CommonStreamDescription,
  name: string,
): Promise<void> {
  const input = { StreamARN: arn, ConsumerName: checkName("name", name) };
  await desk.invoke("DeregisterStreamConsumer", input);
}
