/**
 * Who may change the leases of one group, or of all lease tables: whatever changes a lease waits for the changes of it before, so that
 * it decides on what is durable; changes of different leases go side by side, and share frames of the log.
 */

/** Gates of leases by what names them, as a shard index does in a group; first come, first served. */
export class LeaseGates<Key = number> {
  /** The last change of each lease that has one under way. */
  readonly #last = new Map<Key, Promise<void>>();
  /** The last change of all of them as a whole. */
  #whole: Promise<void> = Promise.resolve();

  /** Does what changes some leases, once nothing else changes any of them. */
  async during<Result>(keys: readonly Key[], change: () => Promise<Result>): Promise<Result> {
    const before = [this.#whole, ...keys.map((key) => this.#last.get(key))];
    const result = Promise.all(before).then(change);
    const settled = settledOf(result);
    for (const key of keys) this.#last.set(key, settled);
    try {
      return await result;
    } finally {
      for (const key of keys) {
        if (this.#last.get(key) === settled) this.#last.delete(key);
      }
    }
  }

  /** Does what changes all of them as a whole, once nothing else changes any. */
  async duringAll<Result>(change: () => Promise<Result>): Promise<Result> {
    const before = [this.#whole, ...this.#last.values()];
    const result = Promise.all(before).then(change);
    this.#whole = settledOf(result);
    return await result;
  }
}

function settledOf(result: Promise<unknown>): Promise<void> {
  return result.then(
    () => undefined,
    () => undefined,
  );
}
