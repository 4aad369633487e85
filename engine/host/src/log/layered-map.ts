/**
 * A map over another one that stays as it is: what would become of a large state is found out without a
 * copy of it.
 */

/** A map of its own, or the changes to one below. */
export class LayeredMap<Key, Value> {
  readonly #below: LayeredMap<Key, Value> | undefined;
  readonly #own: Map<Key, Value>;
  /** Keys of the map below that are not in this one. */
  readonly #deleted = new Set<Key>();
  #size: number;

  /** `below` must not change as long as this map is used. */
  private constructor(own: Map<Key, Value>, below?: LayeredMap<Key, Value>) {
    this.#own = own;
    this.#below = below;
    this.#size = own.size + (below?.size ?? 0);
  }

  /** A map of some entries. */
  static of<Key, Value>(entries: Iterable<readonly [Key, Value]> = []): LayeredMap<Key, Value> {
    return new LayeredMap(new Map(entries));
  }

  /** An equal map, the changes of which leave this one as it is. */
  above(): LayeredMap<Key, Value> {
    return new LayeredMap(new Map(), this);
  }

  get size(): number {
    return this.#size;
  }

  has(key: Key): boolean {
    return this.#own.has(key) || this.#hasBelow(key);
  }

  get(key: Key): Value | undefined {
    if (this.#below === undefined || this.#own.has(key)) return this.#own.get(key);
    return this.#deleted.has(key) ? undefined : this.#below.get(key);
  }

  set(key: Key, value: Value): void {
    if (!this.has(key)) this.#size++;
    // A key that came back stands at the end, as in any map.
    this.#own.set(key, value);
  }

  /** Whether it was there. */
  delete(key: Key): boolean {
    if (!this.has(key)) return false;
    this.#size--;
    this.#own.delete(key);
    if (this.#below?.has(key) === true) this.#deleted.add(key);
    return true;
  }

  /** All values, in the order of {@link entries}. */
  values(): IterableIterator<Value> {
    return this.#below === undefined ? this.#own.values() : this.#valuesOfLayers();
  }

  /** All entries, in the order in which their keys came; changed ones of a map below stand last. */
  *entries(): IterableIterator<[Key, Value]> {
    for (const [key, value] of this.#below?.entries() ?? []) {
      if (!this.#own.has(key) && !this.#deleted.has(key)) yield [key, value];
    }
    yield* this.#own.entries();
  }

  /** Makes the changes to the map below, which must still be as it was. */
  merge(): void {
    for (const key of this.#deleted) this.#below?.delete(key);
    for (const [key, value] of this.#own) this.#below?.set(key, value);
  }

  *#valuesOfLayers(): IterableIterator<Value> {
    for (const [, value] of this.entries()) yield value;
  }

  #hasBelow(key: Key): boolean {
    return this.#below !== undefined && !this.#deleted.has(key) && this.#below.has(key);
  }
}
