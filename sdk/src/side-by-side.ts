/** Shards that are asked side by side, each for one answer ahead: a slow one holds no other up. */

interface Arrival<Answer> {
  readonly shardIndex: number;
  readonly answer: Promise<Answer>;
}

/** Answers of shards, in the order in which they come. */
export class SideBySide<Answer> {
  /** Shards whose next answer is under way or not yet handed out. */
  readonly #asked = new Set<number>();
  /**
   * Answers that are there, or failed. A race of all that are under way would keep what the quick ones give
   * until the slow ones are done.
   */
  readonly #arrived: Arrival<Answer>[] = [];
  #wake: () => void = () => undefined;

  /** Asks a shard by `read`, unless its last answer is still to be handed out. */
  ask(shardIndex: number, read: (shardIndex: number) => Promise<Answer>): void {
    if (this.#asked.has(shardIndex)) return;
    this.#asked.add(shardIndex);
    const answer = read(shardIndex);
    const arrive = (): void => {
      this.#arrived.push({ shardIndex, answer });
      this.#wake();
    };
    void answer.then(arrive, arrive);
  }

  /** The next answer of any shard; one call at a time. @throws what reading the shard threw. */
  async next(): Promise<{ readonly shardIndex: number; readonly answer: Answer }> {
    for (;;) {
      const first = this.#arrived.shift();
      if (first !== undefined) {
        const { shardIndex } = first;
        this.#asked.delete(shardIndex);
        return { shardIndex, answer: await first.answer };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
