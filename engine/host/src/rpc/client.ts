/** The page's half of an open engine: control calls, puts through the outbox, reads, and its end. */

import { REQUEST_BYTES_MAX } from "@millrace/core/layout";
import {
  ConnectionDroppedError,
  DeadlineError,
  EngineClosedError,
  IndeterminateError,
  InternalFailureError,
  MillraceError,
  RequestTooLargeError,
  ThreadCrashError,
} from "../errors/index.ts";
import type { Clock, Random } from "../platform/platform.ts";
import type { CallContext, ControlOperations, ReadRequest } from "../service/engine-service.ts";
import { type PackedBatch, stampBatch } from "./batch-encoder.ts";
import { BufferPool } from "./buffer-pool.ts";
import { ControlChannel } from "./control-channel.ts";
import { DataChannel } from "./data-channel.ts";
import { withDeadline } from "./deadline.ts";
import { Outbox } from "./outbox.ts";
import type { EngineThread } from "./thread.ts";

/** Limits of a client; times in ms. */
export interface ClientLimits {
  /** For one control operation. */
  readonly callMs: number;
  /** From the sending of a batch to its acknowledgement. */
  readonly putMs: number;
  /** For the answer to a read, after the time that the read itself may wait. */
  readonly readMs: number;
  /** For everything under way to settle when the client closes. */
  readonly closeMs: number;
  /** Bytes of unacknowledged batches. */
  readonly outboxBytesMax: number;
  /** For room in the outbox. */
  readonly outboxWaitMs: number;
}

/** How a put is made. */
export interface PutSettings {
  /** Withdraws the batch while it waits for room; once it is sent, it may be appended. */
  readonly signal?: AbortSignal;
  /** The batch is not sent before this resolves, and not at all when it resolves with false. */
  readonly after?: Promise<boolean>;
  /** As what the put counts for policies, faults, metrics and the trail; the application's own when absent. */
  readonly call?: CallContext;
}

/** An open engine in another thread. */
export interface EngineClient {
  readonly name: string;
  readonly clock: Clock;
  /** Where encoders get their buffers from; puts give them back. */
  readonly pool: BufferPool;
  readonly closed: boolean;
  /** Runs a control operation. @throws DeadlineError, ThreadCrashError, EngineClosedError, and what the operation throws. */
  call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
  ): Promise<ReturnType<ControlOperations[Operation]>>;
  /**
   * Appends a batch and resolves with the packed result once it is durable, or with undefined when
   * `after` said not to send. Takes the batch's buffer. Batches are sent in the order of the calls.
   *
   * @throws BackpressureError when the outbox stays full, RequestTooLargeError, EngineClosedError.
   * @throws IndeterminateError when no answer comes in time.
   * @throws ThreadCrashError when the worker dies; indeterminate when the batch was sent.
   */
  put(batch: PackedBatch, settings?: PutSettings): Promise<ArrayBuffer | undefined>;
  /** Resolves with a packed slice, owned by the caller. The signal cancels at once. */
  read(request: ReadRequest, signal?: AbortSignal): Promise<ArrayBuffer>;
  /** Lets puts under way settle, closes the engine and ends its thread. Safe to call twice. */
  close(): Promise<void>;
}

/** What a client is made of. The ports and the thread are its own from then on. */
export interface ClientParts {
  readonly name: string;
  readonly thread: EngineThread;
  readonly control: MessagePort;
  readonly data: MessagePort;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ClientLimits;
}

