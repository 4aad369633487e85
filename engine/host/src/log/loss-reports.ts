/** The losses that a log knows of: each is kept once, and told to whoever listens when it is found. */

/** A loss that recovery, a read or a scrub found. */
export interface DataLoss {
  readonly kind: "wal-frame" | "segment" | "log" | "key";
  /** Which frame, segment or data key, or the whole log. */
  readonly where: string;
  readonly reason: string;
  /** Number of records that are gone, when it can be told. */
  readonly recordCount: number | undefined;
  /** Bytes that are gone, when it can be told. */
  readonly byteLength?: number;
}

/** Owner of all losses of one life of a log. */
export class LossReports {
  readonly #losses = new Map<string, DataLoss>();
  readonly #listeners = new Set<(loss: DataLoss) => void>();

  /** Losses so far, oldest first. */
  list(): readonly DataLoss[] {
    return [...this.#losses.values()];
  }

  /** Whether any loss is of a kind. */
  has(kind: DataLoss["kind"]): boolean {
    return this.list().some((loss) => loss.kind === kind);
  }

  /** Notes a loss; what is known of the same place for the same reason is not told again. */
  add(loss: DataLoss): void {
    const name = `${loss.kind}\n${loss.where}\n${loss.reason}`;
    if (this.#losses.has(name)) return;
    this.#losses.set(name, loss);
    for (const listener of this.#listeners) listener(loss);
  }

  /** Calls `listener` with every loss that is found from now on. Returns the cancellation. */
  onLoss(listener: (loss: DataLoss) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
