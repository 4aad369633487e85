/**
 * Segments that are declared and not in the store: they are reported, and what the WAL still holds of them is
 * served like the rest of a damaged segment, under a key that their records tell.
 */
import { SECTION_RECORDS } from "@millrace/core/layout";
import type { SegmentKey } from "../storage/log-store.ts";
import type { LogContext } from "./log-context.ts";
import { readRuns } from "./sections.ts";
import type { DirectoryScan, MissingSegment } from "./segment-directory.ts";
import { decodeFrame } from "./wal-frame.ts";
import type { WalScan } from "./wal-scan.ts";

/** Notes declared segments that are not in the store, and segments of shards that nobody knows. */
export function reportMissing(found: DirectoryScan, scan: WalScan): void {
  const { control, losses } = scan;
  for (const { shardUid, ordinal, facts } of found.missing) {
    const manifest = scan.manifest(shardUid, ordinal);
    const [byteLength = manifest?.byteLength, recordCount = manifest?.recordCount] = facts ?? [];
    losses.add({
      kind: "segment",
      where: `shard uid ${shardUid}, segment ${ordinal}`,
      reason: "it is declared but not in the store",
      recordCount,
      ...(byteLength === undefined ? {} : { byteLength }),
    });
  }
  const orphans = new Set(found.unknown.map(([shardUid]) => shardUid));
  for (const shardUid of orphans) {
    if (control.wasDeleted(shardUid)) continue;
    losses.add({
      kind: "segment",
      where: `shard uid ${shardUid}`,
      reason: "the store holds segments of a shard that the log no longer knows; they are kept",
      recordCount: undefined,
    });
  }
}

/** The keys that missing segments had, about, as far as the WAL holds records of them. Times are those of commits. */
export async function keysFromWal(
  { core, store, wal }: Pick<LogContext, "core" | "store" | "wal">,
  missing: readonly MissingSegment[],
): Promise<SegmentKey[]> {
  const wanted = new Set(missing.map(({ shardUid, ordinal }) => nameOf(shardUid, ordinal)));
  if (wanted.size === 0) return [];
  const keys = new Map<string, SegmentKey>();
  for (const { frameNumber, holds } of wal.frames()) {
    if (!holds.some(({ shardUid, ordinal }) => wanted.has(nameOf(shardUid, ordinal)))) continue;
    // What cannot be read now was read a moment ago; the report stands in any case.
    const bytes = await store.readFrame(frameNumber).catch(() => undefined);
    const frame = bytes === undefined ? undefined : decodeFrame(core, bytes);
    if (frame === undefined || "damaged" in frame) continue;
    const { sections, timeMs, epoch } = frame;
    for (const section of sections) {
      for (const run of section.type === SECTION_RECORDS ? readRuns(section) : []) {
        const name = nameOf(run.shardUid, run.ordinal);
        if (!wanted.has(name)) continue;
        const [, , firstIndex = run.firstIndex, firstMs = timeMs] = keys.get(name) ?? [];
        keys.set(name, [run.shardUid, run.ordinal, firstIndex, firstMs, timeMs, epoch]);
      }
    }
  }
  return [...keys.values()];
}

function nameOf(shardUid: number, ordinal: number): string {
  return `${shardUid}/${ordinal}`;
}
