/** JSON values under string keys, and their keys by prefix. */
import type { DocumentValue } from "./control-records.ts";
import { LayeredMap } from "./layered-map.ts";

/** The documents of a control state. */
export class DocumentMap {
  readonly #values: LayeredMap<string, DocumentValue>;
  /** All keys in ascending order; made when somebody asks for the first time, and kept up from then on. */
  #sorted: string[] | undefined;

  private constructor(values: LayeredMap<string, DocumentValue>) {
    this.#values = values;
  }

  static of(entries: Iterable<readonly [string, DocumentValue]> = []): DocumentMap {
    return new DocumentMap(LayeredMap.of(entries));
  }

  /** Equal documents, the changes of which leave these as they are. */
  above(): DocumentMap {
    return new DocumentMap(this.#values.above());
  }

  /** Makes the changes to the documents below, which must still be as they were and have sorted nothing. */
  merge(): void {
    this.#values.merge();
  }

  get(key: string): DocumentValue | undefined {
    return this.#values.get(key);
  }

  put(key: string, value: DocumentValue): void {
    if (this.#sorted !== undefined && !this.#values.has(key)) {
      this.#sorted.splice(firstFrom(this.#sorted, key), 0, key);
    }
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (!this.#values.delete(key) || this.#sorted === undefined) return;
    this.#sorted.splice(firstFrom(this.#sorted, key), 1);
  }

  /** Keys that begin with a prefix, ascending by UTF-16 code units. */
  keys(prefix: string): string[] {
    this.#sorted ??= Array.from(this.#values.entries(), ([key]) => key).sort();
    const keys: string[] = [];
    for (let i = firstFrom(this.#sorted, prefix); i < this.#sorted.length; i++) {
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
}

/** Position of the first of sorted keys that is not below a key. */
function firstFrom(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
