/** What all readers of batches are to whoever iterates them: one batch after the other, until left, aborted or read to the end. */
import type { RecordBatch } from "@millrace/engine";

/** Left by its consumer: nobody is to hear of it. */
const LEFT = Symbol("left");

/** Batches that a reader takes one after the other, also when it is asked for several at once. Can be iterated once. */
export abstract class BatchIterator implements AsyncIterableIterator<RecordBatch, undefined> {
  readonly #ending = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();

  /** `signal` is its consumer's: once aborted, the iteration throws its reason. */
  constructor(signal: AbortSignal | undefined) {
    const abort = (): void => this.stop(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { signal: this.ending });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next batch, which has at least one record. @throws the signal's reason, and what reading throws. */
  next(): Promise<IteratorResult<RecordBatch, undefined>> {
    const result = this.#turn.then(() => this.#next());
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Ends the reading and cancels what is under way. */
  async return(): Promise<IteratorResult<RecordBatch, undefined>> {
    this.stop(LEFT);
    await this.close();
    return { done: true, value: undefined };
  }

  /** Aborted when the iteration is over. */
  protected get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Ends the iteration: its next turn throws the reason. */
  protected stop(reason: unknown): void {
    this.#ending.abort(reason);
  }

  /** The next batch with records; undefined when there will be none. */
  protected abstract take(): Promise<RecordBatch | undefined>;

  /** Gives up what the reader holds; may be called more than once. */
  protected close(): void | Promise<void> {}

  async #next(): Promise<IteratorResult<RecordBatch, undefined>> {
    try {
      this.ending.throwIfAborted();
      const batch = await this.take();
      if (batch !== undefined) return { done: false, value: batch };
    } catch (error) {
      // Also of what is just being begun nothing is to be left.
      await this.return();
      if (error !== LEFT) throw error;
    }
    return await this.return();
  }
}
