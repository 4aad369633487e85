/** The state of a log as sections of a snapshot, and which frames it takes the place of. */
import type { LogContext } from "./log-context.ts";
import type { DataLoss } from "./loss-reports.ts";
import { encodeResults } from "./producer-table.ts";
import { producerSection, snapshotSection } from "./sections.ts";
import type { SectionDraft } from "./wal-frame.ts";

/** What a snapshot is made of. */
export type SnapshotState = Pick<LogContext, "control" | "producers" | "wal"> &
  Partial<Pick<LogContext, "directory">>;

/** What a snapshot of an open log is made of. */
export type SnapshotSource = SnapshotState &
  Pick<LogContext, "core" | "slots" | "clock" | "clockGuard" | "directory">;

/** Frames up to one that no longer hold anything which a stored segment does not, but the newest and fences. */
export function trimmableFrames(
  { wal, control, directory }: Pick<SnapshotState, "wal" | "control" | "directory">,
  throughFrame: number,
): number[] {
  return wal.trimmable(throughFrame, ({ shardUid, ordinal }) => {
    const shard = control.shard(shardUid);
    if (shard === undefined || ordinal <= shard.trimmedThrough) return true;
    return ordinal <= shard.sealedThrough && (directory?.isStored(shardUid, ordinal) ?? true);
  });
}

/** The state of an open log as it is now, in the place of the frames up to one. */
export function snapshotSections(source: SnapshotSource, throughFrame: number): SectionDraft[] {
  const { producers, core, slots, clock, clockGuard } = source;
  if (clockGuard.distrust() === undefined) producers.expire(clock.nowMs());
  return stateSections(source, throughFrame, (shardUid) => {
    const shard = slots.ofUid(shardUid);
    return shard === undefined ? 0 : core.position(shard.slot).nextIndex;
  });
}

/**
 * Control state and producer table in the place of the frames up to one. `nextIndexOf` gives a shard's next
 * sequence index; `losses` are what nobody was told of yet.
 */
export function stateSections(
  { control, producers, wal, directory }: SnapshotState,
  throughFrame: number,
  nextIndexOf: (shardUid: number) => number,
  losses?: readonly DataLoss[],
): SectionDraft[] {
  const source = { control, wal, ...(directory === undefined ? {} : { directory }) };
  const trimmable = new Set(trimmableFrames(source, throughFrame));
  const kept = wal
    .frames()
    .filter(({ fence, frameNumber }) => !fence && frameNumber <= throughFrame)
    .map(({ frameNumber }) => frameNumber)
    .filter((frameNumber) => !trimmable.has(frameNumber));
  return [
    snapshotSection(control.snapshot(nextIndexOf), {
      ...{ through: throughFrame, kept },
      ...(losses === undefined ? {} : { losses }),
    }),
    producerSection(encodeResults(producers.all())),
  ];
}
