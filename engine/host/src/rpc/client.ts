/** The page's half of an open engine: control calls, puts through the outbox, reads, and its end. */

import { REQUEST_BYTES_MAX } from "@millrace/core/layout";
import {
  DeadlineError,
  EngineClosedError,
  IndeterminateError,
  InternalFailureError,
  MillraceError,
  RequestTooLargeError,
  ThreadCrashError,
} from "../errors/index.ts";
import { withDeadline, withSignal } from "../platform/deadline.ts";
import type { Clock, Random } from "../platform/platform.ts";
import type {
  BatchOrder,
  CallContext,
  ControlOperations,
  EpochAnswer,
  EpochCommit,
  ReadRequest,
} from "../service/engine-service.ts";
import type { PackedBatch } from "./batch-encoder.ts";
import { BufferPool } from "./buffer-pool.ts";
import type { LeftBatch } from "./hand-off.ts";
import { type Link, LinkLostError, linkLost } from "./link.ts";
import { LinkKeeper, type LinkKeeperParts } from "./link-keeper.ts";
import { Outbox } from "./outbox.ts";
import { PutWindow } from "./put-window.ts";

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
  /**
   * Runs a control operation, again when the worker dies under it. It may take `deadlineMs`; a time that
   * suits most operations when absent.
   *
   * @throws DeadlineError, ThreadCrashError, EngineClosedError, and what the operation throws.
   */
  call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
    deadlineMs?: number,
  ): Promise<ReturnType<ControlOperations[Operation]>>;
  /**
   * Appends a batch and resolves with the packed result once it is durable, or with undefined when
   * `after` said not to send. Takes the batch's buffer. Batches are sent in the order of the calls.
   *
   * @throws BackpressureError when the outbox stays full, RequestTooLargeError, EngineClosedError.
   * @throws IndeterminateError when no answer comes in time.
   * @throws ThreadCrashError when the worker dies and no other one can go on; indeterminate when the batch was sent.
   */
  put(batch: PackedBatch, settings?: PutSettings): Promise<ArrayBuffer | undefined>;
  /**
   * Commits an epoch; see `EngineService.commitEpoch`. Takes the buffers of the outputs. It is sent again when
   * the worker dies under it, and counts once.
   *
   * @throws IndeterminateError when no answer comes in time, and what the engine throws.
   */
  commitEpoch(commit: EpochCommit, outputs: readonly PackedBatch[]): Promise<EpochAnswer>;
  /** Resolves with a packed slice, owned by the caller. The signal cancels at once. */
  read(request: ReadRequest, signal?: AbortSignal): Promise<ArrayBuffer>;
  /**
   * Calls back when the page ends or is put aside: what it puts at once in that moment is not lost.
   * Returns how to end that.
   */
  onLeave(listener: () => void): () => void;
  /** Lets puts under way settle, closes the engine and ends its thread. Safe to call twice. */
  close(): Promise<void>;
}

/** What a client is part of: a page, which can end or be put aside. */
export interface ClientLife {
  /** The client is there, though its engine may not be open yet. */
  begin(client: Client): void;
  /** A worker serves the engine from now on. */
  up(client: Client): void;
  /**
   * The page ends: takes what was put and not acknowledged, in order. `all` says that this is all of it;
   * otherwise it follows what was handed over before. Must not wait for anything.
   */
  handOver(batches: readonly LeftBatch[], all: boolean): void;
  /** The client is over. */
  end(): void;
}

/** What a client is made of. */
export interface ClientParts extends Pick<LinkKeeperParts, "url" | "open" | "restarts"> {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ClientLimits;
  /** Absent where there is no page. */
  readonly life?: ClientLife | undefined;
}

/** See {@link EngineClient}. */
export class Client implements EngineClient {
  readonly name: string;
  readonly clock: Clock;
  readonly pool = new BufferPool();
  readonly #limits: ClientLimits;
  readonly #life: ClientLife | undefined;
  readonly #keeper: LinkKeeper;
  readonly #outbox: Outbox;
  readonly #window: PutWindow;
  readonly #puts = new Set<Promise<unknown>>();
  /** Batches that have room but must go after others; each goes at once when it is called. */
  readonly #held = new Set<() => void>();
  readonly #leaveListeners = new Set<() => void>();
  #away = false;
  #closing: Promise<void> | undefined;

