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
  /** The index behind the newest run of each segment, by shard uid and ordinal. */
  readonly #segmentEnds = new Map<string, number>();

  /** Frames from one number to another cannot be used. */
  add(first: number, last: number, reason: string): void {
    this.#lost.push({ first, last, reason, recordCount: undefined });
  }

  /** A run of an intact frame. What is missing before it was in the frames that were lost last. */
  run(epoch: number, { shardUid, ordinal, firstIndex, recordCount }: StoredRun): void {
    const end = this.#ends.get(shardUid);
    const missing = end?.epoch === epoch ? firstIndex - end.nextIndex : 0;
    const lost = this.#lost.at(-1);
    if (missing > 0 && lost !== undefined) lost.recordCount = (lost.recordCount ?? 0) + missing;
    const nextIndex = firstIndex + recordCount;
    this.#ends.set(shardUid, { epoch, nextIndex });
    this.#segmentEnds.set(`${shardUid}/${ordinal}`, nextIndex);
  }

  /** The index behind the last record that intact frames hold of a segment; 0 when they hold none. */
  endOfSegment(shardUid: number, ordinal: number): number {
    return this.#segmentEnds.get(`${shardUid}/${ordinal}`) ?? 0;
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

  /** The first lost frame that {@link take} would tell of. */
  firstLost(behind: number, isTrimmed: (frameNumber: number) => boolean): number | undefined {
    const told = this.#lost.find(({ last, reason }) =>
      reason === MISSING ? last > behind : !isTrimmed(last),
    );
    return told === undefined ? undefined : Math.max(told.first, behind + 1);
  }

  /**
   * Takes it that something stands for the missing frames up to one but those that it `kept`. Frames before the
   * first one that is there count as lost, if they were kept.
   */
  narrow(firstFrame: number, through: number, kept: readonly number[]): void {
    const beginning = { first: 1, last: firstFrame - 1, reason: MISSING, recordCount: undefined };
    const lost = firstFrame > 1 ? [beginning, ...this.#lost] : this.#lost;
    this.#lost = lost.flatMap((one) => {
      if (one.reason !== MISSING) return one;
      const needed = runsOf(kept.filter((n) => n >= one.first && n <= Math.min(one.last, through)));
      const rest: [number, number][] =
        one.last > through ? [[Math.max(one.first, through + 1), one.last]] : [];
      const parts = [...needed, ...rest];
      const recordCount = parts.length === 1 ? one.recordCount : undefined;
      return parts.map(([first, last]) => ({ ...one, first, last, recordCount }));
    });
  }

  /** The last missing frame behind a number. */
  lastMissing(behind: number): number | undefined {
    return this.#lost.findLast(({ last, reason }) => reason === MISSING && last > behind)?.last;
  }
}

/** First and last number of each run of ascending numbers without a gap. */
function runsOf(numbers: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] + 1 === number) run[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

/** Reason of frames whose numbers are not in the store. */
export const MISSING = "it is missing";
