/** The jobs of an engine. What they do is loaded when it is used. */
import type { EngineClient, WorkerSource } from "@millrace/engine";
import type { EngineEvents } from "../events.ts";
import type { JobDirectory } from "./job-directory.ts";
import type { JobHost } from "./job-host.ts";
import type { JobDefinition, JobDescription, JobSummary } from "./job-types.ts";

/** The jobs of one open engine: work on streams that goes on beside the engine, in workers of its own. */
export class Jobs {
  readonly #client: EngineClient;
  readonly #events: EngineEvents;
  readonly #inTurn: boolean;
  /** Settled once the host has begun. */
  #hosting: Promise<JobHost> | undefined;
  /** Settled once all hosts that were released have ended. */
  #released: Promise<unknown> | undefined;

  /** Made by `open`. `inTurn`: see `RecordBatcher`. */
  constructor(client: EngineClient, events: EngineEvents, inTurn: boolean) {
    this.#client = client;
    this.#events = events;
    this.#inTurn = inTurn;
  }

  /**
   * Defines a job, or changes the one of that name, whose workers then begin anew. The same definition again
   * changes nothing. Its group is made if there is none.
   *
   * @throws ResourceNotFoundError for the stream; ResourceInUseError when the group is another stream's;
   * InvalidArgumentError.
   */
  async define(name: string, definition: JobDefinition): Promise<JobSummary> {
    return await (await this.#directory()).define(name, definition);
  }

  /** All jobs by name. */
  async list(): Promise<JobSummary[]> {
    return await (await this.#directory()).list();
  }

  /** One job. @throws ResourceNotFoundError, InvalidArgumentError. */
  async describe(name: string): Promise<JobDescription> {
    return await (await this.#directory()).describe(name);
  }

  /** Has a job run again, with the worker that waits for its time begun at once. @throws ResourceNotFoundError. */
  async start(name: string): Promise<JobSummary> {
    return await (await this.#directory()).switch(name, "running");
  }

  /**
   * Stops a job, wherever it runs, until it is started. Its workers finish the delivery under way first, within
   * 10 s after this resolves. @throws ResourceNotFoundError.
   */
  async stop(name: string): Promise<JobSummary> {
    return await (await this.#directory()).switch(name, "stopped");
  }

  /** Deletes a job. Its group stays, with its checkpoints. @throws ResourceNotFoundError. */
  async delete(name: string): Promise<void> {
    await (await this.#directory()).delete(name);
  }

  /**
   * Hosts the engine's jobs here from now on, whenever this tab leads: what `open` does with `jobs: true`.
   * `worker` is the jobs worker's URL, or a function that makes it; the package's own when absent.
   */
  async host(worker?: WorkerSource): Promise<void> {
    this.#hosting ??= this.#host(worker);
    const hosting = this.#hosting;
    try {
      await hosting;
    } catch (error) {
      if (this.#hosting === hosting) this.#hosting = undefined;
      throw error;
    }
  }

  /** Hosts no jobs any more: their workers finish what is under way, and another tab may go on. */
  async release(): Promise<void> {
    const hosting = this.#hosting;
    this.#hosting = undefined;
    // Whoever releases twice waits for what the first time left to finish, too.
    this.#released = Promise.all([
      this.#released,
      // One that did not begin was told to whoever asked for it.
      hosting?.then((host) => host.stop()).catch(() => undefined),
    ]);
    await this.#released;
  }

  async #host(worker: WorkerSource | undefined): Promise<JobHost> {
    const { JobHost } = await import("./job-host.ts");
    const parts = { client: this.#client, events: this.#events, inTurn: this.#inTurn };
    return new JobHost({ ...parts, worker });
  }

  async #directory(): Promise<JobDirectory> {
    const { JobDirectory } = await import("./job-directory.ts");
    return new JobDirectory(this.#client);
  }
}
