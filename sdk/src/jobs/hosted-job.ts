/** A job with all of its workers, as its host has it. */
import type { JobReport, StoredJob } from "@millrace/engine";
import { JobWorker, type JobWorkerParts } from "./job-worker.ts";

/** Lines of a log that are kept, and characters of one. */
const LINES_MAX = 20;
const LINE_LENGTH_MAX = 500;

/** What a job is hosted with. */
export type HostedJobParts = Pick<JobWorkerParts, "client" | "inTurn" | "start" | "onChange">;

/** See above. */
export class HostedJob {
  readonly #job: StoredJob;
  readonly #workers: readonly JobWorker[];
  readonly #log: string[] = [];

  /** Begins its workers. */
  constructor(job: StoredJob, parts: HostedJobParts) {
    this.#job = job;
    const { spec } = job;
    const onLog = (text: string): void => {
      this.#log.push(text.slice(0, LINE_LENGTH_MAX));
      if (this.#log.length > LINES_MAX) this.#log.shift();
    };
    this.#workers = Array.from(
      { length: spec.workers },
      (_, workerIndex) => new JobWorker({ ...parts, spec, workerIndex, onLog }),
    );
  }

  /** Of the definition that it runs. */
  get version(): number {
    return this.#job.version;
  }

  /** How it is doing. */
  get report(): JobReport {
    const { spec, version } = this.#job;
    const workers = this.#workers.map((worker) => worker.report);
    return { name: spec.name, version, workers, log: [...this.#log] };
  }

  /** Whether its workers' memory has a limit. */
  get limited(): boolean {
    return this.#job.spec.restart.memoryBytesMax !== null;
  }

  /** See `JobWorker.noteMemory`. */
  noteMemory(bytesOf: ReadonlyMap<string, number>): void {
    for (const worker of this.#workers) worker.noteMemory(bytesOf);
  }

  /** Lets what is under way finish, for 10 s at most. */
  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  /** Ends its workers at once. */
  terminate(): void {
    for (const worker of this.#workers) worker.terminate();
  }
}
