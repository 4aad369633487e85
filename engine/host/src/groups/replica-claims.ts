/** Which group of a stream is the replica of a stream elsewhere: one, so that no other one copies the same beside it. */
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

/** The records by which a group that is there becomes the replica that is asked for, unless it is one already. */
export function claimingReplica(
  documents: Documents,
  { name, replicaOf }: GroupSpec,
  found: StoredGroup,
): ControlRecord[] {
  if (replicaOf === undefined || found.replicaOf !== undefined) return [];
  return [documents.putting(groupKey(name), { ...found, replicaOf })];
}
