/**
 * Takes the lead of a log: reads it to its end, holds it against its witness, and adds a fence behind it.
 *
 * The fence is the guarantee that there is one writer: it is added at the next frame number under the
 * next epoch, and the leader serves only if the newest frame is then its own.
 */
import type { ShardLogCore } from "../core/core-types.ts";
import { DeposedError, FrameExistsError } from "../errors/index.ts";
import { hexOfBytes } from "../model/hex.ts";
import type { Clock, Random } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import { settleImport } from "./log-import.ts";
import type { DataLoss } from "./loss-reports.ts";
import { type LossVerdict, passedMs, verdictOn } from "./lost-log.ts";
import { type FenceRecord, fenceSection } from "./sections.ts";
import { decodeFrame, type EncodedFrame, encodeFrame } from "./wal-frame.ts";
import type { WalScan } from "./wal-scan.ts";
import type { Testimony } from "./witness.ts";

/** Candidates may keep each other from the next frame number this often. */
const FENCE_ATTEMPTS_MAX = 64;

/** What a takeover needs. */
export interface TakeoverSettings {
  readonly core: ShardLogCore;
  readonly store: LogStore;
  readonly clock: Clock;
  readonly random: Random;
}

/** A lead that was taken. */
export interface Lead {
  readonly epoch: number;
  /** Of the log from now on, 32 hexadecimal digits. */
  readonly incarnation: string;
  /** Wall time that has passed for certain, in ms since the Unix epoch. */
  readonly passedMs: number;
  /** The same as the witness alone knows it; 0 without one. */
  readonly witnessedMs: number;
  /** Whether the log is not what was acknowledged, or not all of it. */
  readonly anew?: boolean;
}

/** What a fence is to say. */
interface FencePlan {
  readonly fence: FenceRecord;
  readonly epoch: number;
  readonly timeMs: number;
  readonly anew: boolean;
}

/**
 * Reads the WAL to its end and adds the fence behind it.
 * @throws DeposedError when other leaders keep taking over.
 */
export async function takeLead(
  settings: TakeoverSettings,
  scan: WalScan,
  witness: Testimony | undefined,
): Promise<Lead> {
  const { store, random } = settings;
  await settleImport(store);
  const leaderId = hexOfBytes(random.fill(new Uint8Array(16)));
  const keys = await store.segmentKeys();
  const sealedEpoch = keys.reduce((most, key) => Math.max(most, key[5]), 0);
  let plan: FencePlan | undefined;
  for (let attempt = 0; attempt < FENCE_ATTEMPTS_MAX; attempt++) {
    // A state that is written down with the fence must be the newest: what came meanwhile is read.
    const skips = plan !== undefined && !scan.standsOnCopy;
    let place = skips ? await behindNewest(settings, scan) : undefined;
    if (plan === undefined || place === undefined) {
      await scan.readOn(attempt === 0 ? keys : undefined);
      if (attempt === 0) scan.reportBeginning(sealedEpoch > 0);
      plan = planFence(settings, scan, witness, { leaderId, sealedEpoch });
      place = scan.next;
    }
    const { fence, epoch, timeMs, anew } = plan;
    const sections = [fenceSection(fence), ...scan.copiedState(place.frameNumber - 1)];
    const frame = encodeFrame(settings.core, { epoch, ...place, timeMs }, sections);
    if (!(await addFence(store, place.frameNumber, frame))) continue;
    await scan.readOn();
    // Somebody else's fence behind ours: whoever wrote on from there would do so under the lower epoch.
    if (scan.newestFrame !== place.frameNumber) {
      plan = undefined;
      continue;
    }
    const witnessedMs = witness?.timeMs ?? 0;
    return { epoch, incarnation: fence.incarnation, passedMs: timeMs, witnessedMs, anew };
  }
  throw new DeposedError("other leaders keep taking over this engine's log", {
    argument: "attempts",
    value: FENCE_ATTEMPTS_MAX,
    retryable: true,
  });
}

/** What is not in the log although it was acknowledged, as its witness or the store says. */
interface Missed {
  readonly verdict: LossVerdict | undefined;
  readonly losses: readonly DataLoss[];
}

/** What the witness and the store find missing, noted among the losses. */
function reported(
  { store }: TakeoverSettings,
  scan: WalScan,
  witness: Testimony | undefined,
): Missed {
  const { lossAtOpening } = store;
  const verdict = witness === undefined ? undefined : verdictOn(scan, witness, lossAtOpening);
  const losses: DataLoss[] = [];
  if (verdict !== undefined) losses.push(verdict.loss);
  else if (lossAtOpening !== undefined) {
    const where = "the whole log";
    losses.push({ kind: "log", where, reason: lossAtOpening, recordCount: undefined });
  }
  for (const loss of losses) scan.losses.add(loss);
  return { verdict, losses };
}

function planFence(
  settings: TakeoverSettings,
  scan: WalScan,
  witness: Testimony | undefined,
  { leaderId, sealedEpoch }: { readonly leaderId: string; readonly sealedEpoch: number },
): FencePlan {
  const { clock } = settings;
  const { verdict, losses } = reported(settings, scan, witness);
  const before = verdict?.anew === undefined ? scan.incarnation : undefined;
  const incarnation = before ?? (verdict === undefined ? witness?.incarnation : undefined);
  const fence = { leaderId, incarnation: incarnation ?? leaderId, ...verdict?.anew };
  return {
    fence: losses.length === 0 ? fence : { ...fence, losses },
    epoch: Math.max(scan.newestEpoch, sealedEpoch, witness?.epoch ?? 0) + 1 + scan.damagedAtEnd,
    timeMs: passedMs(scan, witness, clock.nowMs()),
    anew: losses.length > 0,
  };
}

/**
 * The place behind the newest frame, when it is of the leader that was read of last: one that goes on
 * writing is always ahead of whoever reads all that it writes. Undefined when all must be read.
 */
async function behindNewest(
  { core, store }: TakeoverSettings,
  scan: WalScan,
): Promise<WalScan["next"] | undefined> {
  const newest = await store.lastFrameNumber();
  const bytes = newest > scan.newestFrame ? await store.readFrame(newest) : undefined;
  const frame = bytes === undefined ? undefined : decodeFrame(core, bytes);
  if (frame === undefined || "damaged" in frame || frame.epoch !== scan.newestEpoch) {
    return undefined;
  }
  return { frameNumber: newest + 1, previousHash: frame.hash };
}

/** Whether the fence was added, and the newest frame is then ours. */
async function addFence(
  store: LogStore,
  frameNumber: number,
  frame: EncodedFrame,
): Promise<boolean> {
  try {
    await store.appendFrame(frameNumber, frame.bytes, "strict");
  } catch (error) {
    if (error instanceof FrameExistsError) return false;
    throw error;
  }
  const newest = await store.lastFrameNumber();
  const stored = await store.readFrame(newest);
  return newest === frameNumber && stored !== undefined && sameBytes(stored, frame.bytes);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]);
}
