/**
 * Hands batches of one shard over until they are done with: again after a pause, halved, from the first record
 * that failed, or not any more, as the trigger was told.
 */
import { type EngineClient, pause, type StreamDescription } from "@millrace/engine";
import { backOffMs } from "../groups/back-off.ts";
import { judgeResponse, stateIn } from "./batch-response.ts";
import { discardLetter } from "./discard-letter.ts";
import { Invocation } from "./invocation.ts";
import type { EventMaker } from "./lambda-event.ts";
import type { DoneEffects, PendingRecord, ShardProgress } from "./shard-progress.ts";
import { BatchItemFailuresError } from "./trigger-errors.ts";
import type { TriggerSettings } from "./trigger-settings.ts";
import type { DiscardCondition, LambdaHandler, TriggerEvent } from "./trigger-types.ts";
import type { TumblingWindow } from "./tumbling-window.ts";

/** What a runner works with. */
export interface RunnerParts {
  readonly client: EngineClient;
  readonly stream: StreamDescription;
  readonly settings: TriggerSettings;
  readonly handler: LambdaHandler;
  readonly events: EventMaker;
  readonly shardId: string;
  readonly leaving: AbortSignal;
  /** The engine's time in ms since the Unix epoch. @throws the reason for leaving. */
  readonly now: () => Promise<number>;
  readonly progress: ShardProgress;
  readonly window: TumblingWindow | undefined;
  readonly tell: (event: TriggerEvent) => void;
}

/** A part of a batch. */
interface Piece {
  readonly entries: readonly PendingRecord[];
  /** Failed invocations that count as attempts: those after which it was halved do not. */
  readonly failures: number;
  readonly invocations: number;
  readonly requestId: string;
}

/** What an invocation of a piece came to. */
interface Outcome {
  readonly requestId: string;
  readonly doneCount: number;
  readonly error: unknown;
}

type Outputs = NonNullable<DoneEffects["outputs"]>;

const WHOLE = { failures: 0, invocations: 0, requestId: "" } as const;
const UNDER_WAY = { final: false, terminatedEarly: false } as const;

