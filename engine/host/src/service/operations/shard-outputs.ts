/** Shards as AWS's operations show them. */
import { ACCOUNT_ID, InvalidArgumentError, ResourceNotFoundError } from "../../errors/index.ts";
import type { ShardDefinition, StreamDefinition } from "../../log/control-records.ts";
import type { StructureOf } from "../../model/shapes.ts";
import { shardIdOf, shardIndexOf } from "../../sequence/sequence-number.ts";
import { describeShard } from "../../streams/descriptions.ts";

/** A shard as the model's structure Shard. */
export function shardOutput(shard: ShardDefinition): StructureOf<"Shard"> {
  const described = describeShard(shard);
  const { parentShardIndex, adjacentParentShardIndex, endingSequenceNumber } = described;
  return {
    ShardId: described.shardId,
    ...(parentShardIndex === undefined ? {} : { ParentShardId: shardIdOf(parentShardIndex) }),
    ...(adjacentParentShardIndex === undefined
      ? {}
      : { AdjacentParentShardId: shardIdOf(adjacentParentShardIndex) }),
    HashKeyRange: {
      StartingHashKey: described.startingHashKey,
      EndingHashKey: described.endingHashKey,
    },
    SequenceNumberRange: {
      StartingSequenceNumber: described.startingSequenceNumber,
      ...(endingSequenceNumber === undefined ? {} : { EndingSequenceNumber: endingSequenceNumber }),
    },
  };
}

/** Index that a shard id names. @throws InvalidArgumentError when it is no shard id. */
export function requireShardIndex(argument: string, shardId: string): number {
  const index = indexOfShardId(shardId);
  if (index !== undefined) return index;
  throw new InvalidArgumentError(`${argument} ${shardId} is no shard id.`, {
    argument,
    value: shardId,
  });
}

/** The shard of a stream that an id names. @throws ResourceNotFoundError. */
export function requireShard(
  stream: StreamDefinition,
  shardId: string,
  argument: string,
): ShardDefinition {
  const index = indexOfShardId(shardId);
  const shard = stream.shards.find(({ shardIndex }) => shardIndex === index);
  if (shard !== undefined) return shard;
  const named = index === undefined ? shardId : shardIdOf(index);
  throw new ResourceNotFoundError(
    `Could not find shard ${named} in stream ${stream.name} under account ${ACCOUNT_ID}.`,
    { argument, value: shardId },
  );
}

function indexOfShardId(shardId: string): number | undefined {
  try {
    return shardIndexOf(shardId);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
}
