/** GetShardIterator: a place in a shard, for five minutes. */
import { DryRunError, InternalFailureError, InvalidArgumentError } from "../../errors/index.ts";
import { formatIterator } from "../../model/iterator-token.ts";
import type { InputOf } from "../../model/shapes.ts";
import { resolvePosition } from "../../streams/positions.ts";
import type { StartingPosition } from "../../streams/stream-types.ts";
import { locateStream } from "./located-stream.ts";
import type { Operation, OperationTable } from "./operation.ts";
import { requireShard } from "./shard-outputs.ts";

const getShardIterator: Operation<"GetShardIterator"> = async (context, input, caller) => {
  const { catalogue, clock, log } = context;
  const stream = locateStream(context, input, { operation: "GetShardIterator", caller });
  catalogue.requireUsable(stream);
  const { shardIndex, createdSeconds } = requireShard(stream, input.ShardId, "ShardId");
  const position = positionOf(input, clock.nowMs());
  const shardId = String(shardIndex);
  const [resolved] = await resolvePosition(log, stream, position, shardId);
  if (resolved === undefined) throw new InternalFailureError("a shard has no position");
  if (input.DryRun === true) {
    throw new DryRunError("Request would have succeeded, but DryRun flag is set.");
  }
  const { nextIndex } = resolved;
  const place = { streamUid: stream.uid, shardIndex, createdSeconds, nextIndex };
  return { ShardIterator: formatIterator({ ...place, issuedMs: clock.nowMs() }) };
};

/** Where the iterator is to stand. @throws InvalidArgumentError for members that do not go together. */
function positionOf(input: InputOf<"GetShardIterator">, nowMs: number): StartingPosition {
  const { ShardIteratorType: type, StartingSequenceNumber: sequenceNumber } = input;
  const wantsNumber = type === "AT_SEQUENCE_NUMBER" || type === "AFTER_SEQUENCE_NUMBER";
  if (wantsNumber !== (sequenceNumber !== undefined)) {
    throw new InvalidArgumentError(
      "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber " +
        "or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified " +
        `${type} and ${wantsNumber ? "no" : "also a"} StartingSequenceNumber.`,
      { argument: "StartingSequenceNumber", value: sequenceNumber ?? null },
    );
  }
  const timestampMs = timestampOf(input, nowMs);
  switch (type) {
    case "AT_SEQUENCE_NUMBER":
    case "AFTER_SEQUENCE_NUMBER":
      return { type, sequenceNumber: sequenceNumber ?? "" };
    case "AT_TIMESTAMP":
      return { type, timestampMs };
    case "TRIM_HORIZON":
    case "LATEST":
      return { type };
  }
}

/** Time of an iterator of type AT_TIMESTAMP; 0 for the others. @throws InvalidArgumentError. */
function timestampOf(input: InputOf<"GetShardIterator">, nowMs: number): number {
  const { ShardIteratorType: type, Timestamp: timestamp } = input;
  if (type !== "AT_TIMESTAMP") {
    if (timestamp === undefined) return 0;
    throw new InvalidArgumentError(
      `Must not specify timestampInMillis parameter for iterator of type ${type}.`,
      { argument: "Timestamp", value: timestamp.getTime() },
    );
  }
  if (timestamp === undefined) {
    throw new InvalidArgumentError(
      "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request " +
        "has no timestamp parameter.",
      { argument: "Timestamp" },
    );
  }
  const timestampMs = timestamp.getTime();
  if (timestampMs <= nowMs) return timestampMs;
  throw new InvalidArgumentError(
    "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. " +
      `timestampInMillis: ${timestampMs}, currentTimestampInMillis: ${nowMs}`,
    { argument: "Timestamp", value: timestampMs, limit: nowMs },
  );
}

/** Operations about places in shards. */
export const iteratorOperations: Pick<OperationTable, "GetShardIterator"> = {
  GetShardIterator: getShardIterator,
};
