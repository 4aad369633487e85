/** Starting positions: from AWS's words for a place in a stream to sequence indexes. */
import { InvalidArgumentError, ResourceNotFoundError } from "../errors/index.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import type { SlottedShard } from "../log/shard-slots.ts";
import { parseSequenceNumber, shardIdOf, shardIndexOf } from "../sequence/sequence-number.ts";
import type { ResolvedPosition, StartingPosition } from "./stream-types.ts";

/** The shards that a read covers: the one named, or the one that a sequence number names, or all. */
function shardsFor(
  log: Log,
  stream: StreamDefinition,
  position: StartingPosition,
  shardId: string | undefined,
): SlottedShard[] {
  const shards = log.slots.ofStream(stream.uid);
  const wanted =
    shardId !== undefined
      ? shardIndexOf(shardId)
      : "sequenceNumber" in position
        ? parseSequenceNumber(position.sequenceNumber).shardIndex
        : undefined;
  if (wanted === undefined) return shards;
  const found = shards.filter((shard) => shard.shardIndex === wanted);
  if (found.length === 0) throw ResourceNotFoundError.shard(shardIdOf(wanted), stream.name);
  return found;
}

async function indexFor(
  log: Log,
  shard: SlottedShard,
  position: StartingPosition,
): Promise<number> {
  switch (position.type) {
    case "TRIM_HORIZON":
      return log.control.shard(shard.uid)?.trimmedBefore ?? 0;
    case "LATEST":
      return log.core.position(shard.slot).durableIndex;
    case "AT_TIMESTAMP":
      return await log.indexAtTime(shard, position.timestampMs);
    case "AT_SEQUENCE_NUMBER":
    case "AFTER_SEQUENCE_NUMBER":
      return indexOfNumber(shard, position);
  }
}

function indexOfNumber(
  shard: SlottedShard,
  position: Extract<StartingPosition, { sequenceNumber: string }>,
): number {
  const parsed = parseSequenceNumber(position.sequenceNumber);
  if (parsed.shardIndex !== shard.shardIndex || parsed.createdSeconds !== shard.createdSeconds) {
    throw new InvalidArgumentError(
      `StartingSequenceNumber ${position.sequenceNumber} used in GetShardIterator on shard ` +
        `${shardIdOf(shard.shardIndex)} in stream ${shard.streamName} is invalid because it did not ` +
        "come from this shard.",
      { argument: "sequenceNumber", value: position.sequenceNumber },
    );
  }
  return position.type === "AT_SEQUENCE_NUMBER" ? parsed.sequenceIndex : parsed.sequenceIndex + 1;
}

/** Resolves a starting position in every shard that it covers, by shard index. @throws ResourceNotFoundError, InvalidArgumentError. */
export async function resolvePosition(
  log: Log,
  stream: StreamDefinition,
  position: StartingPosition,
  shardId: string | undefined,
): Promise<ResolvedPosition[]> {
  const shards = shardsFor(log, stream, position, shardId);
  return await Promise.all(
    shards.map(async (shard) => {
      const nextIndex = await indexFor(log, shard, position);
      log.slots.requireHeld(shard);
      const endIndex = log.core.position(shard.slot).durableIndex;
      return { shardIndex: shard.shardIndex, nextIndex, endIndex };
    }),
  );
}
