/** Readers that wait for new durable records of some shards. */

interface Waiter {
  readonly slots: readonly number[];
  readonly wake: () => void;
}

/** Wakes readers at the commit that brings them records. */
export class CommitWaiters {
  readonly #bySlot = new Map<number, Set<Waiter>>();

  /** Calls `wake` once, at the next commit that touches one of the slots. Returns the cancellation. */
  wait(slots: readonly number[], wake: () => void): () => void {
    const waiter: Waiter = { slots, wake };
    for (const slot of slots) {
      const waiters = this.#bySlot.get(slot);
      if (waiters === undefined) this.#bySlot.set(slot, new Set([waiter]));
      else waiters.add(waiter);
    }
    return () => this.#remove(waiter);
  }

  /** Wakes everyone who waits for one of the slots. */
  wake(slots: readonly number[]): void {
    for (const slot of slots) {
      const waiters = this.#bySlot.get(slot);
      if (waiters === undefined) continue;
      for (const waiter of [...waiters]) {
        this.#remove(waiter);
        waiter.wake();
      }
    }
  }

  /** Wakes everyone. */
  wakeAll(): void {
    this.wake([...this.#bySlot.keys()]);
  }

  #remove(waiter: Waiter): void {
    for (const slot of waiter.slots) {
      const waiters = this.#bySlot.get(slot);
      waiters?.delete(waiter);
      if (waiters?.size === 0) this.#bySlot.delete(slot);
    }
  }
}
