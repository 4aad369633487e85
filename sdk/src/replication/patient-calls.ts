/**
 * Readings of a stream elsewhere that wait as long as it takes: outages and throttles are ridden out for ever,
 * and only what no waiting mends is thrown.
 */
import { type MillraceError, toMillraceError } from "@millrace/engine";
import { backOffMs } from "../groups/back-off.ts";
import type { KinesisOperations } from "../remote/aws-service.ts";
import type { ReadCalls, RemoteCalls } from "../remote/remote-calls.ts";
import { ClockSkewError } from "../remote/remote-errors.ts";
import type { NetworkWatch } from "./network.ts";
import { verdictOn } from "./shipping-errors.ts";

/** First pause before a call is made again, in ms. */
const RETRY_MS = 100;
/** The network is there again. */
const WOKEN = Symbol("woken");

/** What these calls are made of, and who hears of them. */
export interface PatientParts {
  readonly calls: RemoteCalls;
  readonly network: NetworkWatch;
  /** An attempt failed, and is made again in so many ms. */
  readonly onRetry: (kind: "throttled" | "outage", error: MillraceError, retryMs: number) => void;
  /** The far side has answered. */
  readonly onAnswer: () => void;
}

/** See above. */
export class PatientCalls implements ReadCalls {
  readonly clock: RemoteCalls["clock"];
  readonly #parts: PatientParts;

  constructor(parts: PatientParts) {
    this.#parts = parts;
    this.clock = parts.calls.clock;
  }

  /** @throws the signal's reason, EngineClosedError, and errors of the far side that waiting does not mend. */
  async call<Name extends keyof KinesisOperations & string>(
    operation: Name,
    input: KinesisOperations[Name]["input"],
    signal?: AbortSignal,
  ): Promise<KinesisOperations[Name]["output"]> {
    const { calls, onRetry, onAnswer } = this.#parts;
    let skewed = false;
    for (let failures = 1; ; failures++) {
      try {
        const output = await calls.once(operation, input, signal);
        onAnswer();
        return output;
      } catch (thrown) {
        if (signal?.aborted === true || calls.closed) throw thrown;
        const error = toMillraceError(thrown);
        // The client takes the service's time from the first refusal; whoever is refused again has a wrong clock.
        const mended: boolean = error instanceof ClockSkewError && !skewed;
        skewed ||= mended;
        const verdict = mended ? "outage" : verdictOn(error);
        if (verdict === "paused" || verdict === "ended") throw error;
        const retryMs = backOffMs(RETRY_MS, failures);
        onRetry(verdict, error, retryMs);
        await this.#rest(retryMs, signal);
      }
    }
  }

  /** @throws the signal's reason; EngineClosedError. */
  async pause(delayMs: number, signal?: AbortSignal): Promise<void> {
    await this.#parts.calls.pause(delayMs, signal);
  }

  /** Waits before the next attempt; no longer than until the network comes back. */
  async #rest(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { calls, network } = this.#parts;
    const resting = new AbortController();
    const leave = (): void => resting.abort(signal?.reason);
    signal?.addEventListener("abort", leave, { once: true });
    const stop = network.onChange(() => {
      if (network.online()) resting.abort(WOKEN);
    });
    try {
      await calls.pause(delayMs, resting.signal);
    } catch (error) {
      if (error !== WOKEN) throw error;
    } finally {
      stop();
      signal?.removeEventListener("abort", leave);
    }
  }
}
