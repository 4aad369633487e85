/** Starting positions: from AWS's words for a place in a stream to sequence indexes. */
import { ACCOUNT_ID, InvalidArgumentError, ResourceNotFoundError } from "../errors/index.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import type { SlottedShard } from "../log/shard-slots.ts";
import { parseOldSequenceNumber } from "../sequence/old-sequence-number.ts";
import {
  parseSequenceNumber,
  type SequenceNumberParts,
  shardIdOf,
  shardIndexOf,
} from "../sequence/sequence-number.ts";
import type { ResolvedPosition, StartingPosition } from "./stream-types.ts";

/** The shards that a read covers: the one named, or the one that a sequence number names, or all that can have records there. */
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
  if (wanted === undefined) {
    return shards.filter((shard) => reaches(log.control.shard(shard.uid)?.closedMs, position));
  }
  const found = shards.filter((shard) => shard.shardIndex === wanted);
  if (found.length === 0) throw ResourceNotFoundError.shard(shardIdOf(wanted), stream.name);
  return found;
}

/** Whether a shard that was closed at that time can have records at or after a position. */
function reaches(closedMs: number | undefined, position: StartingPosition): boolean {
  if (closedMs === undefined) return true;
  if (position.type === "AT_TIMESTAMP") return closedMs >= position.timestampMs;
  return position.type !== "LATEST";
}

async function indexFor(
  log: Log,
  shard: SlottedShard,
  position: StartingPosition,
): Promise<number> {
  switch (position.type) {
    case "TRIM_HORIZON":
      return await log.trimHorizon(shard);
    case "LATEST":
      return log.core.position(shard.slot).durableIndex;
    case "AT_TIMESTAMP":
      return await log.indexAtTime(shard, position.timestampMs);
    case "AT_SEQUENCE_NUMBER":
    case "AFTER_SEQUENCE_NUMBER":
      return indexOfNumber(log, shard, position);
  }
}

function indexOfNumber(
  log: Log,
  shard: SlottedShard,
  position: Extract<StartingPosition, { sequenceNumber: string }>,
): number {
  const { sequenceIndex } = ownNumber(shard, position.sequenceNumber);
  const index = position.type === "AT_SEQUENCE_NUMBER" ? sequenceIndex : sequenceIndex + 1;
  if (Number.isSafeInteger(index)) return index;
  // The end of a closed shard lies beyond every index that a record can have.
  const closed = log.control.shard(shard.uid)?.closedMs !== undefined;
  return closed ? log.core.position(shard.slot).nextIndex : Number.MAX_SAFE_INTEGER;
}

/** Parts of a sequence number of the shard. @throws InvalidArgumentError when it is another's, or none. */
function ownNumber(shard: SlottedShard, sequenceNumber: string): SequenceNumberParts {
  const parsed = parseNumber(shard, sequenceNumber);
  if (parsed.shardIndex !== shard.shardIndex) {
    throw new InvalidArgumentError(
      `Invalid StartingSequenceNumber. It encodes ${shardIdOf(parsed.shardIndex)}, while it was used ` +
        `in a call to a shard with ${shardIdOf(shard.shardIndex)}`,
      { argument: "StartingSequenceNumber", value: sequenceNumber },
    );
  }
  if ("version" in parsed || parsed.createdSeconds !== shard.createdSeconds) {
    throw invalidNumber(
      shard,
      sequenceNumber,
      " is invalid because it did not come from this stream.",
    );
  }
  return parsed;
}

function parseNumber(shard: SlottedShard, sequenceNumber: string) {
  const old = parseOldSequenceNumber(sequenceNumber);
  if (old !== undefined) return old;
  try {
    return parseSequenceNumber(sequenceNumber);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw invalidNumber(shard, sequenceNumber, " is invalid.");
  }
}

function invalidNumber(
  shard: SlottedShard,
  sequenceNumber: string,
  problem: string,
): InvalidArgumentError {
  return new InvalidArgumentError(
    `StartingSequenceNumber ${sequenceNumber} used in GetShardIterator on shard ` +
      `${shardIdOf(shard.shardIndex)} in stream ${shard.streamName} under account ${ACCOUNT_ID}${problem}`,
    { argument: "StartingSequenceNumber", value: sequenceNumber },
  );
}

/**
 * Resolves a starting position in every shard that it covers, by shard index. Without a shard those are
 * the open ones, and the closed ones that can have records there; a reader that wants a parent's
 * records before its children's starts with the shards whose parents are not among them.
 *
 * @throws ResourceNotFoundError, InvalidArgumentError.
 */
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
