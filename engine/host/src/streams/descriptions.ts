/** Streams and shards as they are described to the application. */
import type { ShardDefinition, StreamDefinition } from "../log/control-records.ts";
import { formatSequenceNumber, shardIdOf } from "../sequence/sequence-number.ts";
import { streamArn } from "./arns.ts";
import { decimalHashKey } from "./hash-ranges.ts";
import { isOpen, openShardsOf } from "./lineage.ts";
import type {
  EncryptionDescription,
  ShardDescription,
  StreamDescription,
  StreamStatus,
} from "./stream-types.ts";

/** Sequence index at which every closed shard ends: beyond all that a record can have. */
const CLOSED_INDEX = 2n ** 63n - 1n;

/** A stream as it is described to callers. */
export function describeStream(
  stream: StreamDefinition,
  status: StreamStatus,
  encryption: EncryptionDescription | null,
): StreamDescription {
  const { name, uid, createdMs, retentionHours, recordKibMax, mode, distribution } = stream;
  const open = openShardsOf(stream);
  return {
    name,
    uid,
    createdMs,
    retentionHours,
    recordKibMax,
    mode,
    distribution,
    durability: stream.durability,
    whenFull: stream.whenFull,
    status,
    encryption,
    shards: open.length,
    arn: streamArn(name),
    openShards: open.map(describeShard),
    closedShards: stream.shards.filter((shard) => !isOpen(shard)).map(describeShard),
  };
}

/** A shard as it is described to callers. */
export function describeShard(shard: ShardDefinition): ShardDescription {
  const { shardIndex, createdSeconds, closedMs, parentShardIndex, adjacentParentShardIndex } =
    shard;
  return {
    shardId: shardIdOf(shardIndex),
    shardIndex,
    createdSeconds,
    startingHashKey: decimalHashKey(shard.startingHashKey),
    endingHashKey: decimalHashKey(shard.endingHashKey),
    startingSequenceNumber: startingSequenceNumber(shard),
    ...(closedMs === undefined
      ? {}
      : { closedMs, endingSequenceNumber: endingSequenceNumber(shard, closedMs) }),
    ...(parentShardIndex === undefined ? {} : { parentShardIndex }),
    ...(adjacentParentShardIndex === undefined ? {} : { adjacentParentShardIndex }),
  };
}

function startingSequenceNumber({ createdSeconds, shardIndex }: ShardDefinition): string {
  return formatSequenceNumber({
    createdSeconds,
    sequenceIndex: 0,
    arrivalSeconds: createdSeconds,
    shardIndex,
  });
}

function endingSequenceNumber(shard: ShardDefinition, closedMs: number): string {
  return formatSequenceNumber({
    createdSeconds: shard.createdSeconds,
    sequenceIndex: CLOSED_INDEX,
    // A shard that was created for the next second and closed in this one ends when it began.
    arrivalSeconds: Math.max(shard.createdSeconds, Math.floor(closedMs / 1000)),
    shardIndex: shard.shardIndex,
  });
}
