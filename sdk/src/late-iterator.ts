/** An iterator whose implementation is still being loaded. */

/** Iterates what the promise brings, which happens once whether or not anybody asks for a value. */
export class LateIterator<Value> implements AsyncIterableIterator<Value, undefined> {
  readonly #source: Promise<AsyncIterator<Value, undefined>>;

  constructor(source: Promise<AsyncIterator<Value, undefined>>) {
    this.#source = source;
    // The first call of next() tells; until then nobody listens.
    source.catch(() => undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next value. @throws what loading and what the iterator throw. */
  async next(): Promise<IteratorResult<Value, undefined>> {
    return await (await this.#source).next();
  }

  /** Ends the iteration. */
  async return(): Promise<IteratorResult<Value, undefined>> {
    const source = await this.#source;
    return (await source.return?.()) ?? { done: true, value: undefined };
  }
}
