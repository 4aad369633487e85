/** AWS's operations at a service elsewhere: every call ends in time, and fails with an error of ours. */
import {
  DeadlineError,
  type EngineClient,
  EngineClosedError,
  type MillraceError,
  pause,
  randomFraction,
  type systemRandom,
  withDeadline,
  withSignal,
} from "@millrace/engine";
import type { InputOf, OperationName, OutputOf } from "@millrace/engine/model";
import { type FailedCall, remoteFailure, wrongEndpoint } from "./failure-table.ts";
import type { LoadedClient } from "./load-client.ts";
import { ClockSkewError } from "./remote-errors.ts";

/** Time and chance, and how long a call may take. */
export interface CallSurroundings {
  readonly clock: EngineClient["clock"];
  readonly random: typeof systemRandom;
  /** For one call with what is tried again of it, in ms. */
  readonly deadlineMs: number;
  /** What errors call the far side. */
  readonly place: string;
}

/** Calls that change nothing, and may be made again without a thought. */
const READS = /^(Describe|Get|List|Subscribe)/;
const BACKOFF_BASE_MS = 100;
const BACKOFF_MAX_MS = 5000;

/** Members without which an answer is none of Kinesis. */
const NEEDED: Readonly<Partial<Record<OperationName, string>>> = {
  DescribeStreamConsumer: "ConsumerDescription",
  DescribeStreamSummary: "StreamDescriptionSummary",
  GetRecords: "Records",
  GetShardIterator: "ShardIterator",
  ListShards: "Shards",
  ListStreams: "StreamNames",
  PutRecords: "Records",
  RegisterStreamConsumer: "Consumer",
  SubscribeToShard: "EventStream",
};

/** The calls of one open backend. */
export class RemoteCalls {
  readonly clock: CallSurroundings["clock"];
  readonly deadlineMs: number;
  /** What errors call the far side. */
  readonly place: string;
  readonly #client: LoadedClient;
  readonly #random: CallSurroundings["random"];
  readonly #onClose = new Set<(reason: EngineClosedError) => void>();
  readonly #onSettled: (() => void)[] = [];
  /** Calls under way that may change something. */
  #changing = 0;
  #refusing = false;
  #closedBy: EngineClosedError | undefined;

  constructor(client: LoadedClient, surroundings: CallSurroundings) {
    this.#client = client;
    this.clock = surroundings.clock;
    this.deadlineMs = surroundings.deadlineMs;
    this.place = surroundings.place;
    this.#random = surroundings.random;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closedBy !== undefined;
  }

