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

/** The segments of each shard, the newest first; of rivals for an ordinal the one of the later leader is first. */
function segmentsOfShards(keys: readonly SegmentKey[]): Map<number, SegmentKey[]> {
  const ofShards = new Map<number, SegmentKey[]>();
  for (const key of keys) {
    const [shardUid, ordinal] = key;
    if (ordinal === PROBE_ORDINAL) continue;
    const others = ofShards.get(shardUid);
    if (others === undefined) ofShards.set(shardUid, [key]);
    else others.push(key);
  }
  for (const ofShard of ofShards.values()) {
    ofShard.sort((left, right) => right[1] - left[1] || right[5] - left[5]);
  }
  return ofShards;
}

/**
 * Declares the segments that a store holds: only records that were committed are ever written into one. A
 * leader that was deposed may have written one late that ends before what the WAL holds of its ordinal:
 * that one is left to the replay. `endInWal` gives the index behind the last record that intact frames hold.
 */
export async function adoptSegments(
  core: ShardLogCore,
  store: Pick<LogStore, "readSegment">,
  control: ControlState,
  keys: readonly SegmentKey[],
  endInWal: (shardUid: number, ordinal: number) => number,
): Promise<void> {
  for (const [shardUid, ofShard] of segmentsOfShards(keys)) {
    for (const key of ofShard) {
      const [, ordinal, firstIndex] = key;
      const state = control.shard(shardUid);
      if (state === undefined || ordinal <= state.sealedThrough) break;
      // What cannot be read now is found damaged by its first reader.
      const image = await store.readSegment(key).catch(() => undefined);
      const intact = image !== undefined && segmentIntact(core, image);
      const lastIndex = intact ? factsOfImage(image)?.[2] : undefined;
      if (lastIndex !== undefined && endInWal(shardUid, ordinal) > lastIndex + 1) continue;
      control.adopt(shardUid, ordinal, (lastIndex ?? firstIndex) + 1);
      break;
    }
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
