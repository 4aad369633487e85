/** Runs the site's pipeline. It goes on while the person looks at other places. */
import type { Millrace, Pipeline, PipelineDescription } from "millrace";
import { describeError, type ShownError } from "../live/advice.ts";
import { demoPipeline } from "./demo-pipeline.ts";

const desks = new WeakMap<Millrace, PipelineDesk>();

/** See above. */
export class PipelineDesk {
  readonly #pipeline: Promise<Pipeline>;
  #failures = 0;
  #lastFailure: ShownError | undefined;
  #error: ShownError | undefined;

  /** The desk of an open engine, whose pipeline begins at a stream. */
  static of(millrace: Millrace, streamName: string): PipelineDesk {
    const found = desks.get(millrace) ?? new PipelineDesk(demoPipeline(millrace, streamName));
    desks.set(millrace, found);
    return found;
  }

  private constructor(pipeline: Promise<Pipeline>) {
    this.#pipeline = pipeline.then((made) => {
      made.onEvent((event) => {
        if (event.kind !== "processing-failed") return;
        this.#failures += 1;
        this.#lastFailure = describeError(event.error);
      });
      return made;
    });
    // Whoever asks for it hears of it.
    this.#pipeline.catch(() => undefined);
  }

  /** Deliveries that failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Why the last one did; undefined where none did. */
  get lastFailure(): ShownError | undefined {
    return this.#lastFailure;
  }

  /** Why the pipeline ended by itself; undefined where it did not. */
  get error(): ShownError | undefined {
    return this.#error;
  }

  /** The pipeline as a graph. */
  async describe(): Promise<PipelineDescription> {
    return await (await this.#pipeline).describe();
  }

  /** Starts all stages. */
  async start(): Promise<void> {
    const pipeline = await this.#pipeline;
    this.#error = undefined;
    await pipeline.start({ reads: "polling" });
    pipeline.finished.catch((error: unknown) => {
      this.#error = describeError(error);
      // The other stages would go on with what is there, and the graph would lie.
      void pipeline.stop().catch(() => undefined);
    });
  }

  /** Stops all stages; their checkpoints stay. */
  async stop(): Promise<void> {
    await (await this.#pipeline).stop();
  }
}
