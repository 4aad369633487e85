/** Reads a stream record by record, out of the batches that a batch reader brings. */
import type { RecordBatch, StreamRecord } from "@millrace/engine";

/** The records of one read, each shard's in order. Can be iterated once. */
export class RecordReader implements AsyncIterableIterator<StreamRecord> {
  readonly #batches: AsyncIterator<RecordBatch, undefined>;
  #records: Iterator<StreamRecord> | undefined;
  /** The last call that had to wait for a batch; later ones queue behind it. */
  #turn: Promise<unknown> | undefined;
  #done = false;

  constructor(batches: AsyncIterator<RecordBatch, undefined>) {
    this.#batches = batches;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next record. @throws the signal's reason, and what reads throw. */
  next(): Promise<IteratorResult<StreamRecord, undefined>> {
    // Most records lie in the batch at hand and need no turn.
    const ready = this.#turn === undefined ? this.#take() : undefined;
    if (ready !== undefined) return Promise.resolve(ready);
    const turn = (this.#turn ?? Promise.resolve()).then(() => this.#fetch());
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turn = settled;
    void settled.then(() => {
      if (this.#turn === settled) this.#turn = undefined;
    });
    return turn;
  }

  /** Ends the reading and cancels the read that is under way. */
  async return(): Promise<IteratorResult<StreamRecord, undefined>> {
    this.#done = true;
    this.#records = undefined;
    await this.#batches.return?.();
    return { done: true, value: undefined };
  }

  #take(): IteratorResult<StreamRecord, undefined> | undefined {
    const taken = this.#records?.next();
    return taken === undefined || taken.done === true ? undefined : taken;
  }

  async #fetch(): Promise<IteratorResult<StreamRecord, undefined>> {
    const ready = this.#take();
    if (ready !== undefined) return ready;
    if (this.#done) return { done: true, value: undefined };
    const batch = await this.#batches.next();
    if (batch.done === true || this.#done) return { done: true, value: undefined };
    this.#records = batch.value[Symbol.iterator]();
    return this.#take() ?? { done: true, value: undefined };
  }
}
