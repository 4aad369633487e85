/**
 * Frames that are damaged or missing, and how many records they held: sequence indexes are dense within
 * an epoch of a shard, so that the next run of a shard tells what came before it.
 */
import type { DataLoss } from "./loss-reports.ts";
import type { StoredRun } from "./sections.ts";

interface LostFrames {
  readonly first: number;
  readonly last: number;
  readonly reason: string;
  recordCount: number | undefined;
}

/** Losses of whole frames as a scan meets them, in ascending order. */
export class RecordGaps {
  #lost: LostFrames[] = [];
  /** Epoch of a shard's newest run, and the index behind it. */
  readonly #ends = new Map<number, { readonly epoch: number; readonly nextIndex: number }>();

  /** Frames from one number to another cannot be used. */
  add(first: number, last: number, reason: string): void {
    this.#lost.push({ first, last, reason, recordCount: undefined });
  }

  /** A run of an intact frame. What is missing before it was in the frames that were lost last. */
  run(epoch: number, { shardUid, firstIndex, recordCount }: StoredRun): void {
    const end = this.#ends.get(shardUid);
    const missing = end?.epoch === epoch ? firstIndex - end.nextIndex : 0;
    const lost = this.#lost.at(-1);
    if (missing > 0 && lost !== undefined) lost.recordCount = (lost.recordCount ?? 0) + missing;
    this.#ends.set(shardUid, { epoch, nextIndex: firstIndex + recordCount });
  }

  /**
   * Takes the losses. For frames that are missing before a number a snapshot stands, in whose place they were
   * trimmed; and for those that `isTrimmed` names, if what is left of them cannot be read.
   */
  take(behind: number, isTrimmed: (frameNumber: number) => boolean): DataLoss[] {
    const lost = this.#lost;
    this.#lost = [];
    return lost
      .filter(({ last, reason }) => (reason === MISSING ? last > behind : !isTrimmed(last)))
      .map(({ first, last, reason, recordCount }) => ({
        kind: "wal-frame",
        where: first === last ? `WAL frame ${first}` : `WAL frames ${first} to ${last}`,
        reason,
        recordCount,
      }));
  }

  /** The last missing frame behind a number. */
  lastMissing(behind: number): number | undefined {
    return this.#lost.findLast(({ last, reason }) => reason === MISSING && last > behind)?.last;
  }
}

/** Reason of frames whose numbers are not in the store. */
export const MISSING = "it is missing";
