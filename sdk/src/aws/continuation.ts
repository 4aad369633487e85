/**
 * Continuation sequence numbers: every event of a subscription has one, also before there is a record.
 *
 * Then it names a place between records: the index of the record that comes next, with an arrival at
 * second 0, which no record has. At it and after it are the same place.
 */
import { formatSequenceNumber, parseSequenceNumber } from "@millrace/engine";
import type { OperationName } from "@millrace/engine/model";

/** A place in a shard: before the record of an index. */
export interface ShardPlace {
  readonly shardIndex: number;
  /** Creation of the shard in seconds since the Unix epoch. */
  readonly createdSeconds: number;
  readonly nextIndex: number;
}

/** The number for a place. */
export function placeOf({ createdSeconds, nextIndex, shardIndex }: ShardPlace): string {
  return formatSequenceNumber({
    createdSeconds,
    sequenceIndex: nextIndex,
    arrivalSeconds: 0,
    shardIndex,
  });
}

function isPlace(sequenceNumber: unknown): boolean {
  // Numbers are 56 digits; what is none is for the engine to refuse.
  if (typeof sequenceNumber !== "string" || !/^\d{56}$/.test(sequenceNumber)) return false;
  try {
    return parseSequenceNumber(sequenceNumber).arrivalSeconds === 0;
  } catch {
    return false;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/** An input whose starting position is after a place begins at the place; any other is as it was. */
export function withPlaces(operation: OperationName, input: unknown): unknown {
  if (operation === "GetShardIterator") {
    const after = member(input, "ShardIteratorType") === "AFTER_SEQUENCE_NUMBER";
    if (!after || !isPlace(member(input, "StartingSequenceNumber"))) return input;
    return Object.assign({}, input, { ShardIteratorType: "AT_SEQUENCE_NUMBER" });
  }
  if (operation === "SubscribeToShard") {
    const position = member(input, "StartingPosition");
    const after = member(position, "Type") === "AFTER_SEQUENCE_NUMBER";
    if (!after || !isPlace(member(position, "SequenceNumber"))) return input;
    const at = Object.assign({}, position, { Type: "AT_SEQUENCE_NUMBER" });
    return Object.assign({}, input, { StartingPosition: at });
  }
  return input;
}
