/** How a worker works, checked and complete. */
import { hexOfBytes, systemRandom } from "@millrace/engine";
import {
  checkBoolean,
  checkInteger,
  checkMembers,
  checkName,
  checkOneOf,
  checkSignal,
  refuse,
} from "../check.ts";
import type { WorkerOptions } from "./group-types.ts";

const MEMBERS = [
  "workerId",
  "leasesMax",
  "batchRecordsMax",
  "deaggregate",
  "reads",
  "checkpoints",
  "checkpointIntervalMs",
  "attemptsMax",
  "retryMs",
  "deadLetter",
  "repeats",
  "processMsMax",
  "signal",
];
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const WORKER_ID_LENGTH_MAX = 256;

/** {@link WorkerOptions} with all defaults. */
export interface WorkerSettings {
  readonly workerId: string;
  readonly leasesMax: number | undefined;
  readonly batchRecordsMax: number;
  readonly deaggregate: boolean;
  readonly reads: "polling" | "fan-out";
  readonly checkpoints: "batch" | "manual";
  readonly checkpointIntervalMs: number;
  /** Infinity for any number. */
  readonly attemptsMax: number;
  readonly retryMs: number;
  readonly deadLetterStream: string | undefined;
  readonly repeats: "drop" | "keep";
  readonly processMsMax: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** @throws InvalidArgumentError. */
export function checkWorkerOptions(options: WorkerOptions = {}): WorkerSettings {
  checkMembers("options", options, MEMBERS);
  const { batchRecordsMax = 1000, checkpointIntervalMs = 100, retryMs = 200 } = options;
  const { reads = "polling", checkpoints = "batch" } = options;
  const { leasesMax, attemptsMax, processMsMax, deaggregate = true } = options;
  return {
    workerId: checkWorkerId(options.workerId),
    leasesMax: optionalInteger("leasesMax", leasesMax, Number.MAX_SAFE_INTEGER),
    batchRecordsMax: checkInteger("options.batchRecordsMax", batchRecordsMax, 1, 10_000),
    deaggregate: checkBoolean("options.deaggregate", deaggregate),
    reads: checkOneOf("options.reads", reads, ["polling", "fan-out"]),
    checkpoints: checkOneOf("options.checkpoints", checkpoints, ["batch", "manual"]),
    checkpointIntervalMs: checkInteger(
      "options.checkpointIntervalMs",
      checkpointIntervalMs,
      0,
      HOUR_MS,
    ),
    attemptsMax:
      optionalInteger("attemptsMax", attemptsMax, Number.MAX_SAFE_INTEGER) ??
      Number.POSITIVE_INFINITY,
    retryMs: checkInteger("options.retryMs", retryMs, 0, HOUR_MS),
    deadLetterStream: checkDeadLetter(options),
    repeats: checkOneOf("options.repeats", options.repeats ?? "drop", ["drop", "keep"]),
    processMsMax: optionalInteger("processMsMax", processMsMax, DAY_MS),
    signal: checkSignal("options.signal", options.signal),
  };
}

function optionalInteger(
  member: string,
  value: number | undefined,
  max: number,
): number | undefined {
  return value === undefined ? undefined : checkInteger(`options.${member}`, value, 1, max);
}

function checkWorkerId(workerId: unknown): string {
  if (workerId === undefined) return randomId();
  const limit = `1 to ${WORKER_ID_LENGTH_MAX} characters`;
  const fits =
    typeof workerId === "string" && workerId !== "" && workerId.length <= WORKER_ID_LENGTH_MAX;
  return fits ? workerId : refuse("options.workerId", limit, workerId, limit);
}

/** Records that are given up must have been tried a number of times. */
function checkDeadLetter({ deadLetter, attemptsMax }: WorkerOptions): string | undefined {
  if (deadLetter === undefined) return undefined;
  checkMembers("options.deadLetter", deadLetter, ["streamName"]);
  if (attemptsMax === undefined) {
    refuse("options.attemptsMax", "given with deadLetter", attemptsMax, "1 or more");
  }
  return checkName("options.deadLetter.streamName", deadLetter.streamName);
}

function randomId(): string {
  return hexOfBytes(systemRandom.fill(new Uint8Array(16)));
}
