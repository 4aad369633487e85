/**
 * Refuses changes that contradict the state before they are written: what is in the WAL must apply on
 * every leader, so that it is too late for a refusal afterwards.
 */
import { LimitExceededError } from "../errors/index.ts";
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
  "document-put",
]);

/** Characters of all documents together; every snapshot holds them, and memory does. */
export const DOCUMENTS_SIZE_MAX = 16_777_216;
/** A change that adds no more than this always fits: what an operation notes of itself is this small. */
const SMALL_CHANGE_SIZE = 1024;

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
      checkDocuments(trial.documentsSize, next.documentsSize);
      trial.takeOver(next);
    } catch (error) {
      refused.add(change);
      change.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
  if (refused.size > 0) group.dropChanges(refused);
}

/** Refuses a change of the size of all documents that is too much. @throws LimitExceededError. */
export function checkDocuments(before: number, after: number): void {
  if (after <= DOCUMENTS_SIZE_MAX || after - before <= SMALL_CHANGE_SIZE) return;
  throw new LimitExceededError(
    `this engine holds at most ${DOCUMENTS_SIZE_MAX} characters of tags, policies and other settings`,
    { argument: "documents", value: after, limit: DOCUMENTS_SIZE_MAX },
  );
}

function needsCheck({ records }: PendingChange): boolean {
  return records.some(({ kind }) => CHECKED.has(kind));
}