  /** Starts a thread. */
  constructor(parts: ClientParts) {
    const { clock, limits, random, life } = parts;
    this.name = parts.name;
    this.clock = clock;
    this.#limits = limits;
    this.#life = life;
    const { outboxBytesMax: bytesMax, outboxWaitMs: waitMsMax, putMs } = limits;
    this.#outbox = new Outbox({ clock, bytesMax, waitMsMax });
    const producerId = random.fill(new Uint8Array(16));
    this.#window = new PutWindow({ clock, pool: this.pool, producerId, putMs });
    this.#keeper = new LinkKeeper({
      ...parts,
      onUp: (link) => this.#up(link),
      onDown: () => this.#window.detach(),
      onOver: (failure) => this.#over(failure),
    });
    life?.begin(this);
    this.#keeper.start();
  }

  get closed(): boolean {
    return this.#closing !== undefined || this.#keeper.failure !== undefined;
  }

  /** Resolves when the engine is open for the first time. @throws what opening it throws. */
  async opened(): Promise<void> {
    await this.#keeper.link();
  }

  async call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
    deadlineMs = this.#limits.callMs,
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    const late = (): Error =>
      new DeadlineError(`the engine did not answer "${operation}" within ${deadlineMs} ms`, {
        argument: "operation",
        value: operation,
        limit: deadlineMs,
      });
    const overall = new AbortController();
    this.#noteStart(operation, argument);
    const calling = this.#overLinks(({ control }, again) => {
      if (again && operation === "attach") throw portsLost();
      return control.call(operation, argument, again);
    }, overall.signal);
    try {
      const value = await withDeadline(this.clock, deadlineMs, calling, late);
      this.#noteEncryption(value);
      return value as ReturnType<ControlOperations[Operation]>;
    } finally {
      overall.abort();
      this.#noteStart(operation, argument);
    }
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
    // There is no later moment in which there could be room.
    if (this.#away) this.#outbox.letAllGo();
    this.#puts.add(put);
    try {
      return await put;
    } finally {
      this.#puts.delete(put);
      this.pool.give(buffer);
    }
  }

  async commitEpoch(commit: EpochCommit, outputs: readonly PackedBatch[]): Promise<EpochAnswer> {
    const answer = this.#commitEpoch(commit, outputs);
    this.#puts.add(answer);
    try {
      return await answer;
    } finally {
      this.#puts.delete(answer);
      for (const { buffer } of outputs) this.pool.give(buffer);
    }
  }

  async read(request: ReadRequest, signal?: AbortSignal): Promise<ArrayBuffer> {
    const deadlineMs = request.waitMs + this.#limits.readMs;
    const late = (): Error =>
      new DeadlineError(`a read got no answer within ${deadlineMs} ms`, { limit: deadlineMs });
    const { slice } = await this.#overLinks(
      ({ data }) => data.read(request, deadlineMs, late, signal),
      signal,
    );
    if (slice === undefined) throw new InternalFailureError("a read was answered without a slice");
    return slice;
  }

  /** Puts a batch of a page that is gone, under its own numbers, over the present link only. */
  async putLeft(bytes: Uint8Array, order: BatchOrder, call?: CallContext): Promise<void> {
    this.#checkOpen();
    const link = this.#keeper.current;
    if (link === undefined) throw linkLost();
    const { putMs } = this.#limits;
    const late = (): Error => new DeadlineError("a put got no answer", { limit: putMs });
    await link.data.put(new Uint8Array(bytes).buffer, call, order, putMs, late);
  }

  onLeave(listener: () => void): () => void {
    this.#leaveListeners.add(listener);
    return () => this.#leaveListeners.delete(listener);
  }

  /** The page ends, or is put aside: hands over what is not acknowledged and ends the thread, all at once. */
  leave(): void {
    if (this.#away || this.#keeper.failure !== undefined) return;
    for (const listener of this.#leaveListeners) listener();
    this.#outbox.letAllGo();
    for (const go of this.#held) go();
    this.#away = true;
    this.#handOver(0);
    this.#keeper.suspend();
  }

  /** The page is there again. */
  comeBack(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#keeper.start();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends the client at once, with this error for everything under way. */
  end(failure: MillraceError): void {
    this.#keeper.end(failure);
  }

  async #send(batch: PackedBatch, { after, call }: PutSettings): Promise<ArrayBuffer | undefined> {
    if (after === undefined || this.#away) return await this.#number(batch, call);
    return await new Promise<ArrayBuffer | undefined>((resolve, reject) => {
      const go = (): void => {
        if (this.#held.delete(go)) this.#number(batch, call).then(resolve, reject);
      };
      this.#held.add(go);
      after.then((wanted) => {
        if (wanted) go();
        else if (this.#held.delete(go)) resolve(undefined);
      }, reject);
    });
  }

  async #number(batch: PackedBatch, call: CallContext | undefined): Promise<ArrayBuffer> {
    if (this.#keeper.failure !== undefined) throw this.#keeper.failure;
    const result = this.#window.put(batch, call);
    // Its turn came after the page was told to end: nobody asks for it later.
    if (this.#away) this.#handOver(this.#window.lastNumber - 1);
    return await result;
  }

  /** An answer that leaves the outcome open has it asked once more: a commit that comes twice counts once. */
  async #commitEpoch(commit: EpochCommit, outputs: readonly PackedBatch[]): Promise<EpochAnswer> {
    const { putMs } = this.#limits;
    const late = new IndeterminateError(
      `an epoch got no answer within ${putMs} ms; it may be committed or not`,
      { argument: "commit", limit: putMs },
    );
    let doubt: unknown;
    for (;;) {
      try {
        const { value } = await this.#overLinks(({ data }) => {
          const copies = outputs.map(({ buffer, byteLength }) => buffer.slice(0, byteLength));
          return data.commitEpoch(commit, copies, putMs, () => late);
        }, undefined);
        return value as EpochAnswer;
      } catch (error) {
        const unsure = error instanceof MillraceError && error.indeterminate && error !== late;
        if (!unsure || doubt !== undefined) throw doubt ?? error;
        doubt = error;
      }
    }
  }

  /** Asks over the present link or the next one, and over later ones when links are lost meanwhile. */
  async #overLinks<Answer>(
    ask: (link: Link, again: boolean) => Promise<Answer>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    for (let again = false; ; again = true) {
      this.#checkOpen();
      signal?.throwIfAborted();
      const link = this.#keeper.current ?? (await withSignal(signal, this.#keeper.link()));
      try {
        return await ask(link, again);
      } catch (error) {
        if (!(error instanceof LinkLostError)) throw error;
      }
    }
  }

  #up(link: Link): void {
    this.#window.attach(link.data);
    this.#life?.up(this);
  }

  #handOver(after: number): void {
    const left = this.#window.leftBehind(after);
    if (left.length > 0) this.#life?.handOver(left, after === 0);
  }

  /** What a description said before it, or while it was under way, may be over. */
  #noteStart(operation: keyof ControlOperations, argument: object): void {
    const starts = "operation" in argument && argument.operation === "StartStreamEncryption";
    if (starts && operation === "invoke") this.#window.doubtAll();
  }

  /** Descriptions of streams pass here, whoever asks for them. */
  #noteEncryption(value: unknown): void {
    if (typeof value !== "object" || value === null || !("uid" in value)) return;
    if ("encryption" in value) this.#window.noteEncryption(Number(value.uid), !!value.encryption);
  }

  #checkOpen(): void {
    if (this.#keeper.failure !== undefined) throw this.#keeper.failure;
    if (this.#closing !== undefined) throw this.#closedError();
  }

  #closedError(indeterminate = false): EngineClosedError {
    const details = { argument: "name", value: this.name, indeterminate };
    return new EngineClosedError(`the engine "${this.name}" is closed`, details);
  }

  async #close(): Promise<void> {
    if (this.#keeper.failure !== undefined) return;
    const { clock } = this;
    const { closeMs } = this.#limits;
    const closed = this.#closedError();
    this.#keeper.current?.data.rejectAll(() => closed, "read");
    try {
      const settled = Promise.allSettled([...this.#puts]);
      await withDeadline(clock, closeMs, settled, () => closed);
      const ended = this.#keeper.current?.control.call("close", null);
      await withDeadline(clock, closeMs, Promise.resolve(ended), () => closed);
    } catch (error) {
      // An engine whose worker ended is closed.
      if (!(error instanceof LinkLostError)) throw error;
    } finally {
      this.#keeper.end(closed);
    }
  }

  #over(failure: MillraceError): void {
    this.#life?.end();
    this.#outbox.refuseAll(failure);
    const unsure =
      failure instanceof EngineClosedError
        ? this.#closedError(true)
        : new ThreadCrashError(failure.message, { cause: failure, indeterminate: true });
    this.#window.rejectAll((sent) => (sent ? unsure : failure));
  }
}

function checkSize({ byteLength }: PackedBatch): void {
  if (byteLength <= REQUEST_BYTES_MAX) return;
  throw new RequestTooLargeError(
    `a request holds at most ${REQUEST_BYTES_MAX} bytes, but this one holds ${byteLength}`,
    { argument: "records", value: byteLength, limit: REQUEST_BYTES_MAX },
  );
}

function portsLost(): ThreadCrashError {
  return new ThreadCrashError("the engine's worker ended, and the ports that it got with it", {
    argument: "operation",
    value: "attach",
    retryable: true,
  });
}
