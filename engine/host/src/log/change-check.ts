/**
 * Refuses changes that contradict the state before they are written: what is in the WAL must apply on
 * every leader, so that it is too late for a refusal afterwards.
 */
import type { ControlRecord } from "./control-records.ts";
import type { ControlState } from "./control-state.ts";
import type { FrameGroup, PendingChange } from "./frame-group.ts";
import { checkRoom } from "./shard-slots.ts";

/** Records that may not fit the state; the others apply to any. */
const CHECKED: ReadonlySet<ControlRecord["kind"]> = new Set<ControlRecord["kind"]>([
  "stream-created",
  "stream-updated",
  "stream-resharded",
  "shards-expired",
]);

/** Rejects a group's changes that cannot be applied after those before them, and leaves them out. */
export function refuseContradictions(control: ControlState, group: FrameGroup): void {
  if (!group.changes.some(needsCheck)) return;
  const trial = control.fork();
  const refused = new Set<PendingChange>();
  for (const change of group.changes) {
    const next = trial.fork();
    try {
      for (const record of change.records) next.apply(record);
      if (needsCheck(change)) checkRoom({ streams: next.streamCount, shards: next.shardCount });
      trial.takeOver(next);
    } catch (error) {
      refused.add(change);
      change.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
  if (refused.size > 0) group.dropChanges(refused);
}

function needsCheck({ records }: PendingChange): boolean {
  return records.some(({ kind }) => CHECKED.has(kind));
}
