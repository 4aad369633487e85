/** What rows of a lease table say, in the words of groups. Pure. */
import { type LeaseCheckpoint, type ShardDescription, shardIndexOf } from "@millrace/engine";
import type { LeaseRow } from "../../lease-table.ts";
import { parentsOf } from "../../shard-turns.ts";

/** The KCL's word for a lease that is finished. */
export const SHARD_END = "SHARD_END";
const SHARD_ID_DIGITS = 12;

/** Where a lease begins that nobody has read. */
export type RowStart = Pick<LeaseRow, "checkpoint" | "timestampMs">;

/** Id of the shard with an index. */
export function shardIdOf(shardIndex: number): string {
  return `shardId-${shardIndex.toString().padStart(SHARD_ID_DIGITS, "0")}`;
}

/** A row of a shard's lease that is nobody's. */
export function newRow(shard: ShardDescription, start: RowStart): LeaseRow {
  const { shardId: leaseKey, startingHashKey, endingHashKey } = shard;
  return {
    ...{ leaseKey, owner: null, counter: 0, ...start, subSequenceNumber: 0, ownerSwitches: 0 },
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
