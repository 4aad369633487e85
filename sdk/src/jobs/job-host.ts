/**
 * Hosts an engine's jobs in this page, for as long as its tab leads: begins their workers, ends those of jobs
 * that are to stop or are another thing now, and tells the leader how they are doing.
 */
import { type EngineClient, pause, type StoredJob, type WorkerSource } from "@millrace/engine";
import type { EngineEvents } from "../events.ts";
import { startJobThread } from "../jobs-threads.ts";
import { HostedJob } from "./hosted-job.ts";
import { measuresMemory, memoryByUrl } from "./memory-by-url.ts";

/** How often a host tells of its jobs, and another page looks whether it is to host them, in ms. */
const HOST_MS = 1000;
const LOOK_MS = 5000;
/** How soon a change is told, in ms: several come together. */
const CHANGE_MS = 100;
/** Pause between two measurements of memory, in ms. */
const MEASURE_MS = 10_000;

/** What a host works with. */
export interface JobHostParts {
  readonly client: EngineClient;
  readonly events: EngineEvents;
  /** See `RecordBatcher`. */
  readonly inTurn: boolean;
  /** Where jobs workers come from; the package's own script when absent. */
  readonly worker: WorkerSource | undefined;
}

/** See above. */
export class JobHost {
  readonly #parts: JobHostParts;
  readonly #jobs = new Map<string, HostedJob>();
  /** Jobs whose workers still finish what is under way, and when they have. */
  readonly #leaving = new Map<HostedJob, Promise<void>>();
  readonly #undo: (() => void)[];
  readonly #over = new AbortController();
  #hosts = false;
  #kicked = false;
  #wake: () => void = () => undefined;

  /** Begins at once. */
  constructor(parts: JobHostParts) {
    this.#parts = parts;
    const { events, client } = parts;
    const kick = (): void => this.#kick();
    this.#undo = [
      events.on("leader-changed", kick),
      events.on("job-changed", kick),
      // A page that is put aside takes its workers' time, and another one goes on.
      client.onLeave(() => this.#terminateAll()),
    ];
    void this.#run();
    if (measuresMemory()) void this.#measure();
  }

  /** Ends hosting; workers finish what is under way. */
  async stop(): Promise<void> {
    for (const undo of this.#undo.splice(0)) undo();
    this.#over.abort();
    this.#wake();
    // Without an engine nothing can be finished.
    if (this.#parts.client.closed) this.#terminateAll();
    this.#stopAll();
    await Promise.all(this.#leaving.values());
  }

  async #run(): Promise<void> {
    const { client } = this.#parts;
    while (!this.#over.signal.aborted && !client.closed) {
      this.#kicked = false;
      try {
        await this.#look();
      } catch {
        // Whatever it is, calls of the application's own meet it, too; here it is asked again.
      }
      await this.#pause(CHANGE_MS);
      if (!this.#kicked) await this.#rest(this.#hosts ? HOST_MS : LOOK_MS);
    }
    if (client.closed) this.#terminateAll();
  }

  /** Looks after workers that leak, where the browser tells. */
  async #measure(): Promise<void> {
    const { client } = this.#parts;
    while (!this.#over.signal.aborted && !client.closed) {
      const limited = [...this.#jobs.values()].filter((job) => job.limited);
      if (limited.length > 0) {
        // A measurement that is refused is tried again like one that is over.
        const bytesOf = await memoryByUrl().catch(() => new Map<string, number>());
        for (const job of limited) job.noteMemory(bytesOf);
      }
      await this.#pause(MEASURE_MS);
    }
  }

  async #look(): Promise<void> {
    const { client } = this.#parts;
    const { role, memberId } = await client.call("memberStatus", {});
    this.#hosts = role === "leader" || role === "alone";
    if (!this.#hosts) {
      this.#stopAll();
      return;
    }
    const reports = [...this.#jobs.values()].map((job) => job.report);
    const jobs = await client.call("jobsReport", { hostId: memberId, reports });
    if (!this.#over.signal.aborted) this.#reconcile(jobs);
  }

  /** Hosts these jobs from now on, and no others. */
  #reconcile(jobs: readonly StoredJob[]): void {
    const wanted = new Map(
      jobs.filter((job) => job.wanted === "running").map((job) => [job.spec.name, job]),
    );
    for (const [name, hosted] of this.#jobs) {
      if (wanted.get(name)?.version !== hosted.version) this.#drop(name, hosted);
    }
    for (const [name, job] of wanted) {
      if (this.#jobs.has(name)) continue;
      const { client, inTurn, worker } = this.#parts;
      const hosted = new HostedJob(job, {
        ...{ client, inTurn },
        start: (memoryBytesMax) => startJobThread(worker, memoryBytesMax),
        onChange: () => this.#kick(),
      });
      this.#jobs.set(name, hosted);
    }
  }

  #stopAll(): void {
    for (const [name, hosted] of this.#jobs) this.#drop(name, hosted);
  }

  #drop(name: string, hosted: HostedJob): void {
    this.#jobs.delete(name);
    const leaving = hosted.stop().finally(() => this.#leaving.delete(hosted));
    this.#leaving.set(hosted, leaving);
  }

  #terminateAll(): void {
    for (const hosted of [...this.#jobs.values(), ...this.#leaving.keys()]) hosted.terminate();
    this.#jobs.clear();
  }

  #kick(): void {
    this.#kicked = true;
    this.#wake();
  }

  async #pause(ms: number): Promise<void> {
    await pause(this.#parts.client.clock, ms, this.#over.signal).catch(() => undefined);
  }

  /** Until there is something to look at, or time is over. */
  async #rest(ms: number): Promise<void> {
    let cancel: () => void = () => undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      cancel = this.#parts.client.clock.after(ms, resolve);
      if (this.#over.signal.aborted) resolve();
    });
    cancel();
  }
}
