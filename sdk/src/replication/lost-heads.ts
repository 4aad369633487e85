/**
 * Finds the shards whose first records may have expired before any was shipped: what has no checkpoint yet begins at
 * the oldest record that there is, which need not be the one it was to begin with.
 */
import {
  decodeSlice,
  type EngineClient,
  type GroupDescription,
  type LeaseDescription,
  parseSequenceNumber,
  type StreamDescription,
} from "@millrace/engine";
import { allShards } from "../shard-turns.ts";

const HOUR_MS = 3_600_000;
const READ_BYTES_MAX = 65_536;
/** Index of a shard's first record; takeovers leave others out. */
const FIRST_INDEX = 1;

/** A shard and the first record that is left of it. */
export interface LostHead {
  readonly shardId: string;
  readonly before: string;
}

/** See above. @throws what the engine throws. */
export async function findLostHeads(
  client: EngineClient,
  { name, uid }: Pick<StreamDescription, "name" | "uid">,
  { definition, leases }: GroupDescription,
): Promise<LostHead[]> {
  if (definition.startingPosition.type !== "TRIM_HORIZON") return [];
  const stream = await client.call("describeStream", { name });
  const expiredMs = (await client.call("now", {})) - stream.retentionHours * HOUR_MS;
  if (stream.uid !== uid || definition.createdMs >= expiredMs) return [];
  const old = allShards(stream).filter((shard) => shard.createdSeconds * 1000 < expiredMs);
  const found: LostHead[] = [];
  for (const lease of leases.filter(isUntouched)) {
    const { shardId, shardIndex } = lease;
    if (!old.some((shard) => shard.shardIndex === shardIndex)) continue;
    const slice = await client.read({
      ...{ streamUid: uid, cursors: [{ shardIndex, nextIndex: 0 }] },
      ...{ recordsMax: 1, bytesMax: READ_BYTES_MAX, waitMs: 0 },
    });
    const batch = decodeSlice(slice);
    const before = batch.length > 0 ? batch.sequenceNumber(0) : undefined;
    if (before === undefined || parseSequenceNumber(before).sequenceIndex <= FIRST_INDEX) continue;
    found.push({ shardId, before });
  }
  return found;
}

function isUntouched({ checkpoint, lagRecords }: LeaseDescription): boolean {
  return "at" in checkpoint && checkpoint.at === "TRIM_HORIZON" && lagRecords > 0;
}
