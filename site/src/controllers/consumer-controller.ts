/** Reads the stream live, sends every batch through the access log transform and counts the outcomes. */

import { accessLog } from "@millrace/transform-access-log";
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { Stream } from "millrace";
import { type Outcome, openTransform } from "millrace/plugin";
import { describeError, type ShownError } from "../live/advice.ts";
import { StatusHistory } from "../live/status-history.ts";

/**
 * Pause between two reads, in ms. A shard grants five reads a second to all of its readers together: a
 * consumer that reads at every commit would leave none to whoever reads the log from its beginning.
 */
const READ_PAUSE_MS = 300;

/** The part of the transform's JSON that is counted. */
function statusOf(data: Uint8Array | string): number | undefined {
  const text = typeof data === "string" ? data : new TextDecoder().decode(data);
  const line: unknown = JSON.parse(text);
  if (typeof line !== "object" || line === null || !("status" in line)) return undefined;
  return typeof line.status === "number" ? line.status : undefined;
}

/** A live consumer of one stream; stops with its host. */
export class ConsumerController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  #history = new StatusHistory();
  #records = 0;
  #failed = 0;
  #lastFailure: string | undefined;
  #error: ShownError | undefined;
  #stop: AbortController | undefined;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  /** Counts per status code over time. */
  get history(): StatusHistory {
    return this.#history;
  }

  /** Records that were read back since the consumer started. */
  get records(): number {
    return this.#records;
  }

  /** Records that the transform could not make sense of. */
  get failed(): number {
    return this.#failed;
  }

  /** The transform's reason for the last record that failed. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  /** Why the consumer stopped by itself; undefined while it did not. */
  get error(): ShownError | undefined {
    return this.#error;
  }

  /** Reads this stream from now on: every record that arrived at `fromMs` (Unix epoch) or later. */
  attach(stream: Stream, fromMs: number): void {
    this.#stop?.abort();
    const stop = new AbortController();
    this.#stop = stop;
    this.#history = new StatusHistory();
    this.#records = 0;
    this.#failed = 0;
    this.#lastFailure = undefined;
    this.#error = undefined;
    void this.#run(stream, fromMs, stop.signal);
  }

  hostConnected(): void {}

  hostDisconnected(): void {
    this.#stop?.abort();
  }

  async #run(stream: Stream, fromMs: number, signal: AbortSignal): Promise<void> {
    const transform = openTransform(accessLog());
    const context = { signal, stream: stream.name };
    try {
      const batches = stream.readBatches({ from: new Date(fromMs), until: "live", signal });
      for await (const batch of batches) {
        const outcomes = await transform.transform(batch, context);
        if (signal.aborted) return;
        outcomes.forEach((outcome, i) => {
          this.#count(outcome, batch.arrivalMs(i));
        });
        await new Promise((resolve) => setTimeout(resolve, READ_PAUSE_MS));
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#error = describeError(error);
      this.#host.requestUpdate();
    }
  }

  #count(outcome: Outcome, arrivalMs: number): void {
    this.#records += 1;
    if (outcome.result === "Ok") {
      const status = statusOf(outcome.data);
      if (status !== undefined) this.#history.add(status, arrivalMs);
    } else if (outcome.result === "ProcessingFailed") {
      this.#failed += 1;
      this.#lastFailure = `${outcome.code}: ${outcome.message}`;
    }
  }
}
