/**
 * Whether a control copy takes the place of what is lost of a log: only where something is lost that the
 * state stands on, and only a copy of the same log that knows more than what is left of it. Segments that the
 * store holds then count as declared.
 */
import type { ShardLogCore } from "../core/core-types.ts";
import type { LogStore, SegmentKey } from "../storage/log-store.ts";
import type { ControlCopy } from "./control-copy.ts";
import type { ControlState } from "./control-state.ts";
import { factsOfImage, PROBE_ORDINAL } from "./segment-directory.ts";
import { segmentIntact } from "./segment-image.ts";

/** What a scan of a WAL came to, and the segments beside it. */
export interface ScannedState {
  /** Number of the oldest frame; 0 when there is none. */
  readonly firstFrame: number;
  readonly newestFrame: number;
  /** Number of the newest frame with a snapshot; 0 when there is none. */
  readonly snapshotFrame: number;
  /** The first frame that is lost and no snapshot stands for. */
  readonly firstLost: number | undefined;
  /** The one that the newest fence names. */
  readonly incarnation: string | undefined;
  readonly control: ControlState;
  readonly keys: readonly SegmentKey[];
}

/** Whether the frames before the oldest one are lost, and no snapshot stands for them. */
function lacksBeginning({ firstFrame, snapshotFrame, keys }: ScannedState): boolean {
  if (snapshotFrame > 0) return false;
  return firstFrame > 1 || (firstFrame === 0 && keys.length > 0);
}

/** Whether the store holds a segment of a shard that the state never knew. */
function hasOrphans({ control, keys }: ScannedState): boolean {
  return keys.some(([uid]) => control.shard(uid) === undefined && !control.wasDeleted(uid));
}

/** The newest segment of each shard; of rivals for an ordinal the one of the later leader. */
function newestOfShards(keys: readonly SegmentKey[]): SegmentKey[] {
  const newest = new Map<number, SegmentKey>();
  for (const key of keys) {
    const [shardUid, ordinal, , , , epoch] = key;
    if (ordinal === PROBE_ORDINAL) continue;
    const other = newest.get(shardUid);
    const newer =
      other === undefined || ordinal > other[1] || (ordinal === other[1] && epoch > other[5]);
    if (newer) newest.set(shardUid, key);
  }
  return [...newest.values()];
}

/** Declares the segments that a store holds: only records that were committed are ever written into one. */
export async function adoptSegments(
  core: ShardLogCore,
  store: Pick<LogStore, "readSegment">,
  control: ControlState,
  keys: readonly SegmentKey[],
): Promise<void> {
  for (const key of newestOfShards(keys)) {
    const [shardUid, ordinal, firstIndex] = key;
    const state = control.shard(shardUid);
    if (state === undefined || ordinal <= state.sealedThrough) continue;
    // What cannot be read now is found damaged by its first reader.
    const image = await store.readSegment(key).catch(() => undefined);
    const intact = image !== undefined && segmentIntact(core, image);
    const lastIndex = intact ? factsOfImage(image)?.[2] : undefined;
    control.adopt(shardUid, ordinal, (lastIndex ?? firstIndex) + 1);
  }
}

/** Whether a control copy is worth looking for. */
export function isDoubtful(state: ScannedState): boolean {
  return state.firstLost !== undefined || lacksBeginning(state) || hasOrphans(state);
}

/** Whether a control copy stands for what is lost. */
export function standsIn({ testimony, snapshot }: ControlCopy, state: ScannedState): boolean {
  const through = testimony.frameNumber;
  if (state.incarnation !== undefined && state.incarnation !== testimony.incarnation) return false;
  if (through <= state.snapshotFrame) return false;
  if (lacksBeginning(state)) return true;
  if (state.firstLost !== undefined && state.firstLost <= through) return true;
  // A log that ends early and is whole in itself may be an older copy, unless it does not know what lies beside it.
  const copied = new Set(snapshot.shards.map(({ uid }) => uid));
  const orphans = state.keys.filter(([uid]) => state.control.shard(uid) === undefined);
  return state.newestFrame < through && orphans.some(([uid]) => copied.has(uid));
}
