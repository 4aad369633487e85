/**
 * Who may change the leases of one group: whatever changes a lease waits for the changes of it before, so that
 * it decides on what is durable; changes of different leases go side by side, and share frames of the log.
 */

/** Gates of one group's leases, first come, first served. */
export class LeaseGates {
  /** The last change of each lease that has one under way, by shard index. */
  readonly #last = new Map<number, Promise<void>>();
  /** The last change of the group as a whole. */
  #whole: Promise<void> = Promise.resolve();

  /** Does what changes some leases, once nothing else changes any of them. */
  async during<Result>(
    shardIndexes: readonly number[],
    change: () => Promise<Result>,
  ): Promise<Result> {
    const before = [this.#whole, ...shardIndexes.map((index) => this.#last.get(index))];
    const result = Promise.all(before).then(change);
    const settled = settledOf(result);
    for (const index of shardIndexes) this.#last.set(index, settled);
    try {
      return await result;
    } finally {
      for (const index of shardIndexes) {
        if (this.#last.get(index) === settled) this.#last.delete(index);
      }
    }
  }

  /** Does what changes the group as a whole, once nothing else changes any of its leases. */
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
