/**
 * Finds the shards whose first records were dropped before any was shipped: what has no checkpoint yet begins at the
 * oldest record that there is, which need not be the one it was to begin with.
 */
import {
  decodeSlice,
  type EngineClient,
  type GroupDescription,
  type StreamDescription,
} from "@millrace/engine";

const READ_BYTES_MAX = 65_536;

/** A shard and the first record that is left of it; undefined when there is none. */
export interface LostHead {
  readonly shardId: string;
  readonly before: string | undefined;
}

/** See above. @throws what the engine throws. */
export async function findLostHeads(
  client: EngineClient,
  { uid: streamUid }: Pick<StreamDescription, "uid">,
  { leases }: Pick<GroupDescription, "leases">,
): Promise<LostHead[]> {
  const found: LostHead[] = [];
  for (const { shardId, shardIndex } of leases.filter(({ trimmed }) => trimmed)) {
    const slice = await client.read({
      ...{ streamUid, cursors: [{ shardIndex, nextIndex: 0 }] },
      ...{ recordsMax: 1, bytesMax: READ_BYTES_MAX, waitMs: 0 },
    });
    const batch = decodeSlice(slice);
    found.push({ shardId, before: batch.length > 0 ? batch.sequenceNumber(0) : undefined });
  }
  return found;
}