  /**
   * Calls back with the reason when it is closed, or at once when it is. Returns how to end that. Not a signal:
   * of those, platforms warn when as many listen as there may be shards.
   */
  onClose(listener: (reason: EngineClosedError) => void): () => void {
    if (this.#closedBy === undefined) this.#onClose.add(listener);
    else listener(this.#closedBy);
    return () => this.#onClose.delete(listener);
  }

  /** From now on nothing new is taken on; what is under way goes on. */
  refuse(): void {
    this.#refusing = true;
  }

  /** @throws EngineClosedError when nothing new is taken on any more. */
  checkOpen(): void {
    if (this.#refusing) throw this.#closing(false);
  }

  /** Resolves when no call is under way that may change something. */
  async settled(): Promise<void> {
    if (this.#changing === 0) return;
    await new Promise<void>((resolve) => {
      this.#onSettled.push(resolve);
    });
  }

  /** Ends calls under way with an EngineClosedError, and all later ones. */
  close(): void {
    if (this.closed) return;
    this.refuse();
    const reason = this.#closing(false);
    this.#closedBy = reason;
    for (const listener of [...this.#onClose]) listener(reason);
    this.#client.close();
  }

  /**
   * Makes a call. One that changes nothing is made again, with pauses, while that may help and the time
   * lasts; others once. One that was `admitted` before the closing began is also made after `refuse`.
   * When the time ends during an attempt that followed a refusal, the refusal is thrown: it says more.
   *
   * @throws MillraceError; DeadlineError when there is no answer in time; EngineClosedError, `indeterminate`
   * where a change was on its way when it was closed; the signal's reason.
   */
  async call<Name extends OperationName>(
    operation: Name,
    input: InputOf<Name>,
    signal?: AbortSignal,
    admitted = false,
  ): Promise<OutputOf<Name>> {
    if (!admitted) this.checkOpen();
    const endMs = this.clock.monotonicMs() + this.deadlineMs;
    const changes = !READS.test(operation);
    let skewed = false;
    let refusal: unknown;
    for (let failures = 0; ; failures++) {
      const leftMs = Math.max(1, endMs - this.clock.monotonicMs());
      try {
        return await this.#attempt(
          { operation, place: this.place, changes },
          input,
          leftMs,
          signal,
        );
      } catch (error) {
        if (signal?.aborted === true || this.closed) throw error;
        // The client takes the service's time from the refusal, so that the next attempt is signed right.
        const skew: boolean = error instanceof ClockSkewError && !skewed;
        skewed ||= skew;
        if (!skew && (changes || !isRetryable(error))) throw error;
        if (!(error instanceof DeadlineError)) refusal = error;
        const pauseMs = skew ? 0 : this.backOffMs(failures);
        if (this.clock.monotonicMs() + pauseMs >= endMs) throw refusal ?? error;
        await this.pause(pauseMs, signal);
      }
    }
  }

  /** A pause of random length, in ms; may be longer the more failures came before. */
  backOffMs(failuresBefore: number): number {
    const longestMs = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** failuresBefore);
    return longestMs * (0.5 + randomFraction(this.#random) / 2);
  }

  /** @throws the signal's reason; EngineClosedError when it is closed meanwhile. */
  async pause(delayMs: number, signal?: AbortSignal): Promise<void> {
    const ended = new AbortController();
    try {
      await this.#whileOpen(() => withSignal(signal, pause(this.clock, delayMs, ended.signal)));
    } finally {
      // The timer goes with whatever ended the pause.
      ended.abort();
    }
  }

  async #attempt<Name extends OperationName>(
    call: FailedCall & { readonly operation: Name },
    input: InputOf<Name>,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<OutputOf<Name>> {
    signal?.throwIfAborted();
    const giveUp = new AbortController();
    const late = (): Error => this.#late(call, leftMs);
    let sent = false;
    if (call.changes) this.#changing += 1;
    try {
      return (await this.#whileOpen((closing) => {
        closing.throwIfAborted();
        sent = true;
        const output = this.#send(call, input, giveUp.signal);
        return withSignal(signal, withDeadline(this.clock, leftMs, output, late));
      })) as OutputOf<Name>;
    } catch (error) {
      giveUp.abort();
      throw sent && call.changes && error === this.#closedBy ? this.#closing(true) : error;
    } finally {
      if (call.changes) this.#endChange();
    }
  }

  #endChange(): void {
    this.#changing -= 1;
    if (this.#changing === 0) for (const tell of this.#onSettled.splice(0)) tell();
  }

  #closing(indeterminate: boolean): EngineClosedError {
    const message = `the connection to ${this.place} was closed`;
    return new EngineClosedError(message, { indeterminate });
  }

  /** Settles as what is begun does, or rejects when it is closed before. */
  async #whileOpen<Value>(begin: (closing: AbortSignal) => Promise<Value>): Promise<Value> {
    const closing = new AbortController();
    const stop = this.onClose((reason) => closing.abort(reason));
    try {
      return await withSignal(closing.signal, begin(closing.signal));
    } finally {
      stop();
    }
  }

  async #send(call: FailedCall, input: unknown, signal: AbortSignal): Promise<unknown> {
    let output: unknown;
    try {
      output = await this.#client.send(call.operation, input, signal);
    } catch (thrown) {
      throw remoteFailure(call, thrown);
    }
    const needed = NEEDED[call.operation];
    if (needed === undefined) return output;
    const answer = output as Readonly<Record<string, unknown>> | undefined;
    if (answer?.[needed] === undefined) throw wrongEndpoint(call, `no ${needed}`);
    return output;
  }

  #late({ operation, place, changes }: FailedCall, leftMs: number): Error {
    return new DeadlineError(
      `${place} did not answer ${operation} within ${Math.ceil(leftMs)} ms`,
      {
        argument: "deadlineMs",
        value: operation,
        limit: this.deadlineMs,
        indeterminate: changes,
      },
    );
  }
}

function isRetryable(error: unknown): boolean {
  return (error as Partial<MillraceError>).retryable === true;
}
