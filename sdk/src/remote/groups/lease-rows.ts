/** What rows of a lease table say, in the words of groups. Pure. */
import { type LeaseCheckpoint, type ShardDescription, shardIndexOf } from "@millrace/engine";
import type { LeaseRow } from "../../lease-table.ts";
import { parentsOf } from "../../shard-turns.ts";

/** The KCL's word for a lease that is finished. */
export const SHARD_END = "SHARD_END";
const SHARD_ID_DIGITS = 12;
const CLOCK_AHEAD_MS_MAX = 300_000;

/** Where a lease begins that nobody has read. */
export type RowStart = Pick<LeaseRow, "checkpoint" | "timestampMs">;

/** Id of the shard with an index. */
export function shardIdOf(shardIndex: number): string {
  return `shardId-${shardIndex.toString().padStart(SHARD_ID_DIGITS, "0")}`;
}

/**
 * The time of LATEST for whoever takes over a lease that was made at a time of this machine's clock, which may be ahead of
 * the service's: five minutes before, for AWS takes no signature that is off by more. Too early only repeats records.
 */
export function latestMs(nowMs: number): number {
  return nowMs - CLOCK_AHEAD_MS_MAX;
}

/**
 * A row of a shard's lease that is nobody's. Its counter begins at the time, in ms since the Unix epoch: above whatever a
 * row of that key had that was removed, so that nothing that saw it changes this one.
 */
export function newRow(shard: ShardDescription, start: RowStart, nowMs: number): LeaseRow {
  const { shardId: leaseKey, startingHashKey, endingHashKey } = shard;
  return {
    ...{ leaseKey, owner: null, counter: nowMs, ...start, subSequenceNumber: 0, ownerSwitches: 0 },
    parentShardIds: parentsOf(shard).map(shardIdOf),
    ...{ startingHashKey, endingHashKey, wantedBy: null, state: undefined },
  };
}

/** Whether the lease's shard is read to its end. */
export function isEnded({ checkpoint }: Pick<LeaseRow, "checkpoint">): boolean {
  return checkpoint === SHARD_END;
}

/** Whether no record of the lease's shard is checkpointed yet. */
export function isFresh({ checkpoint }: Pick<LeaseRow, "checkpoint">): boolean {
  return checkpoint === "TRIM_HORIZON" || checkpoint === "LATEST" || checkpoint === "AT_TIMESTAMP";
}

/** Whether a lease was read in another stream of the same name: its shard is open, or began after what was read. */
export function isForeign(row: LeaseRow, shard: ShardDescription): boolean {
  if (isEnded(row)) return shard.closedMs === undefined;
  return (
    /^\d+$/.test(row.checkpoint) && BigInt(row.checkpoint) < BigInt(shard.startingSequenceNumber)
  );
}

/** Rows by the index of their shard. */
export function byShard(rows: readonly LeaseRow[]): Map<number, LeaseRow> {
  return new Map(rows.map((row) => [shardIndexOf(row.leaseKey), row]));
}

/** Whether all that must be read before a lease is: a parent without a lease is nothing to wait for. */
export function isReady(row: LeaseRow, rows: ReadonlyMap<string, LeaseRow>): boolean {
  return row.parentShardIds.every((id) => {
    const parent = rows.get(id);
    return parent === undefined || isEnded(parent);
  });
}

/** A row's checkpoint, where a record that it names is the first one of the lease. */
export function checkpointOf(row: LeaseRow): LeaseCheckpoint {
  const { checkpoint, timestampMs = 0, subSequenceNumber } = row;
  switch (checkpoint) {
    case "TRIM_HORIZON":
    case "LATEST":
    case SHARD_END:
      return { at: checkpoint };
    case "AT_TIMESTAMP":
      return { at: checkpoint, timestampMs };
    default:
      return { index: 0, subSequenceNumber };
  }
}
