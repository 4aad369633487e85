/** Whether everything that was acknowledged is on disk: what can be held against what, and the outcome. */
import type { DataLossReport, StorageReport } from "millrace";
import type { LampState } from "../kit/lamp.ts";
import { formatBytes, formatCount, formatNumberOf } from "./format.ts";

/** What the page knows about its records. */
export interface Evidence {
  readonly storage: StorageReport | undefined;
  /** Records acknowledged to this page before the engine was asked what it had committed. */
  readonly acknowledgedBefore: number;
  /** Records that the engine says it has committed since it opened. */
  readonly committed: number;
  /** Records that were acknowledged in earlier visits, as far as the page remembers. */
  readonly promised: number | undefined;
  /** Records of earlier visits that were found at opening; undefined while they are counted. */
  readonly found: number | undefined;
  /** The last full read: records acknowledged in all before it began, and records it found. */
  readonly fullRead: { readonly expected: number; readonly records: number } | undefined;
  readonly dataLoss: readonly DataLossReport[];
}

/** The outcome in words. */
export interface Verdict {
  readonly state: LampState;
  readonly text: string;
  readonly detail: string;
}

function missing(count: number, detail: string): Verdict {
  return { state: "hot", text: `${formatNumberOf(count, "acknowledged record")} missing`, detail };
}

/** Losses that the evidence proves, the worst first; undefined when it proves none. */
function lossIn(evidence: Evidence): Verdict | undefined {
  const { acknowledgedBefore, committed, promised, found, fullRead, dataLoss } = evidence;
  const [loss] = dataLoss;
  if (loss !== undefined) {
    const text = "The log was found damaged at opening";
    return { state: "hot", text, detail: `${loss.kind} ${loss.where}: ${loss.reason}` };
  }
  if (acknowledgedBefore > committed) {
    return missing(
      acknowledgedBefore - committed,
      `The page was told of ${formatCount(acknowledgedBefore)}, the engine committed ${formatCount(committed)}.`,
    );
  }
  if (promised !== undefined && found !== undefined && promised > found) {
    return missing(
      promised - found,
      `Earlier visits were told of ${formatCount(promised)}, ${formatCount(found)} were found at opening.`,
    );
  }
  if (fullRead !== undefined && fullRead.expected > fullRead.records) {
    return missing(
      fullRead.expected - fullRead.records,
      `The last full read should have found ${formatCount(fullRead.expected)} records and found ${formatCount(fullRead.records)}.`,
    );
  }
  return undefined;
}

/** Weighs the evidence. */
export function weigh(evidence: Evidence): Verdict {
  const { storage } = evidence;
  if (storage === undefined) {
    return { state: "off", text: "Waiting for the engine's first report", detail: "" };
  }
  const loss = lossIn(evidence);
  if (loss !== undefined) return loss;
  if (!storage.durable) {
    const detail = "The engine keeps this log in memory: it is gone with the tab.";
    return { state: "warn", text: "Acknowledged, but not on disk", detail };
  }
  if (storage.sealFailure !== undefined) {
    return {
      state: "warn",
      text: "On disk, but segments stay behind",
      detail: storage.sealFailure,
    };
  }
  const waiting = storage.unacknowledgedBytes;
  // What was not counted is not vouched for.
  const scope = evidence.found === undefined ? " in this visit" : "";
  return {
    state: "good",
    text: `Everything acknowledged${scope} is on disk`,
    detail:
      waiting === 0
        ? "Nothing is waiting for a commit."
        : `${formatBytes(waiting)} wait for their commit and are not acknowledged yet.`,
  };
}
