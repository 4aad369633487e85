/** Continuation sequence numbers: every event of a subscription has one, also before there is a record. */
import { formatSequenceNumber } from "@millrace/engine";

/** A place in a shard: before the record of an index. */
export interface ShardPlace {
  readonly shardIndex: number;
  /** Creation of the shard in seconds since the Unix epoch. */
  readonly createdSeconds: number;
  readonly nextIndex: number;
}

/** The number after which the records from a place on come. Its own record need not exist; indexes begin at 1. */
export function numberBefore({ createdSeconds, nextIndex, shardIndex }: ShardPlace): string {
  return formatSequenceNumber({
    createdSeconds,
    sequenceIndex: Math.max(0, nextIndex - 1),
    arrivalSeconds: createdSeconds,
    shardIndex,
  });
}
