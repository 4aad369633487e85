/** A group of a stream elsewhere as it is described to the application. Pure. */
import { type CheckpointDescription, type LeaseStatus, shardIndexOf } from "@millrace/engine";
import type { LeaseRow } from "../../lease-table.ts";
import { checkpointOf, isEnded, isReady } from "./lease-rows.ts";
import type { RemoteGroupDescription, RemoteLeaseDescription } from "./remote-group-types.ts";

/** The group that these rows are of. */
export function describeGroup(
  definition: RemoteGroupDescription["definition"],
  rows: readonly LeaseRow[],
): RemoteGroupDescription {
  const byKey = new Map(rows.map((row) => [row.leaseKey, row]));
  const leases = rows.map((row) => describeLease(row, byKey));
  const owners = [...new Set(rows.flatMap(({ owner }) => owner ?? []))].sort();
  return {
    definition,
    leases: leases.sort((a, b) => a.shardIndex - b.shardIndex),
    workers: owners.map((workerId) => ({
      workerId,
      leases: rows.filter(({ owner }) => owner === workerId).length,
    })),
  };
}

function describeLease(row: LeaseRow, rows: ReadonlyMap<string, LeaseRow>): RemoteLeaseDescription {
  const { leaseKey: shardId, owner, counter: leaseCounter, ownerSwitches } = row;
  return {
    ...{ shardId, shardIndex: shardIndexOf(shardId), status: statusOf(row, rows), owner },
    ...{ leaseCounter, checkpoint: describeCheckpoint(row), ownerSwitches },
  };
}

function statusOf(row: LeaseRow, rows: ReadonlyMap<string, LeaseRow>): LeaseStatus {
  if (isEnded(row)) return "ended";
  if (row.owner !== null) return row.wantedBy === null ? "owned" : "handing-over";
  return isReady(row, rows) ? "available" : "waiting-for-parents";
}

function describeCheckpoint(row: LeaseRow): CheckpointDescription {
  const checkpoint = checkpointOf(row);
  if ("at" in checkpoint) return checkpoint;
  return { sequenceNumber: row.checkpoint, subSequenceNumber: row.subSequenceNumber };
}
