/** The page's end of the data port: requests with buffers, answers by id, cancellation, deadlines. */
import { reviveError, ThreadCrashError } from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";
import type {
  BatchOrder,
  CallContext,
  EpochCommit,
  ReadRequest,
} from "../service/engine-service.ts";
import type { DataAnswer, DataRequest } from "./messages.ts";

/** What a request asks for. */
export type RequestKind = Exclude<DataRequest["kind"], "cancel">;

interface Pending {
  readonly kind: RequestKind;
  readonly resolve: (answer: DataAnswer) => void;
  readonly reject: (reason: unknown) => void;
  readonly stopTimer: () => void;
}

/** Makes the error of a request that is given up; puts must be told apart, for they may have worked. */
export type FailureOf = (kind: RequestKind) => Error;

/** Requests under way over one data port. */
export class DataChannel {
  readonly #port: MessagePort;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  /** Takes the port over. `onGarbled` is called when a message of the engine cannot be read. */
  constructor(port: MessagePort, clock: Clock, onGarbled: (reason: ThreadCrashError) => void) {
    this.#port = port;
    this.#clock = clock;
    port.addEventListener("message", (event: MessageEvent<DataAnswer>) => this.#take(event.data));
    port.addEventListener("messageerror", () =>
      onGarbled(new ThreadCrashError("a message of the engine's worker could not be read")),
    );
    port.start();
  }

  /** Sends a batch, which is transferred; resolves with the packed result. */
  put(
    buffer: ArrayBuffer,
    call: CallContext | undefined,
    order: BatchOrder | undefined,
    deadlineMs: number,
    late: () => Error,
  ): Promise<DataAnswer> {
    const id = this.#nextId();
    const message = { id, kind: "put", buffer, call, order } as const;
    return this.#ask(message, [buffer], deadlineMs, late);
  }

  /** Sends an epoch, the outputs of which are transferred; the answer's value tells what came of it. */
  commitEpoch(
    commit: EpochCommit,
    outputs: readonly ArrayBuffer[],
    deadlineMs: number,
    late: () => Error,
  ): Promise<DataAnswer> {
    const message = { id: this.#nextId(), kind: "epoch", commit, outputs } as const;
    return this.#ask(message, [...outputs], deadlineMs, late);
  }

  /** Asks for a slice. The signal cancels the read in the engine and rejects with its reason at once. */
  async read(
    request: ReadRequest,
    deadlineMs: number,
    late: () => Error,
    signal?: AbortSignal,
  ): Promise<DataAnswer> {
    signal?.throwIfAborted();
    const id = this.#nextId();
    const abort = (): void => this.#cancel(id, signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await this.#ask({ id, kind: "read", request }, [], deadlineMs, late);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Rejects all requests of a kind, or all. */
  rejectAll(failureOf: FailureOf, kind?: RequestKind): void {
    for (const [id, pending] of this.#pending) {
      if (kind === undefined || pending.kind === kind)
        this.#settle(id)?.reject(failureOf(pending.kind));
    }
  }

  /** Ends the channel. What is under way must have been rejected before. */
  close(): void {
    this.#port.close();
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #ask(
    message: Exclude<DataRequest, { kind: "cancel" }>,
    transfer: Transferable[],
    deadlineMs: number,
    late: () => Error,
  ): Promise<DataAnswer> {
    const { id, kind } = message;
    return new Promise((resolve, reject) => {
      const stopTimer = this.#clock.after(deadlineMs, () => {
        if (kind === "read") this.#cancel(id, late());
        else this.#settle(id)?.reject(late());
      });
      this.#pending.set(id, { kind, resolve, reject, stopTimer });
      this.#port.postMessage(message, transfer);
    });
  }

  #cancel(id: number, reason: unknown): void {
    const pending = this.#settle(id);
    if (pending === undefined) return;
    const message: DataRequest = { id, kind: "cancel" };
    this.#port.postMessage(message);
    pending.reject(reason);
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.stopTimer();
    return pending;
  }

  #take(answer: DataAnswer): void {
    // What was given up in the meantime is answered too late, and nobody waits for it.
    const pending = this.#settle(answer.id);
    if (pending === undefined) return;
    if (answer.error === undefined) pending.resolve(answer);
    else pending.reject(reviveError(answer.error));
  }
}
