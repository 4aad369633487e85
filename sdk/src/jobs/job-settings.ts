/** A job's definition, checked and complete. */
import {
  JOB_RESTART_MS_MAX,
  JOB_WORKERS_MAX,
  type JobRestart,
  type JobSpec,
  type JsonValue,
} from "@millrace/engine";
import { checkInteger, checkMembers, checkName, refuse } from "../check.ts";
import type { GroupOptions } from "../groups/group-types.ts";
import { checkWorkerOptions } from "../groups/worker-settings.ts";
import type { JobDefinition, JobRestartOptions } from "./job-types.ts";
import { refusalOfModule } from "./module-url.ts";

const STALL_MS_MIN = 500;
/** A worker's own code takes some of it. */
const MEMORY_BYTES_MIN = 16_777_216;

/** A {@link JobSpec} whose group may still have to be made. */
export interface CheckedJob extends Omit<JobSpec, "group"> {
  readonly group: {
    readonly name: string;
    readonly streamName: string;
    readonly options: GroupOptions | undefined;
  };
}

/** @throws InvalidArgumentError. */
export function checkJob(name: string, definition: JobDefinition): CheckedJob {
  checkMembers("definition", definition, [
    ...["module", "export", "settings", "group", "worker", "workers", "restart"],
  ]);
  const { group, worker = {}, workers = 1, restart = {} } = definition;
  checkMembers("definition.group", group, ["streamName", "name", "options"]);
  checkWorker(worker);
  const { settings, worker: storedWorker } = asJson({ settings: definition.settings, worker });
  return {
    name: checkName("name", name),
    module: checkModule(definition.module),
    exportName: checkExport(definition.export ?? "default"),
    settings,
    group: {
      name: checkName("definition.group.name", group.name ?? name),
      streamName: checkName("definition.group.streamName", group.streamName),
      options: group.options,
    },
    worker: storedWorker,
    workers: checkInteger("definition.workers", workers, 1, JOB_WORKERS_MAX),
    restart: checkRestart(restart),
  };
}

/** The URL of a job's module: relative ones are the page's, where there is one. @throws InvalidArgumentError. */
export function checkModule(module: unknown): string {
  const limit = "the URL of a module";
  if (typeof module !== "string" && !(module instanceof URL)) {
    return refuse("definition.module", limit, module, limit);
  }
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  const url = URL.canParse(String(module), base) ? new URL(module, base) : undefined;
  if (url === undefined) return refuse("definition.module", limit, module, limit);
  const refusal = refusalOfModule(url.href);
  return refusal === undefined ? url.href : refuse("definition.module", refusal, module, refusal);
}

/** @throws InvalidArgumentError. */
export function checkExport(name: unknown): string {
  if (typeof name === "string" && name !== "") return name;
  return refuse("definition.export", "the name of an export", name, "string");
}

/** What names one worker, or ends it, cannot be stored for all of them. */
function checkWorker(worker: NonNullable<JobDefinition["worker"]>): void {
  checkWorkerOptions(worker);
  for (const member of ["workerId", "signal"]) {
    if (member in worker) refuse(`definition.worker.${member}`, "absent", member, "absent");
  }
}

function checkRestart(restart: JobRestartOptions): JobRestart {
  checkMembers("definition.restart", restart, [
    ...["firstMs", "longestMs", "quietMs", "attemptsMax", "stallMs", "memoryBytesMax"],
  ]);
  const { firstMs = 1000, longestMs = 60_000, quietMs = 60_000, stallMs = 10_000 } = restart;
  const { attemptsMax, memoryBytesMax } = restart;
  const within = (
    member: keyof JobRestart,
    value: number,
    min: number,
    max = JOB_RESTART_MS_MAX,
  ): number => checkInteger(`definition.restart.${member}`, value, min, max);
  const { MAX_SAFE_INTEGER } = Number;
  return {
    firstMs: within("firstMs", firstMs, 1),
    longestMs: within("longestMs", longestMs, 1),
    quietMs: within("quietMs", quietMs, 1),
    attemptsMax:
      attemptsMax === undefined ? null : within("attemptsMax", attemptsMax, 1, MAX_SAFE_INTEGER),
    stallMs: within("stallMs", stallMs, STALL_MS_MIN),
    memoryBytesMax:
      memoryBytesMax === undefined
        ? null
        : within("memoryBytesMax", memoryBytesMax, MEMORY_BYTES_MIN, MAX_SAFE_INTEGER),
  };
}

/** As it is stored and comes back. @throws InvalidArgumentError for what JSON cannot hold. */
function asJson({
  settings,
  worker,
}: {
  settings: JsonValue | undefined;
  worker: NonNullable<JobDefinition["worker"]>;
}): Pick<JobSpec, "settings" | "worker"> {
  try {
    return JSON.parse(JSON.stringify({ settings: settings ?? null, worker }));
  } catch (error) {
    return refuse("definition.settings", "JSON", error, "JSON");
  }
}
