/** Checks of what callers say of jobs: whoever calls, the engine stores nothing that it could not give out. */
import {
  checkCount,
  checkGroupName,
  checkGroupSpec,
  checkObject,
  invalid,
} from "../groups/group-checks.ts";
import {
  JOB_RESTART_MS_MAX,
  JOB_WORKERS_MAX,
  type JobRestart,
  type JobSpec,
  type StoredJob,
} from "./job-types.ts";

/** Characters of one job as JSON. */
const SPEC_LENGTH_MAX = 65_536;
const URL_LENGTH_MAX = 32_768;
const EXPORT_LENGTH_MAX = 256;

/** Refuses a job that cannot be. @throws InvalidArgumentError. */
export function checkJobSpec(spec: JobSpec): void {
  checkObject("job", spec);
  checkGroupName("name", spec.name);
  checkText("module", spec.module, URL_LENGTH_MAX);
  checkText("exportName", spec.exportName, EXPORT_LENGTH_MAX);
  checkGroupSpec(spec.group);
  checkCount("workers", spec.workers, 1, JOB_WORKERS_MAX);
  checkObject("worker", spec.worker);
  checkRestart(spec.restart);
  const length = jsonOf(spec).length;
  if (length > SPEC_LENGTH_MAX)
    throw invalid("job", length, `at most ${SPEC_LENGTH_MAX} characters`);
}

/** Refuses what a job cannot be wanted to do. @throws InvalidArgumentError. */
export function checkWanted(wanted: StoredJob["wanted"]): void {
  if (wanted === "running" || wanted === "stopped") return;
  throw invalid("wanted", wanted, '"running" or "stopped"');
}

function checkText(argument: string, value: string, lengthMax: number): void {
  if (typeof value === "string" && value.length > 0 && value.length <= lengthMax) return;
  throw invalid(argument, value, `1 to ${lengthMax} characters`);
}

function checkRestart(restart: JobRestart): void {
  checkObject("restart", restart);
  const { firstMs, longestMs, quietMs, stallMs, attemptsMax, memoryBytesMax } = restart;
  for (const [member, ms] of Object.entries({ firstMs, longestMs, quietMs, stallMs })) {
    checkCount(`restart.${member}`, ms, 1, JOB_RESTART_MS_MAX);
  }
  for (const [member, count] of Object.entries({ attemptsMax, memoryBytesMax })) {
    if (count !== null) checkCount(`restart.${member}`, count, 1, Number.MAX_SAFE_INTEGER);
  }
}

function jsonOf(spec: JobSpec): string {
  try {
    return JSON.stringify(spec);
  } catch (error) {
    throw invalid("settings", String(error), "JSON");
  }
}
