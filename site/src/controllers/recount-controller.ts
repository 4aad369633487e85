/** Counts what the log holds by reading all of it from TRIM_HORIZON, as any fresh reader would. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { RecordBatch, Stream } from "millrace";
import { describeError, type ShownError } from "../live/advice.ts";

/** How far a count has come. */
export type Recount =
  | { readonly phase: "none" }
  | { readonly phase: "running"; readonly records: number }
  | { readonly phase: "stopped"; readonly records: number }
  | { readonly phase: "failed"; readonly error: ShownError }
  | { readonly phase: "done"; readonly records: number; readonly finishedMs: number };

function countBefore(batch: RecordBatch, beforeMs: number): number {
  let count = 0;
  for (let i = 0; i < batch.length; i += 1) if (batch.arrivalMs(i) < beforeMs) count += 1;
  return count;
}

/** One count at a time over one stream. */
export class RecountController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  #state: Recount = { phase: "none" };
  #stop: AbortController | undefined;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  /** How far the count has come. */
  get state(): Recount {
    return this.#state;
  }

  hostConnected(): void {}

  hostDisconnected(): void {
    this.#stop?.abort();
  }

  /** Forgets the last count. */
  reset(): void {
    this.#stop?.abort();
    this.#show({ phase: "none" });
  }

  /** Stops a running count where it is. */
  stop(): void {
    this.#stop?.abort();
  }

  /**
   * Counts all records of the stream up to the end that it has now, or those of them that arrived
   * before `beforeMs` (Unix epoch). A running count is stopped first. Never rejects: what goes wrong
   * becomes the state.
   */
  async count(stream: Stream, { beforeMs }: { beforeMs?: number } = {}): Promise<void> {
    this.#stop?.abort();
    const stop = new AbortController();
    this.#stop = stop;
    const { signal } = stop;
    let records = 0;
    this.#show({ phase: "running", records });
    try {
      for await (const batch of stream.readBatches({
        from: "TRIM_HORIZON",
        until: "end",
        signal,
      })) {
        records += beforeMs === undefined ? batch.length : countBefore(batch, beforeMs);
        if (stop === this.#stop && !signal.aborted) this.#show({ phase: "running", records });
      }
      if (stop !== this.#stop) return;
      this.#show(
        signal.aborted
          ? { phase: "stopped", records }
          : { phase: "done", records, finishedMs: Date.now() },
      );
    } catch (error) {
      if (stop !== this.#stop) return;
      this.#show(
        signal.aborted
          ? { phase: "stopped", records }
          : { phase: "failed", error: describeError(error) },
      );
    }
  }

  #show(state: Recount): void {
    this.#state = state;
    this.#host.requestUpdate();
  }
}
