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
import {
  type AwsService,
  KINESIS,
  type KinesisOperations,
  type OperationTypes,
} from "./aws-service.ts";
import { type FailedCall, remoteFailure, wrongEndpoint } from "./failure-table.ts";
import type { LeavingCalls } from "./leaving-calls.ts";
import type { LoadedClient } from "./load-client.ts";
import { ClockSkewError } from "./remote-errors.ts";

/** Time and chance, and how long a call may take. */
export interface CallSurroundings {
  readonly clock: EngineClient["clock"];
  readonly random: typeof systemRandom;
  /** For one call with what is tried again of it, in ms. */
  readonly deadlineMs: number;
  /** For one attempt of a call, in ms; as long as the call may take when absent. */
  readonly attemptMs?: number;
  /** What errors call the far side. */
  readonly place: string;
  /** What is there; Kinesis when absent. */
  readonly service?: AwsService;
}

const BACKOFF_BASE_MS = 100;
const BACKOFF_MAX_MS = 5000;

/** The calls to one service that is open. */
export class RemoteCalls<Operations extends OperationTypes = KinesisOperations> {
  readonly clock: CallSurroundings["clock"];
  readonly deadlineMs: number;
  /** What errors call the far side. */
  readonly place: string;
  readonly #attemptMs: number;
  readonly #service: AwsService;
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
    this.#attemptMs = surroundings.attemptMs ?? surroundings.deadlineMs;
    this.place = surroundings.place;
    this.#service = surroundings.service ?? KINESIS;
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
  async call<Name extends keyof Operations & string>(
    operation: Name,
    input: Operations[Name]["input"],
    signal?: AbortSignal,
    admitted = false,
  ): Promise<Operations[Name]["output"]> {
    if (!admitted) this.checkOpen();
    const endMs = this.clock.monotonicMs() + this.deadlineMs;
    const made = this.#callOf(operation);
    let skewed = false;
    let refusal: unknown;
    for (let failures = 0; ; failures++) {
      const leftMs = Math.max(1, Math.min(this.#attemptMs, endMs - this.clock.monotonicMs()));
      try {
        return await this.#attempt(made, input, leftMs, signal);
      } catch (error) {
        if (signal?.aborted === true || this.closed) throw error;
        // The client takes the service's time from the refusal, so that the next attempt is signed right.
        const skew: boolean = error instanceof ClockSkewError && !skewed;
        skewed ||= skew;
        if (!skew && (made.changes || !isRetryable(error))) throw error;
        if (!(error instanceof DeadlineError)) refusal = error;
        const pauseMs = skew ? 0 : this.backOffMs(failures);
        if (this.clock.monotonicMs() + pauseMs >= endMs) throw refusal ?? error;
        await this.pause(pauseMs, signal);
      }
    }
  }

  /**
   * Makes a call once, whatever comes of it: for whoever tries again for longer than a call may take.
   * @throws as {@link call}.
   */
  async once<Name extends keyof Operations & string>(
    operation: Name,
    input: Operations[Name]["input"],
    signal?: AbortSignal,
  ): Promise<Operations[Name]["output"]> {
    this.checkOpen();
    return await this.#attempt(this.#callOf(operation), input, this.#attemptMs, signal);
  }

  /**
   * What a call is made with at the end of the page, by a client of its own that made one call before; nobody hears
   * what comes of it. @throws as {@link call}.
   */
  async openLeaving<Name extends keyof Operations & string>(
    operation: Name,
    input: Operations[Name]["input"],
  ): Promise<LeavingCalls<Operations>> {
    this.checkOpen();
    const { openLeavingCalls } = await import("./leaving-calls.ts");
    return await openLeavingCalls(this, this.#client, this.#callOf(operation), input);
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

  #callOf(operation: string): FailedCall {
    const service = this.#service;
    const changes = !service.reads.test(operation);
    return { operation, service, place: this.place, changes };
  }

  async #attempt(
    call: FailedCall,
    input: unknown,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    signal?.throwIfAborted();
    const giveUp = new AbortController();
    const late = (): Error => this.#late(call, leftMs);
    let sent = false;
    if (call.changes) this.#changing += 1;
    try {
      return await this.#whileOpen((closing) => {
        closing.throwIfAborted();
        sent = true;
        const output = this.#send(call, input, giveUp.signal);
        return withSignal(signal, withDeadline(this.clock, leftMs, output, late));
      });
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
    const needed = this.#service.needed[call.operation];
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

/** What a reading needs of the calls to Kinesis. */
export type ReadCalls = Pick<RemoteCalls, "call" | "clock" | "pause">;

function isRetryable(error: unknown): boolean {
  return (error as Partial<MillraceError>).retryable === true;
}
