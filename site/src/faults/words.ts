/** What runs come to, in words. */
import type { EngineEvent } from "millrace";
import type { LampState } from "../kit/lamp.ts";
import { describeError, type ShownError } from "../live/advice.ts";
import { formatMs, formatNumberOf } from "../live/format.ts";
import { eventText } from "../storage/words.ts";
import { BenchInUseError } from "./bench-lock.ts";
import { NoSwitchError } from "./network-switch.ts";
import type { RunResult } from "./run-result.ts";

/** An event of the bench in one sentence; it is told to worker A. */
export function toldText(event: EngineEvent): string {
  if (event.kind !== "leader-changed") return eventText(event);
  return `Worker ${event.here ? "A" : "B"} leads from now on, epoch ${event.epoch}`;
}

/** What is wrong with the records of a run; a member for each number that is not 0. */
export function flawsOf({
  acknowledgedBefore,
  acknowledgedAfter,
  readBack,
  live,
}: RunResult): string[] {
  const asked = acknowledgedBefore + acknowledgedAfter;
  const unasked = readBack.read - readBack.twice - (asked - readBack.lost) - readBack.torn;
  const flaws: [number, string][] = [
    [readBack.lost, "lost"],
    [readBack.twice, "twice"],
    [readBack.misplaced, "misplaced"],
    [readBack.torn, "torn"],
    [unasked, "that nobody was told of"],
    [live.lost, "missed by the live reader"],
    [live.twice + live.misplaced + live.torn, "read live twice, misplaced or torn"],
  ];
  return flaws
    .filter(([records]) => records !== 0)
    .map(([records, flaw]) => `${formatNumberOf(records, "record")} ${flaw}`);
}

/** A run in one sentence, and how good that is. */
export function verdictOf(result: RunResult): { state: LampState; text: string } {
  const flaws = flawsOf(result);
  if (flaws.length > 0) return { state: "hot", text: flaws.join(", ") };
  return { state: "good", text: "Nothing lost, nothing twice" };
}

/** A run as it is read out. */
export function spokenResult(run: RunResult): string {
  const acknowledged = formatNumberOf(run.acknowledgedBefore + run.acknowledgedAfter, "record");
  return (
    `${run.heading}: ${verdictOf(run).text} of ${acknowledged} acknowledged; ` +
    `longest outage ${formatMs(run.outageMs)}.`
  );
}

/** What the engine told in a run, by kind: `leader-changed 3 times`. */
export function toldByKind({ told }: RunResult): string {
  const kinds = [...new Set(told.map(({ kind }) => kind))];
  if (kinds.length === 0) return "nothing";
  return kinds
    .map(
      (kind) => `${kind} ${formatNumberOf(told.filter((one) => one.kind === kind).length, "time")}`,
    )
    .join(", ");
}

/** Why a run could not be made. */
export function describeRunError(error: unknown): ShownError {
  const shown = describeError(error);
  if (error instanceof BenchInUseError) {
    return { ...shown, advice: "Wait until the other tab is done, then try again." };
  }
  if (error instanceof NoSwitchError) {
    return { ...shown, advice: "Open the built site over https or on localhost." };
  }
  return shown;
}