/** See {@link EngineClient}. */
export class Client implements EngineClient {
  readonly name: string;
  readonly clock: Clock;
  readonly pool = new BufferPool();
  readonly #thread: EngineThread;
  readonly #limits: ClientLimits;
  readonly #control: ControlChannel;
  readonly #data: DataChannel;
  readonly #outbox: Outbox;
  readonly #producerId: Uint8Array;
  readonly #puts = new Set<Promise<unknown>>();
  #batchNumber = 0;
  #failure: MillraceError | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: ClientParts) {
    const { clock, limits, thread } = parts;
    this.name = parts.name;
    this.clock = clock;
    this.#thread = thread;
    this.#limits = limits;
    this.#control = new ControlChannel(parts.control, clock);
    this.#data = new DataChannel(parts.data, clock, (reason) => this.#crash(reason.message));
    const { outboxBytesMax: bytesMax, outboxWaitMs: waitMsMax } = limits;
    this.#outbox = new Outbox({ clock, bytesMax, waitMsMax });
    this.#producerId = parts.random.fill(new Uint8Array(16));
    thread.onFailure((reason) => {
      this.#crash(reason ?? "the browser gives no reason");
      // Perhaps nothing is under way that could tell of it.
      return false;
    });
  }

  get closed(): boolean {
    return this.#closing !== undefined || this.#failure !== undefined;
  }

  async call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    this.#checkOpen();
    const value = await this.#control.call(operation, argument, this.#limits.callMs);
    return value as ReturnType<ControlOperations[Operation]>;
  }

  async put(batch: PackedBatch, settings: PutSettings = {}): Promise<ArrayBuffer | undefined> {
    this.#checkOpen();
    checkSize(batch);
    const { byteLength, buffer } = batch;
    const put = new Promise<ArrayBuffer | undefined>((resolve, reject) => {
      const send = (): void => {
        const sent = this.#send(batch, settings);
        void sent.finally(() => this.#outbox.release(byteLength)).then(resolve, reject);
      };
      this.#outbox.admit(byteLength, send, reject, settings.signal);
    });
    this.#puts.add(put);
    try {
      return await put;
    } finally {
      this.#puts.delete(put);
      this.pool.give(buffer);
    }
  }

  async read(request: ReadRequest, signal?: AbortSignal): Promise<ArrayBuffer> {
    this.#checkOpen();
    const deadlineMs = request.waitMs + this.#limits.readMs;
    const late = (): Error =>
      new DeadlineError(`a read got no answer within ${deadlineMs} ms`, { limit: deadlineMs });
    const { slice } = await this.#data.read(request, deadlineMs, late, signal);
    if (slice === undefined) throw new InternalFailureError("a read was answered without a slice");
    return slice;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #send(batch: PackedBatch, { after, call }: PutSettings): Promise<ArrayBuffer | undefined> {
    if (after !== undefined && !(await after)) return undefined;
    if (this.#failure !== undefined) throw this.#failure;
    this.#batchNumber += 1;
    stampBatch(batch, this.#producerId, this.#batchNumber);
    const { putMs } = this.#limits;
    const late = new IndeterminateError(
      `a put got no answer within ${putMs} ms; it may be durable or not`,
      { argument: "records", limit: putMs },
    );
    try {
      return await this.#exchange(batch, call, putMs, late);
    } catch (error) {
      const unsure = error instanceof MillraceError && error.indeterminate && error !== late;
      // Whoever injects a dropped connection wants to see it.
      const injected = error instanceof ConnectionDroppedError;
      if (!unsure || injected || this.#failure !== undefined) throw error;
      // Under its own number a batch is never appended twice, so asking again can only tell more.
      return await this.#exchange(batch, call, putMs, error).catch(() => Promise.reject(error));
    }
  }

  /**
   * Sends a copy: the original is what can be sent again. The copy's buffer is one that came back from
   * the engine when there is one, since memory that is touched for the first time costs more than the
   * copy; it may be longer than the batch, which knows its own length.
   */
  async #exchange(
    { buffer, byteLength }: PackedBatch,
    call: CallContext | undefined,
    deadlineMs: number,
    late: Error,
  ): Promise<ArrayBuffer> {
    const copy = this.pool.take(byteLength);
    new Uint8Array(copy).set(new Uint8Array(buffer, 0, byteLength));
    const { result, recycled } = await this.#data.put(copy, call, deadlineMs, () => late);
    if (recycled !== undefined) this.pool.give(recycled);
    if (result === undefined) throw new InternalFailureError("a put was answered without a result");
    return result;
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) throw this.#closedError(false);
  }

  #closedError(indeterminate: boolean): EngineClosedError {
    return new EngineClosedError(`the engine "${this.name}" is closed`, {
      argument: "name",
      value: this.name,
      indeterminate,
    });
  }

  async #close(): Promise<void> {
    if (this.#failure !== undefined) return;
    const { clock } = this;
    const { closeMs } = this.#limits;
    this.#data.rejectAll(() => this.#closedError(false), "read");
    try {
      const settled = Promise.allSettled([...this.#puts]);
      await withDeadline(clock, closeMs, settled, () => this.#closedError(true));
      await this.#control.call("close", null, closeMs);
    } finally {
      this.#end((kind) => this.#closedError(kind === "put"));
    }
  }

  #crash(reason: string): void {
    if (this.#failure !== undefined) return;
    const crash = (indeterminate: boolean): ThreadCrashError =>
      new ThreadCrashError(
        `the engine's worker (${this.#thread.url}) failed: ${reason}; open the engine again`,
        { argument: "worker", value: this.#thread.url, indeterminate },
      );
    this.#failure = crash(false);
    this.#end((kind) => crash(kind === "put"));
  }

  #end(failureOf: (kind: "put" | "read" | "call") => MillraceError): void {
    this.#failure ??= failureOf("call");
    this.#thread.terminate();
    this.#outbox.refuseAll(this.#failure);
    this.#control.rejectAll(failureOf("call"));
    this.#data.rejectAll(failureOf);
    this.#control.close();
    this.#data.close();
  }
}

function checkSize({ byteLength }: PackedBatch): void {
  if (byteLength <= REQUEST_BYTES_MAX) return;
  throw new RequestTooLargeError(
    `a request holds at most ${REQUEST_BYTES_MAX} bytes, but this one holds ${byteLength}`,
    { argument: "records", value: byteLength, limit: REQUEST_BYTES_MAX },
  );
}
