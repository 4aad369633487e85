/**
 * Jobs as documents. A log may have been imported, and its documents are what anybody wrote: a job that nobody
 * asked for here does not run, and one that cannot be is read as one that failed.
 */
import { toMillraceError } from "../errors/index.ts";
import { checkCount, checkObject, invalid } from "../groups/group-checks.ts";
import type { Documents } from "../streams/documents.ts";
import { checkJobSpec, checkWanted } from "./job-checks.ts";
import type { JobReport, JobSpec, StoredJob } from "./job-types.ts";

/** Key prefix of jobs. */
export const JOB_PREFIX = "job/";
/** Number above all versions of deleted jobs: a job that comes to bear the same name is another one. */
const VERSION_KEY = "job-version";

/** A job as its document has it. */
export interface KeptJob extends StoredJob {
  /** Of the log in which it was last defined, started or stopped: only there it runs. */
  readonly incarnation: string;
}

/** A job as it is read. */
export interface ReadJob {
  /** As it counts: stopped in another log than its own. */
  readonly job: StoredJob;
  /** What its document says, in whatever log. */
  readonly wanted: StoredJob["wanted"];
  /** Whether it was defined, started or stopped in this very log. */
  readonly own: boolean;
  /** Why the document cannot be run. */
  readonly refusal: Error | undefined;
}

/** Names of all jobs, ascending. */
export function jobNames(documents: Documents): string[] {
  return documents.keys(JOB_PREFIX).map((key) => key.slice(JOB_PREFIX.length));
}

/** A job; undefined when there is none. */
export function readJob(
  documents: Documents,
  name: string,
  incarnation: string,
): ReadJob | undefined {
  const kept = documents.get<KeptJob>(JOB_PREFIX + name);
  if (kept === undefined) return undefined;
  try {
    checkKept(kept, name);
  } catch (error) {
    const refusal = toMillraceError(error);
    return { job: unreadable(name), wanted: "running", own: false, refusal };
  }
  const { spec, wanted, version, createdMs } = kept;
  const own = kept.incarnation === incarnation;
  const counts = own ? wanted : "stopped";
  return { job: { spec, wanted: counts, version, createdMs }, wanted, own, refusal: undefined };
}

/** The version after all that were. */
export function nextVersion(documents: Documents): number {
  const version = documents.get<unknown>(VERSION_KEY);
  return (typeof version === "number" && Number.isSafeInteger(version) ? version : 0) + 1;
}

/** The records that put a job of a version above all others. */
export function puttingJob(documents: Documents, job: KeptJob) {
  // Written out, because documents are plain JSON.
  const { spec, wanted, version, createdMs, incarnation } = job;
  const value = { spec, wanted, version, createdMs, incarnation };
  return [
    documents.putting(VERSION_KEY, version),
    documents.putting(JOB_PREFIX + spec.name, value),
  ];
}

/** What is told of a job whose document cannot be run. */
export function reportOfRefusal(name: string, refusal: Error): JobReport {
  const lastError = { atMs: 0, message: `its definition cannot be: ${refusal.message}` };
  const worker = { state: "failed", workerId: undefined, restarts: 0, lastError } as const;
  const nothing = { records: 0, recordsPerSecond: 0, memoryBytes: undefined };
  return { name, version: 0, workers: [{ ...worker, ...nothing }], log: [] };
}

function checkKept(kept: KeptJob, name: string): void {
  checkObject("job", kept);
  checkJobSpec(kept.spec);
  if (kept.spec.name !== name) throw invalid("name", kept.spec.name, name);
  checkWanted(kept.wanted);
  checkCount("version", kept.version, 0, Number.MAX_SAFE_INTEGER);
  checkCount("createdMs", Math.floor(kept.createdMs), 0, 8.64e15);
}

/** Stands for a job that cannot be told. */
function unreadable(name: string): StoredJob {
  const group = { name, streamName: "", startingPosition: { type: "LATEST" } } as const;
  const spans = { firstMs: 1, longestMs: 1, quietMs: 1, stallMs: 1 };
  const spec: JobSpec = {
    ...{ name, module: "", exportName: "", settings: null, group, worker: {}, workers: 1 },
    restart: { ...spans, attemptsMax: 1, memoryBytesMax: null },
  };
  return { spec, wanted: "stopped", version: 0, createdMs: 0 };
}
