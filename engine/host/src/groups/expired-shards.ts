/**
 * What groups lose with a shard that expires before they are done with it: noted in one step with the expiry, since
 * nobody can tell it afterwards, and kept until somebody has heard of it.
 */
import type { ControlRecord } from "../log/control-records.ts";
import type { ShardState } from "../log/control-snapshot.ts";
import { expiriesOf, expiryKey, type StoredExpiry, type StoredLease } from "./group-documents.ts";
import type { GroupLeases, LeaseSources } from "./group-leases.ts";
import type { LeaseCheckpoint } from "./group-types.ts";
import { Waiting } from "./lease-discovery.ts";

/** Notes of one group; beyond that the oldest ones go. */
const NOTES_MAX = 100;

/** The records that note what a group loses with shards, of whatever streams, that expire now. */
export function notingExpiry(
  { log, documents }: LeaseSources,
  group: GroupLeases,
  shardUids: readonly number[],
  expiredMs: number,
): ControlRecord[] {
  const { stored, groupName } = group;
  // A replica puts the records itself that it would have to read.
  if (stored.replicaOf !== undefined) return [];
  const leases = group.all();
  const waiting = new Waiting(group.stream.shards, leases);
  const notes = new Map<number, StoredExpiry>();
  for (const uid of shardUids) {
    const shard = log.control.shard(uid);
    if (shard?.streamUid !== stored.streamUid) continue;
    const { shardIndex, createdSeconds } = shard;
    const checkpoint = lostBehind(shard, leases.get(shardIndex), waiting.waits(shardIndex));
    if (checkpoint !== undefined) notes.set(shardIndex, { checkpoint, createdSeconds, expiredMs });
  }
  if (notes.size === 0) return [];
  const kept = [...expiriesOf(documents, groupName).keys()];
  const surplus = kept.slice(0, Math.max(0, kept.length + notes.size - NOTES_MAX));
  return [
    ...surplus.map((shardIndex) => documents.deleting(expiryKey(groupName, shardIndex))),
    ...Array.from(notes, ([shardIndex, note]) =>
      documents.putting(expiryKey(groupName, shardIndex), note),
    ),
  ];
}

/**
 * The checkpoint behind which records of an empty shard were dropped that the group had yet to process; undefined
 * where there were none. A shard without a lease is yet to be begun where it waits for others.
 */
function lostBehind(
  { trimmedBefore }: ShardState,
  lease: StoredLease | undefined,
  waits: boolean,
): LeaseCheckpoint | undefined {
  if (lease === undefined && !waits) return undefined;
  const checkpoint = lease?.checkpoint ?? { at: "TRIM_HORIZON" };
  if ("at" in checkpoint && checkpoint.at === "SHARD_END") return undefined;
  const next = "index" in checkpoint ? checkpoint.index + 1 : (lease?.startIndex ?? 0);
  return trimmedBefore > next ? checkpoint : undefined;
}
