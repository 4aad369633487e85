/**
 * A log held against its witness at a takeover: what is gone, and from where on the new leader gives out
 * uids and times, so that none that was given out before returns.
 */
import type { DataLoss } from "./loss-reports.ts";
import type { FenceRecord } from "./sections.ts";
import type { WalScan } from "./wal-scan.ts";
import type { Testimony } from "./witness.ts";

/** The witness lags: time in ms, stream uids and shard uids that may have passed unseen. */
const UNSEEN = { timeMs: 2000, streams: 4096, shards: 1_048_576 } as const;

/** What a leader does because of a loss. */
export interface LossVerdict {
  readonly loss: DataLoss;
  /** What the fence says of a log that is not the one that was acknowledged: it begins a new incarnation. */
  readonly anew: Required<Pick<FenceRecord, "formerly" | "uidFloors">> | undefined;
}

/**
 * What the witness finds missing in a log that was read to its end; undefined when nothing is.
 * `platformReason` is why the platform says that everything is gone, if it does.
 *
 * Frame numbers go on from what is left, although lost frames had them: a gap would leave room for frames
 * of a leader that does not know yet that it is deposed.
 */
export function verdictOn(
  scan: WalScan,
  witness: Testimony,
  platformReason: string | undefined,
): LossVerdict | undefined {
  const { incarnation, newestFrame } = scan;
  // A leader that was deposed meanwhile may have testified late, of what was lost and reported.
  if (scan.wasFormerly(witness.incarnation) && incarnation !== witness.incarnation)
    return undefined;
  const reason = lossReason(scan, witness);
  if (reason !== undefined) {
    const why = platformReason === undefined ? reason : `${reason}: ${platformReason}`;
    return lostLog(scan, witness, why);
  }
  const acknowledged = witness.frameNumber + witness.relaxedFrames;
  // A leader that came after the witnessed one has told of it already.
  const stopped = witness.machineStopped === true && scan.newestEpoch <= witness.epoch;
  if (newestFrame >= acknowledged && !stopped) return undefined;
  return { loss: relaxedLoss(newestFrame, acknowledged, stopped), anew: undefined };
}

/** What a power cut took of frames whose streams do not wait for the disk, or may have taken. */
function relaxedLoss(newestFrame: number, acknowledged: number, stopped: boolean): DataLoss {
  const kind = "wal-frame";
  const recordCount = undefined;
  if (newestFrame >= acknowledged) {
    const reason =
      "the machine stopped while streams were written to that do not wait for the disk: what they " +
      "acknowledged last may be gone";
    return { kind, where: `WAL frames from ${newestFrame + 1} on`, reason, recordCount };
  }
  const where = framesFrom(newestFrame + 1, acknowledged);
  const reason = "their streams do not wait for the disk, which never had them";
  return {
    ...{ kind, where, recordCount },
    reason: stopped ? `${reason}; later ones may be gone as well` : reason,
  };
}

/** Why the log is not the one that was witnessed, or not all of it. */
function lossReason(scan: WalScan, witness: Testimony): string | undefined {
  const { incarnation, newestFrame } = scan;
  if (newestFrame === 0) return "the log is gone";
  if (incarnation !== undefined && incarnation !== witness.incarnation) {
    return "another log is in the place of the one that was acknowledged";
  }
  if (newestFrame < witness.frameNumber) return "the log is older than what was acknowledged";
  const hash = scan.hashOf(witness.frameNumber);
  if (hash !== undefined && witness.hash !== 0n && hash !== witness.hash) {
    return "the log went on from an older copy: it holds other frames than were acknowledged";
  }
  return undefined;
}

function lostLog(
  { newestFrame, control }: WalScan,
  witness: Testimony,
  reason: string,
): LossVerdict {
  const behind = newestFrame < witness.frameNumber;
  return {
    loss: {
      kind: "log",
      where: behind ? framesFrom(newestFrame + 1, witness.frameNumber) : "the whole log",
      reason,
      recordCount: undefined,
    },
    anew: {
      formerly: witness.incarnation,
      uidFloors: {
        stream: Math.max(control.nextStreamUid, witness.nextStreamUid) + UNSEEN.streams,
        shard: Math.max(control.nextShardUid, witness.nextShardUid) + UNSEEN.shards,
      },
    },
  };
}

function framesFrom(first: number, last: number): string {
  return first === last ? `WAL frame ${first}` : `WAL frames ${first} to ${last}`;
}

/**
 * Wall time in ms since the Unix epoch that has passed for certain, even when the clock is behind: nothing
 * that is given out by time may return.
 */
export function passedMs(scan: WalScan, witness: Testimony | undefined, nowMs: number): number {
  const knownMs = Math.max(scan.newestTimeMs, witness?.timeMs ?? 0);
  // A clock that is behind does not tell how long the last leader led, nor what a power cut took of it.
  return nowMs >= knownMs ? nowMs : knownMs + UNSEEN.timeMs;
}
