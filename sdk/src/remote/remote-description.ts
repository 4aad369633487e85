/** What the service says of a stream, in the words of this package. */
import {
  ExpiredNextTokenError,
  parseSequenceNumber,
  type ShardDescription,
  shardIndexOf,
} from "@millrace/engine";
import type { OutputOf, StructureOf } from "@millrace/engine/model";
import { childrenOf } from "../shard-turns.ts";
import type { CommonStreamDescription } from "../stream-like.ts";
import type { ReadCalls } from "./remote-calls.ts";

/** A stream of a Kinesis elsewhere; it is as durable as that service keeps it, which refuses what it has no room for. */
export type RemoteStreamDescription = CommonStreamDescription;

/** KiB that a record of a stream may have whose service does not say it. */
export const RECORD_KIB_MAX = 1024;

/** So many lists in a row may outlive their tokens, which are good for five minutes. */
const EXPIRED_MAX = 3;

/** Parts of a sequence number; undefined for one of another version than AWS has used since 2014. */
export function partsOf(
  sequenceNumber: string,
): ReturnType<typeof parseSequenceNumber> | undefined {
  try {
    return parseSequenceNumber(sequenceNumber);
  } catch {
    return undefined;
  }
}

/** One shard. */
export function shardOf(shard: StructureOf<"Shard">): ShardDescription {
  const { ShardId, HashKeyRange, SequenceNumberRange, ParentShardId, AdjacentParentShardId } =
    shard;
  const { StartingSequenceNumber, EndingSequenceNumber } = SequenceNumberRange;
  return {
    shardId: ShardId,
    shardIndex: shardIndexOf(ShardId),
    createdSeconds: partsOf(StartingSequenceNumber)?.createdSeconds ?? 0,
    startingHashKey: HashKeyRange.StartingHashKey,
    endingHashKey: HashKeyRange.EndingHashKey,
    startingSequenceNumber: StartingSequenceNumber,
    ...(EndingSequenceNumber === undefined
      ? {}
      : {
          endingSequenceNumber: EndingSequenceNumber,
          closedMs: (partsOf(EndingSequenceNumber)?.arrivalSeconds ?? 0) * 1000,
        }),
    ...(ParentShardId === undefined ? {} : { parentShardIndex: shardIndexOf(ParentShardId) }),
    ...(AdjacentParentShardId === undefined
      ? {}
      : { adjacentParentShardIndex: shardIndexOf(AdjacentParentShardId) }),
  };
}

/** All shards, open and closed, by index. */
export async function listRemoteShards(
  calls: Pick<ReadCalls, "call">,
  name: string,
  signal?: AbortSignal,
): Promise<ShardDescription[]> {
  for (let expired = 1; ; expired++) {
    try {
      const shards = await allPages(calls, name, signal);
      return shards.sort((a, b) => a.shardIndex - b.shardIndex);
    } catch (error) {
      // A call that was ridden out may have taken longer than tokens live.
      if (!(error instanceof ExpiredNextTokenError) || expired === EXPIRED_MAX) throw error;
    }
  }
}

async function allPages(
  calls: Pick<ReadCalls, "call">,
  name: string,
  signal: AbortSignal | undefined,
): Promise<ShardDescription[]> {
  const shards: ShardDescription[] = [];
  let token: string | undefined;
  do {
    const input = token === undefined ? { StreamName: name } : { NextToken: token };
    const page: OutputOf<"ListShards"> = await calls.call("ListShards", input, signal);
    shards.push(...(page.Shards ?? []).map(shardOf));
    token = page.NextToken;
  } while (token !== undefined);
  return shards;
}

/**
 * The shards that came of a closed one; undefined where the list is too old to have them. None where retention removed the
 * closed one: then nobody can tell any more.
 */
export function childrenIn(
  shards: readonly ShardDescription[],
  shardIndex: number,
): readonly ShardDescription[] | undefined {
  const children = childrenOf(shards, shardIndex);
  const isListed = shards.some((one) => one.shardIndex === shardIndex);
  return isListed && children.length === 0 ? undefined : children;
}

/** The stream without its shards. */
export async function summarize(
  calls: Pick<ReadCalls, "call">,
  name: string,
  signal?: AbortSignal,
): Promise<StructureOf<"StreamDescriptionSummary">> {
  const input = { StreamName: name };
  return (await calls.call("DescribeStreamSummary", input, signal)).StreamDescriptionSummary;
}

/** The stream with its shards. @throws ResourceNotFoundError, and what calls throw. */
export async function describeRemote(
  calls: Pick<ReadCalls, "call">,
  name: string,
): Promise<RemoteStreamDescription> {
  const [summary, shards] = await Promise.all([
    summarize(calls, name),
    listRemoteShards(calls, name),
  ]);
  const openShards = shards
    .filter(({ closedMs }) => closedMs === undefined)
    .sort((a, b) => (BigInt(a.startingHashKey) < BigInt(b.startingHashKey) ? -1 : 1));
  const { KeyId } = summary;
  return {
    name,
    arn: summary.StreamARN,
    shards: openShards.length,
    mode: summary.StreamModeDetails?.StreamMode ?? "PROVISIONED",
    distribution: summary.RecordDistributionStrategy === "AUTO" ? "AUTO" : "USER_PARTITION_KEY",
    retentionHours: summary.RetentionPeriodHours,
    recordKibMax: summary.MaxRecordSizeInKiB ?? RECORD_KIB_MAX,
    durability: "strict",
    whenFull: "refuse-new",
    status: summary.StreamStatus as RemoteStreamDescription["status"],
    encryption:
      summary.EncryptionType === "KMS" && KeyId !== undefined
        ? { masterKeyId: KeyId, keyName: KeyId, shredded: false }
        : null,
    createdMs: summary.StreamCreationTimestamp.getTime(),
    openShards,
    closedShards: shards.filter(({ closedMs }) => closedMs !== undefined),
  };
}
