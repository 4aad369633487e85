/**
 * Groups that are for a stream elsewhere: one is its replica, so that no other one copies the same beside it; others
 * ship to it, and to no other one.
 */
import { ResourceInUseError } from "../errors/index.ts";
import type { ControlRecord } from "../log/control-records.ts";
import type { Documents } from "../streams/documents.ts";
import { groupKey, groupNames, type StoredGroup } from "./group-documents.ts";
import type { GroupSpec } from "./group-types.ts";

/** @throws ResourceInUseError when another group of the stream is the replica of the same stream elsewhere. */
export function requireOnlyReplica(
  documents: Documents,
  { name, streamName, replicaOf }: GroupSpec,
  streamUid: number,
): void {
  if (replicaOf === undefined) return;
  const rival = groupNames(documents).find((other) => {
    const group = other === name ? undefined : documents.get<StoredGroup>(groupKey(other));
    return group?.streamUid === streamUid && group.replicaOf === replicaOf;
  });
  if (rival === undefined) return;
  throw new ResourceInUseError(
    `Stream ${streamName} has a replica of ${replicaOf} already, whose consumer group is ${rival}: go on with it ` +
      "under its name, or delete that group before another replica begins.",
    { argument: "name", value: name, limit: rival },
  );
}

/** The records by which a group that is there becomes one for a stream elsewhere, unless it is for one already. */
export function claimingElsewhere(
  documents: Documents,
  { name, replicaOf, shipsTo }: GroupSpec,
  found: StoredGroup,
): ControlRecord[] {
  const claimed = { ...elsewhere({ replicaOf, shipsTo }), ...found };
  if (Object.keys(claimed).length === Object.keys(found).length) return [];
  return [documents.putting(groupKey(name), claimed)];
}

/** The streams elsewhere that a group is for. */
export function elsewhere({
  replicaOf,
  shipsTo,
}: Pick<GroupSpec, "replicaOf" | "shipsTo">): Pick<StoredGroup, "replicaOf" | "shipsTo"> {
  return {
    ...(replicaOf === undefined ? {} : { replicaOf }),
    ...(shipsTo === undefined ? {} : { shipsTo }),
  };
}