/** See above. */
export class BatchRunner {
  readonly #parts: RunnerParts;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /** Runs a batch to its end. @throws the reason for leaving, with what is done noted. */
  async run(batch: readonly PendingRecord[]): Promise<void> {
    const { settings, leaving, client } = this.#parts;
    const pieces: Piece[] = [{ ...WHOLE, entries: batch }];
    let failuresInRow = 0;
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      const young = await this.#dropOld(piece);
      if (young.entries.length === 0) continue;
      const outcome = await this.#invoke(young.entries, UNDER_WAY);
      if (outcome.error === undefined) {
        failuresInRow = 0;
        continue;
      }
      pieces.unshift(...(await this.#afterFailure(young, outcome)));
      leaving.throwIfAborted();
      failuresInRow = outcome.doneCount > 0 ? 1 : failuresInRow + 1;
      if (pieces.length > 0) {
        await pause(client.clock, backOffMs(settings.retryMs, failuresInRow), leaving);
      }
    }
  }

  /** The final invocation of the open window, until it is done with. @throws the reason for leaving. */
  async closeWindow(): Promise<void> {
    const outputs = await this.#runFinal({ final: true, terminatedEarly: false });
    this.#parts.window?.close();
    this.#finish([], outputs);
  }

  /** Nothing of it is stored: the on-failure records that it answers with go with what the caller stores. */
  async #runFinal(how: {
    readonly final: boolean;
    readonly terminatedEarly: boolean;
  }): Promise<Outputs> {
    const { settings, leaving, client, shardId, tell } = this.#parts;
    for (let piece: Piece = { ...WHOLE, entries: [] }; ; ) {
      leaving.throwIfAborted();
      const { requestId, error } = await this.#invoke([], how);
      if (error === undefined) return [];
      const { failures, invocations } = piece;
      piece = { entries: [], failures: failures + 1, invocations: invocations + 1, requestId };
      const attempt = piece.invocations;
      tell({ kind: "invocation-failed", shardId, records: 0, attempt, doneCount: 0, error });
      if (piece.failures > settings.retriesMax) {
        return await this.#giveUp(piece, "RetryAttemptsExhausted", error);
      }
      await pause(client.clock, backOffMs(settings.retryMs, piece.failures), leaving);
    }
  }

  /** Gives up the records at the beginning that are too old. */
  async #dropOld(piece: Piece): Promise<Piece> {
    const { now, settings } = this.#parts;
    if (settings.recordAgeMsMax === Number.POSITIVE_INFINITY) return piece;
    const youngestMs = (await now()) - settings.recordAgeMsMax;
    const { entries } = piece;
    const firstYoung = entries.findIndex(({ record }) => record.arrivalMs >= youngestMs);
    const count = firstYoung < 0 ? entries.length : firstYoung;
    if (count === 0) return piece;
    await this.#discard({ ...piece, entries: entries.slice(0, count) }, "RecordAgeExceeded");
    return { ...piece, entries: entries.slice(count) };
  }

  /** Calls the handler once; what it did is done, together with the window's state. */
  async #invoke(
    entries: readonly PendingRecord[],
    how: { readonly final: boolean; readonly terminatedEarly: boolean },
  ): Promise<Outcome> {
    const { client, events, shardId, settings, window, tell, leaving } = this.#parts;
    leaving.throwIfAborted();
    const records = entries.map(({ record }) => record);
    const invocation = new Invocation(this.#parts);
    const { requestId } = invocation;
    const begunMs = client.clock.monotonicMs();
    let doneCount = 0;
    let error: unknown;
    try {
      const answer = await invocation.call(events.event(shardId, records, window?.members(how)));
      const numbers = records.map(({ sequenceNumber }) => sequenceNumber);
      const verdict = settings.reportsItemFailures
        ? judgeResponse(answer, numbers)
        : { doneCount: numbers.length, error: undefined };
      const state = window === undefined ? undefined : stateIn(answer);
      if (!how.final && !how.terminatedEarly) {
        await this.#takeOver(entries.slice(0, verdict.doneCount), state);
      }
      ({ doneCount, error } = verdict);
    } catch (failure) {
      if (leaving.aborted && failure === leaving.reason) throw failure;
      error = failure ?? new Error("the handler failed with nothing");
    }
    const elapsedMs = client.clock.monotonicMs() - begunMs;
    if (error === undefined) tell({ kind: "invoked", shardId, records: records.length, elapsedMs });
    return { requestId, doneCount, error };
  }

  /** Records are done with, and the window's state is what the invocation made of it. */
  async #takeOver(done: readonly PendingRecord[], state: unknown): Promise<void> {
    const { window } = this.#parts;
    if (done.length === 0) return;
    let outputs: Outputs = [];
    if (window !== undefined && !window.update(state)) {
      outputs = await this.#runFinal({ final: true, terminatedEarly: true });
      window.empty();
    }
    // The emptied state is stored with the records that filled it, and not before them.
    this.#finish(done, outputs);
  }

  #finish(entries: readonly PendingRecord[], outputs: Outputs): void {
    const { window, progress } = this.#parts;
    const state = window?.keep() ?? {};
    progress.finish(entries, { outputs, state });
  }

  /** What is to be handed over next of a piece that failed. */
  async #afterFailure(piece: Piece, { requestId, doneCount, error }: Outcome): Promise<Piece[]> {
    const { settings, shardId, tell } = this.#parts;
    const { bisectOnError, retriesMax } = settings;
    const attempt = piece.invocations + 1;
    const records = piece.entries.length;
    tell({ kind: "invocation-failed", shardId, records, attempt, doneCount, error });
    const entries = piece.entries.slice(doneCount);
    const next = { ...piece, entries, requestId, invocations: attempt };
    // The handler itself has split the batch in two.
    if (bisectOnError && doneCount > 0) return [next];
    if (bisectOnError && entries.length > 1) {
      const middle = Math.ceil(entries.length / 2);
      const halves = [entries.slice(0, middle), entries.slice(middle)];
      return halves.map((half) => ({ ...next, entries: half }));
    }
    const failures = piece.failures + 1;
    if (failures <= retriesMax) return [{ ...next, failures }];
    await this.#discard({ ...next, failures }, "RetryAttemptsExhausted", error);
    return [];
  }

  /** Gives records up in the epoch that leaves them behind. */
  async #discard(piece: Piece, condition: DiscardCondition, error?: unknown): Promise<void> {
    this.#finish(piece.entries, await this.#giveUp(piece, condition, error));
  }

  /** Says of records that they are given up; answers with the on-failure record, where there is to be one. */
  async #giveUp(piece: Piece, condition: DiscardCondition, error?: unknown): Promise<Outputs> {
    const { now, settings, stream, shardId, tell } = this.#parts;
    const { entries, requestId, invocations } = piece;
    const { failureStream: streamName, functionArn } = settings;
    const outputs =
      streamName === undefined
        ? []
        : [
            discardLetter({
              ...{ streamName, functionArn, streamArn: stream.arn, shardId, condition },
              ...{ requestId, invocations, nowMs: await now() },
              records: entries.map(({ record }) => record),
              functionError: !(error instanceof BatchItemFailuresError),
            }),
          ];
    tell({ kind: "batch-discarded", shardId, records: entries.length, condition });
    return outputs;
  }
}
