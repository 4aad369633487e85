/** Leases, checkpoints and groups in words. */
import type { GroupDescription, JobSummary, LeaseDescription } from "millrace";
import type { LampState } from "../kit/lamp.ts";
import { formatMs, formatNumberOf } from "../live/format.ts";
import { shortSequenceNumber } from "../records/rows.ts";
import { formatMoment } from "../records/times.ts";
import type { WorkerState } from "./crew.ts";

/** A lamp with its words. */
export interface Mark {
  readonly state: LampState;
  readonly text: string;
}

const LEASE_MARKS: Readonly<Record<LeaseDescription["status"], Mark>> = {
  "waiting-for-parents": { state: "off", text: "Waits for its parents" },
  available: { state: "warn", text: "Free" },
  owned: { state: "good", text: "Owned" },
  "handing-over": { state: "busy", text: "Handing over" },
  ended: { state: "off", text: "Finished" },
};

const WORKER_MARKS: Readonly<Record<WorkerState, Mark>> = {
  working: { state: "good", text: "Working" },
  stopping: { state: "busy", text: "Finishes what it has in hand" },
  stopped: { state: "off", text: "Stopped" },
  killed: { state: "off", text: "Killed" },
  failed: { state: "hot", text: "Ended by itself" },
};

const JOB_MARKS: Readonly<Record<JobSummary["state"], Mark>> = {
  waiting: { state: "warn", text: "Waits for a page that hosts it" },
  starting: { state: "busy", text: "Starting" },
  running: { state: "good", text: "Running" },
  restarting: { state: "warn", text: "Begins anew after a pause" },
  stopped: { state: "off", text: "Stopped" },
  failed: { state: "hot", text: "Given up" },
};

/** How a job is doing. */
export function jobMark(state: JobSummary["state"]): Mark {
  return JOB_MARKS[state];
}

/** How a lease is doing. */
export function leaseMark({ status }: LeaseDescription): Mark {
  return LEASE_MARKS[status];
}

/** How a worker of this tab is doing. */
export function workerMark(state: WorkerState): Mark {
  return WORKER_MARKS[state];
}

/** How a group is doing as a whole. */
export function groupMark({ leases, workers }: GroupDescription): Mark {
  if (leases.every(({ status }) => status === "ended")) return { state: "off", text: "All read" };
  if (workers.length === 0) return { state: "warn", text: "Nobody works" };
  if (leases.some(({ status }) => status === "available" || status === "handing-over")) {
    return { state: "busy", text: "Leases change hands" };
  }
  return { state: "good", text: "At work" };
}

/** The records behind all checkpoints of a group. */
export function lagOf({ leases }: Pick<GroupDescription, "leases">): number {
  return leases.reduce((sum, { lagRecords }) => sum + lagRecords, 0);
}

/** Age of the oldest record behind any checkpoint of a group, in ms. */
export function iteratorAgeOf({ leases }: GroupDescription): number {
  return Math.max(0, ...leases.map(({ iteratorAgeMs }) => iteratorAgeMs));
}

/** A checkpoint in short: a sentinel, or the record's sequence number and place in its aggregate. */
export function checkpointText(checkpoint: LeaseDescription["checkpoint"]): string {
  if (!("at" in checkpoint)) {
    const { sequenceNumber, subSequenceNumber } = checkpoint;
    const short = shortSequenceNumber(sequenceNumber);
    return subSequenceNumber === 0 ? short : `${short} / ${subSequenceNumber}`;
  }
  return checkpoint.at === "AT_TIMESTAMP"
    ? `AT_TIMESTAMP ${formatMoment(checkpoint.timestampMs)}`
    : checkpoint.at;
}

/** A checkpoint in full. */
export function checkpointTitle(checkpoint: LeaseDescription["checkpoint"]): string {
  return "at" in checkpoint ? checkpointText(checkpoint) : checkpoint.sequenceNumber;
}

/** How old the oldest record behind a checkpoint is; nothing is not old. */
export function ageText(ageMs: number): string {
  return ageMs === 0 ? "0 ms" : formatMs(ageMs);
}

/** What a screen reader is told of a group now and then. */
export function groupSummary({ definition, leases, workers }: GroupDescription): string {
  const owned = leases.filter(({ status }) => status === "owned").length;
  const lag = lagOf({ leases });
  return (
    `Group ${definition.name}: ${owned} of ${formatNumberOf(leases.length, "lease")} owned by ` +
    `${formatNumberOf(workers.length, "worker")}, ${formatNumberOf(lag, "record")} behind.`
  );
}
