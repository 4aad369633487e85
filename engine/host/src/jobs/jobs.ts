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
import {
  JOB_PREFIX,
  jobNames,
  nextVersion,
  puttingJob,
  type ReadJob,
  readJob,
  reportOfRefusal,
} from "./job-documents.ts";
import type { JobOperations } from "./job-operations.ts";
import type { JobReport, JobSpec, JobState, JobStatus, StoredJob } from "./job-types.ts";

/** A host that says nothing for so long hosts no more, in ms. */
const HOST_MS_MAX = 10_000;

/** What jobs of one life work with. */
export interface JobsParts {
  readonly clock: Clock;
  readonly documents: Documents;
  readonly catalogue: Catalogue;
  /** Of the log: another one after an import, and after its store came back older. */
  readonly incarnation: () => string;
  /** Hears of every change of a job's state; undefined when it was deleted. */
  readonly onChange: (jobName: string, state: JobState | undefined) => void;
}

interface Host {
  readonly hostId: string;
  readonly reports: ReadonlyMap<string, JobReport>;
}

/** See above. */
export class Jobs {
  readonly #parts: JobsParts;
  /** The last one that told of its jobs. */
  #host: Host | undefined;
  #cancelSilence: () => void = () => undefined;

  constructor(parts: JobsParts) {
    this.#parts = parts;
  }

  /** Ends with the life. */
  stop(): void {
    this.#cancelSilence();
  }

  /** See {@link JobOperations.jobsPut}. */
  async put(spec: JobSpec): Promise<JobStatus> {
    checkJobSpec(spec);
    const { clock } = this.#parts;
    const job = await this.#change(spec.name, (found) => {
      if (found === undefined) return { spec, wanted: "running", createdMs: clock.nowMs() };
      const { job, wanted, own, refusal } = found;
      if (refusal !== undefined) return { spec, wanted, createdMs: clock.nowMs() };
      // Whoever defines a job of another log wants it here, too.
      if (own && JSON.stringify(job.spec) === JSON.stringify(spec)) return undefined;
      return { spec, wanted, createdMs: job.createdMs };
    });
    return this.#statusOf(job);
  }

  /** See {@link JobOperations.jobsSwitch}. */
  async switch(name: string, wanted: StoredJob["wanted"]): Promise<JobStatus> {
    checkWanted(wanted);
    const job = await this.#change(name, (found) => {
      if (found === undefined) throw noJob(name);
      if (wanted === "stopped") {
        const stopped = found.refusal !== undefined || (found.own && found.wanted === wanted);
        return stopped ? undefined : { ...found.job, wanted };
      }
      if (found.refusal !== undefined) throw found.refusal;
      // A worker that failed for good begins anew, and one that waits for its time does so at once.
      const again = ["failed", "restarting"].includes(this.#stateOf(found));
      return found.job.wanted === wanted && !again ? undefined : { ...found.job, wanted };
    });
    return this.#statusOf(job);
  }

  /** See {@link JobOperations.jobsList}. */
  list(name: string | undefined): JobStatus[] {
    const names = name === undefined ? jobNames(this.#parts.documents) : [name];
    return names.map((one) => {
      const found = this.#find(one);
      if (found === undefined) throw noJob(one);
      return this.#statusOf(found);
    });
  }

  /** See {@link JobOperations.jobsDelete}. */
  async delete(name: string): Promise<void> {
    const { catalogue, documents, onChange } = this.#parts;
    await catalogue.change(() => {
      if (this.#find(name) === undefined) throw noJob(name);
      return [documents.deleting(JOB_PREFIX + name)];
    });
    onChange(name, undefined);
  }

  /** See {@link JobOperations.jobsReport}. */
  report(hostId: string, reports: readonly JobReport[]): StoredJob[] {
    const { clock } = this.#parts;
    const byName = new Map(reports.map((report) => [report.name, report]));
    this.#tell(() => {
      this.#host = { hostId, reports: byName };
    });
    this.#cancelSilence();
    this.#cancelSilence = clock.after(HOST_MS_MAX, () =>
      this.#tell(() => {
        this.#host = undefined;
      }),
    );
    return this.#all().flatMap(({ job, refusal }) => (refusal === undefined ? [job] : []));
  }

  /** Changes who hosts the jobs, and tells of each one whose state is another one then. */
  #tell(change: () => void): void {
    const before = this.#all().map((found) => [found, this.#stateOf(found)] as const);
    change();
    for (const [found, state] of before) {
      const now = this.#stateOf(found);
      if (now !== state) this.#parts.onChange(found.job.spec.name, now);
    }
  }

  /** Decides on a job after all changes before; undefined leaves it as it is. Answers with the job as it is then. */
  async #change(
    name: string,
    decide: (found: ReadJob | undefined) => Omit<StoredJob, "version"> | undefined,
  ): Promise<ReadJob> {
    checkGroupName("name", name);
    const { catalogue, documents, onChange, incarnation } = this.#parts;
    let found: ReadJob | undefined;
    let changed = false;
    await catalogue.change(() => {
      found = this.#find(name);
      const next = decide(found);
      changed = next !== undefined;
      if (next === undefined) return [];
      const job = { ...next, version: nextVersion(documents) };
      found = { job, wanted: job.wanted, own: true, refusal: undefined };
      return puttingJob(documents, { ...job, incarnation: incarnation() });
    });
    if (found === undefined) throw noJob(name);
    if (changed && this.#find(name) !== undefined) onChange(name, this.#stateOf(found));
    return found;
  }

  #all(): ReadJob[] {
    return jobNames(this.#parts.documents).flatMap((name) => this.#find(name) ?? []);
  }

  #find(name: string): ReadJob | undefined {
    return readJob(this.#parts.documents, name, this.#parts.incarnation());
  }

  #statusOf(found: ReadJob): JobStatus {
    const state = this.#stateOf(found);
    if (found.refusal !== undefined) {
      const report = reportOfRefusal(found.job.spec.name, found.refusal);
      return { ...found.job, state, hostId: undefined, report };
    }
    const report = this.#reportOf(found.job);
    const hostId = report === undefined ? undefined : this.#host?.hostId;
    return { ...found.job, state, hostId, report };
  }

  /** What the host tells of this version of a job. */
  #reportOf({ spec: { name }, version }: StoredJob): JobReport | undefined {
    const report = this.#host?.reports.get(name);
    return report?.version === version ? report : undefined;
  }

  #stateOf({ job, refusal }: ReadJob): JobState {
    if (refusal !== undefined) return "failed";
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
