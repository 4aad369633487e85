/** New leases: from what discovery calls for to the document. */
import type { ControlRecord } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import type { SlottedShard } from "../log/shard-slots.ts";
import type { Documents } from "../streams/documents.ts";
import { leaseKey, type StoredGroup, type StoredLease } from "./group-documents.ts";
import type { NewLease } from "./lease-discovery.ts";

/**
 * A lease that nobody owns. LATEST means the end of the shard as it is now, for good: an owner that dies before
 * its first checkpoint leaves nothing out.
 */
export function freshLease(
  log: Log,
  { streamUid, firstCounter }: Pick<StoredGroup, "streamUid" | "firstCounter">,
  lease: NewLease,
): StoredLease {
  const { shardIndex, checkpoint } = lease;
  const shard = log.slots.ofStream(streamUid).find((one) => one.shardIndex === shardIndex);
  const startIndex = shard === undefined ? undefined : startIndexOf(log, shard, lease);
  return {
    ...{ owner: null, leaseCounter: firstCounter, epoch: 0, epochCounter: 0, checkpoint },
    ownerSwitches: 0,
    ...(startIndex === undefined ? {} : { startIndex }),
  };
}

function startIndexOf(
  log: Log,
  { slot, uid }: SlottedShard,
  { checkpoint, first }: NewLease,
): number | undefined {
  if (!("at" in checkpoint)) return undefined;
  if (checkpoint.at === "LATEST") return log.core.position(slot).durableIndex;
  const begins = first === true && checkpoint.at === "TRIM_HORIZON";
  // Nothing was dropped of most shards, which is what the absence of an index means.
  return (begins && log.control.shard(uid)?.trimmedBefore) || undefined;
}

/** The record that creates a lease. */
export function creatingLease(
  { log, documents }: { readonly log: Log; readonly documents: Documents },
  name: string,
  group: Pick<StoredGroup, "streamUid" | "firstCounter">,
  lease: NewLease,
): ControlRecord {
  return documents.putting(leaseKey(name, lease.shardIndex), freshLease(log, group, lease));
}
