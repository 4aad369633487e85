/** A consumer group as an async iterator: a worker whose deliveries are batches of a loop. */
import { refuse } from "../check.ts";
import type { Checkpointer, ProcessInput, ShardProcessor, UserRecord } from "./group-types.ts";
import type { GroupWorker, ProcessorFactory } from "./group-worker.ts";

/** Records of one shard, in its order; at least one. */
export interface GroupBatch extends Checkpointer {
  readonly records: readonly UserRecord[];
  readonly shardId: string;
  /** How far the batch's end is behind the newest record of the shard, in ms. */
  readonly millisBehindLatest: number;
  /** Aborted when the lease is lost, or the reading ends. */
  readonly signal: AbortSignal;
}

interface WaitingBatch {
  readonly batch: GroupBatch;
  /** The consumer has asked for the next one. */
  readonly done: () => void;
}

/** The batches of one worker. Can be iterated once. */
export class GroupReader implements AsyncIterableIterator<GroupBatch, undefined> {
  readonly #worker: GroupWorker;
  readonly #signal: AbortSignal | undefined;
  readonly #waiting: WaitingBatch[] = [];
  #present: WaitingBatch | undefined;
  #over = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** `start` starts the worker. */
  constructor(start: (factory: ProcessorFactory) => GroupWorker, signal: AbortSignal | undefined) {
    this.#signal = signal;
    // Whoever waits is told at once, however long the worker takes to leave.
    const abort = (): void => this.#wake();
    signal?.addEventListener("abort", abort, { once: true });
    this.#worker = start(({ shardId }) => this.#processor(shardId));
    const end = (failure?: { readonly error: unknown }): void => {
      this.#over = true;
      this.#failure = failure;
      signal?.removeEventListener("abort", abort);
      this.#wake();
    };
    this.#worker.finished.then(
      () => end(),
      (error: unknown) => end({ error }),
    );
  }

  /** The worker behind it, for its events. */
  get worker(): GroupWorker {
    return this.#worker;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next batch of any shard. Asking for it says that the one before is processed. @throws the signal's
   * reason, and what ended the worker.
   */
  next(): Promise<IteratorResult<GroupBatch, undefined>> {
    const result = this.#turn.then(() => this.#next());
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Ends the reading. The batch at hand counts as not processed, unless it was checkpointed. */
  async return(): Promise<IteratorResult<GroupBatch, undefined>> {
    await this.#worker.stop({ graceful: false });
    return { done: true, value: undefined };
  }

  async #next(): Promise<IteratorResult<GroupBatch, undefined>> {
    this.#present?.done();
    this.#present = undefined;
    for (;;) {
      this.#signal?.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#over) return { done: true, value: undefined };
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#present = next;
        return { done: false, value: next.batch };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #processor(shardId: string): ShardProcessor {
    return { processRecords: (input) => this.#process(shardId, input) };
  }

  /** Settles when the batch is processed, or nobody may process it any more. */
  async #process(shardId: string, input: ProcessInput): Promise<void> {
    const { records, millisBehindLatest, signal, checkpointer } = input;
    await new Promise<void>((resolve) => {
      const batch: GroupBatch = {
        ...{ records, shardId, millisBehindLatest, signal },
        checkpoint: (what) => checkpointer.checkpoint(what),
      };
      const done = (): void => {
        signal.removeEventListener("abort", withdraw);
        resolve();
      };
      const entry = { batch, done };
      const withdraw = (): void => {
        const at = this.#waiting.indexOf(entry);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve();
      };
      this.#waiting.push(entry);
      this.#wake();
      if (signal.aborted) withdraw();
      else signal.addEventListener("abort", withdraw, { once: true });
    });
  }
}

/** Refuses options that only a worker with processors can have. */
export function refuseProcessorOptions(options: object): void {
  for (const member of ["attemptsMax", "retryMs", "deadLetter"]) {
    if (member in options) {
      refuse(`options.${member}`, "absent: a loop has no attempts", member, "absent");
    }
  }
}
