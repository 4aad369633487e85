/**
 * The jobs of one life of an engine: their definitions, which are documents, and what their hosts tell of
 * them, which is not kept.
 */
import { ResourceNotFoundError } from "../errors/index.ts";
import { checkGroupName } from "../groups/group-checks.ts";
import type { Clock } from "../platform/platform.ts";
import type { Catalogue } from "../streams/catalogue.ts";
import type { Documents } from "../streams/documents.ts";
import { checkJobSpec, checkWanted } from "./job-checks.ts";
import type { JobOperations } from "./job-operations.ts";
import type { JobReport, JobSpec, JobState, JobStatus, StoredJob } from "./job-types.ts";

const PREFIX = "job/";
/** Number above all versions of deleted jobs: a job that comes to bear the same name is another one. */
const VERSION_KEY = "job-version";
/** A host that says nothing for so long hosts no more, in ms. */
const HOST_MS_MAX = 10_000;

/** What jobs of one life work with. */
export interface JobsParts {
  readonly clock: Clock;
  readonly documents: Documents;
  readonly catalogue: Catalogue;
  /** Hears of every change of a job's state; undefined when it was deleted. */
  readonly onChange: (jobName: string, state: JobState | undefined) => void;
}

interface Host {
  readonly hostId: string;
  readonly heardMs: number;
  readonly reports: ReadonlyMap<string, JobReport>;
}

/** See above. */
export class Jobs {
  readonly #parts: JobsParts;
  /** The last one that told of its jobs. */
  #host: Host | undefined;

  constructor(parts: JobsParts) {
    this.#parts = parts;
  }

  /** See {@link JobOperations.jobsPut}. */
  async put(spec: JobSpec): Promise<JobStatus> {
    checkJobSpec(spec);
    const { clock } = this.#parts;
    await this.#change(spec.name, (found) => {
      if (JSON.stringify(found?.spec) === JSON.stringify(spec)) return undefined;
      const { createdMs = clock.nowMs(), wanted = "running" } = found ?? {};
      return { spec, wanted, createdMs };
    });
    return this.#status(spec.name);
  }

  /** See {@link JobOperations.jobsSwitch}. */
  async switch(name: string, wanted: StoredJob["wanted"]): Promise<JobStatus> {
    checkWanted(wanted);
    await this.#change(name, (found) => {
      if (found === undefined) throw noJob(name);
      const again = wanted === "running" && this.#stateOf(found) === "failed";
      return found.wanted === wanted && !again ? undefined : { ...found, wanted };
    });
    return this.#status(name);
  }

  /** See {@link JobOperations.jobsList}. */
  list(name: string | undefined): JobStatus[] {
    return name === undefined
      ? this.#names().map((one) => this.#status(one))
      : [this.#status(name)];
  }

  /** See {@link JobOperations.jobsDelete}. */
  async delete(name: string): Promise<void> {
    const { catalogue, documents, onChange } = this.#parts;
    await catalogue.change(() => {
      if (this.#find(name) === undefined) throw noJob(name);
      return [documents.deleting(PREFIX + name)];
    });
    onChange(name, undefined);
  }

  /** See {@link JobOperations.jobsReport}. */
  report(hostId: string, reports: readonly JobReport[]): StoredJob[] {
    const { clock, onChange } = this.#parts;
    const jobs = this.#names().map((name) => this.#get(name));
    const before = new Map(jobs.map((job) => [job, this.#stateOf(job)]));
    const byName = new Map(reports.map((report) => [report.name, report]));
    this.#host = { hostId, heardMs: clock.monotonicMs(), reports: byName };
    for (const [job, state] of before) {
      const now = this.#stateOf(job);
      if (now !== state) onChange(job.spec.name, now);
    }
    return jobs;
  }

  /** Decides on a job after all changes before; undefined leaves it as it is. */
  async #change(
    name: string,
    decide: (found: StoredJob | undefined) => Omit<StoredJob, "version"> | undefined,
  ): Promise<void> {
    checkGroupName("name", name);
    const { catalogue, documents, onChange } = this.#parts;
    let changed = false;
    await catalogue.change(() => {
      const next = decide(this.#find(name));
      changed = next !== undefined;
      if (next === undefined) return [];
      const version = (documents.get<number>(VERSION_KEY) ?? 0) + 1;
      const stored: StoredJob = { ...next, version };
      return [documents.putting(VERSION_KEY, version), documents.putting(PREFIX + name, stored)];
    });
    const job = changed ? this.#find(name) : undefined;
    if (job !== undefined) onChange(name, this.#stateOf(job));
  }

  #names(): string[] {
    return this.#parts.documents.keys(PREFIX).map((key) => key.slice(PREFIX.length));
  }

  #find(name: string): StoredJob | undefined {
    return this.#parts.documents.get<StoredJob>(PREFIX + name);
  }

  #get(name: string): StoredJob {
    const job = this.#find(name);
    if (job === undefined) throw noJob(name);
    return job;
  }

  #status(name: string): JobStatus {
    const job = this.#get(name);
    const report = this.#reportOf(job);
    const hostId = report === undefined ? undefined : this.#host?.hostId;
    return { ...job, state: this.#stateOf(job), hostId, report };
  }

  /** What the host tells of this version of a job. */
  #reportOf({ spec: { name }, version }: StoredJob): JobReport | undefined {
    const host = this.#host;
    if (host === undefined) return undefined;
    if (this.#parts.clock.monotonicMs() - host.heardMs > HOST_MS_MAX) return undefined;
    const report = host.reports.get(name);
    return report?.version === version ? report : undefined;
  }

  #stateOf(job: StoredJob): JobState {
    if (job.wanted === "stopped") return "stopped";
    const states = new Set(this.#reportOf(job)?.workers.map(({ state }) => state));
    const worstFirst = ["failed", "restarting", "starting", "running"] as const;
    return worstFirst.find((state) => states.has(state)) ?? "waiting";
  }
}

function noJob(name: string): ResourceNotFoundError {
  return new ResourceNotFoundError(`Job ${String(name)} not found.`, {
    argument: "name",
    value: String(name),
  });
}
