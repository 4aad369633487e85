/** JSON values under string keys, and their keys by prefix. */
import type { DocumentValue } from "./control-records.ts";

/** The documents of a control state. */
export class DocumentMap {
  readonly #values: Map<string, DocumentValue>;
  /** All keys in ascending order; made when somebody asks, as keys change less often than values. */
  #sorted: readonly string[] | undefined;

  constructor(entries: Iterable<readonly [string, DocumentValue]> = []) {
    this.#values = new Map(entries);
  }

  get(key: string): DocumentValue | undefined {
    return this.#values.get(key);
  }

  put(key: string, value: DocumentValue): void {
    if (!this.#values.has(key)) this.#sorted = undefined;
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#sorted = undefined;
  }

  /** Keys that begin with a prefix, ascending by UTF-16 code units. */
  keys(prefix: string): string[] {
    this.#sorted ??= [...this.#values.keys()].sort();
    const keys: string[] = [];
    for (let i = this.#firstFrom(this.#sorted, prefix); i < this.#sorted.length; i++) {
      const key = this.#sorted[i];
      if (key === undefined || !key.startsWith(prefix)) break;
      keys.push(key);
    }
    return keys;
  }

  /** All of them, by key. */
  entries(): IterableIterator<[string, DocumentValue]> {
    return this.#values.entries();
  }

  #firstFrom(sorted: readonly string[], key: string): number {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
