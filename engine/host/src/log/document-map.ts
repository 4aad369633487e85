/** JSON values under string keys, and their keys by prefix. */
import type { DocumentValue } from "./control-records.ts";
import { LayeredMap } from "./layered-map.ts";

interface Document {
  readonly value: DocumentValue;
  /** Characters that it takes in a snapshot. */
  readonly size: number;
}

/** The documents of a control state. */
export class DocumentMap {
  readonly #documents: LayeredMap<string, Document>;
  readonly #below: DocumentMap | undefined;
  /** All keys in ascending order; made when somebody asks for the first time, and kept up from then on. */
  #sorted: string[] | undefined;
  #size: number;

  private constructor(documents: LayeredMap<string, Document>, below?: DocumentMap) {
    this.#documents = documents;
    this.#below = below;
    this.#size = below?.size ?? 0;
  }

  static of(entries: Iterable<readonly [string, DocumentValue]> = []): DocumentMap {
    const map = new DocumentMap(LayeredMap.of());
    for (const [key, value] of entries) map.put(key, value);
    return map;
  }

  /** Equal documents, the changes of which leave these as they are. */
  above(): DocumentMap {
    return new DocumentMap(this.#documents.above(), this);
  }

  /** Makes the changes to the documents below, which must still be as they were and have sorted nothing. */
  merge(): void {
    this.#documents.merge();
    if (this.#below !== undefined) this.#below.#size = this.#size;
  }

  /** Characters that all keys and values take in a snapshot, about. */
  get size(): number {
    return this.#size;
  }

  get(key: string): DocumentValue | undefined {
    return this.#documents.get(key)?.value;
  }

  put(key: string, value: DocumentValue): void {
    const before = this.#documents.get(key);
    if (before === undefined) this.#sorted?.splice(firstFrom(this.#sorted, key), 0, key);
    const size = key.length + JSON.stringify(value).length;
    this.#documents.set(key, { value, size });
    this.#size += size - (before?.size ?? 0);
  }

  delete(key: string): void {
    const before = this.#documents.get(key);
    if (before === undefined) return;
    this.#documents.delete(key);
    this.#size -= before.size;
    this.#sorted?.splice(firstFrom(this.#sorted, key), 1);
  }

  /** Keys that begin with a prefix, ascending by UTF-16 code units. */
  keys(prefix: string): string[] {
    this.#sorted ??= Array.from(this.#documents.entries(), ([key]) => key).sort();
    const keys: string[] = [];
    for (let i = firstFrom(this.#sorted, prefix); i < this.#sorted.length; i++) {
      const key = this.#sorted[i];
      if (key === undefined || !key.startsWith(prefix)) break;
      keys.push(key);
    }
    return keys;
  }

  /** All of them, by key. */
  *entries(): IterableIterator<[string, DocumentValue]> {
    for (const [key, { value }] of this.#documents.entries()) yield [key, value];
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
