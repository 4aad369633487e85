/**
 * The state of one aggregation in one shard, by key. What a record sets is staged with it, and becomes the state when
 * the epoch is committed that stores it; a delivery that fails leaves nothing.
 */
import { hexOfBytes, InvalidArgumentError } from "@millrace/engine";
import { hashKeyOf } from "../aggregation/hash-key.ts";
import { show } from "../check.ts";
import type { StateValue } from "../groups/group-types.ts";

type KeptState = Readonly<Record<string, StateValue>>;

const HASH_BYTES = 16;
const WORD_BYTES = 4;

/** See above. */
export class KeyedState {
  readonly #prefix: string;
  /** As JSON, so that nobody changes in place what is stored. */
  readonly #stored = new Map<string, string>();
  /** The same; null for a key that is to be removed. */
  readonly #staged = new Map<string, string | null>();
  /** What the record under way has set: what is staged before it may have to be stored without it. */
  readonly #pending = new Map<string, string | null>();

  /**
   * `kept` is the processor's state; entries of other aggregations are left alone. `number` is the place among
   * the stage's aggregations.
   */
  constructor(number: number, kept: KeptState) {
    this.#prefix = `a${number}.`;
    for (const [name, entry] of Object.entries(kept)) {
      if (!name.startsWith(this.#prefix) || !Array.isArray(entry)) continue;
      const [key, value] = entry;
      this.#stored.set(String(key), JSON.stringify(value));
    }
  }

  /** Keys that have a state which is stored. */
  get keys(): readonly string[] {
    return [...this.#stored.keys()];
  }

  /** Keys whose state is to be stored. */
  get stagedCount(): number {
    return this.#staged.size;
  }

  /** The state of a key; null when it has none. */
  get(key: string): StateValue {
    const changes = [this.#pending, this.#staged].find((one) => one.has(key));
    const text = (changes ?? this.#stored).get(key);
    return text === undefined || text === null ? null : JSON.parse(text);
  }

  /** Sets a key's state; null removes it. @throws InvalidArgumentError for what JSON cannot hold. */
  set(key: string, value: StateValue): void {
    this.#pending.set(key, value === null ? null : jsonOf(key, value));
  }

  /** Stages what was set: the record is processed. */
  stage(): void {
    for (const [key, value] of this.#pending) this.#staged.set(key, value);
    this.#pending.clear();
  }

  /** What is staged, as entries of the processor's state. */
  staged(): KeptState {
    return Object.fromEntries(
      Array.from(this.#staged, ([key, value]) => [
        this.#nameOf(key),
        value === null ? null : [key, JSON.parse(value)],
      ]),
    );
  }

  /** What is staged has been stored. */
  commit(): void {
    for (const [key, value] of this.#staged) {
      if (value === null) this.#stored.delete(key);
      else this.#stored.set(key, value);
    }
    this.#staged.clear();
  }

  /** Nothing is set or staged any more. */
  discard(): void {
    this.#pending.clear();
    this.#staged.clear();
  }

  /** Stored keys as entries of a processor's state, to be removed here and put elsewhere. */
  entries(keys: readonly string[]): { readonly removing: KeptState; readonly putting: KeptState } {
    const putting = keys.map((key) => [this.#nameOf(key), [key, this.get(key)]] as const);
    const removing = putting.map(([name]) => [name, null] as const);
    return { removing: Object.fromEntries(removing), putting: Object.fromEntries(putting) };
  }

  /** Keys are any text, and names of entries are not. */
  #nameOf(key: string): string {
    const bytes = new Uint8Array(HASH_BYTES);
    const view = new DataView(bytes.buffer);
    for (const [i, word] of hashKeyOf(key).entries()) view.setUint32(i * WORD_BYTES, word);
    return `${this.#prefix}${hexOfBytes(bytes)}`;
  }
}

/** A state as it is kept. @throws InvalidArgumentError for what JSON would lose, or has no text for. */
function jsonOf(key: string, value: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value, refuseLoss);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  throw new InvalidArgumentError(`the state of ${show(key)} must be a JSON value or null`, {
    ...{ argument: "aggregation.add", value: show(value), limit: "a JSON value or null", cause },
  });
}

/** JSON turns NaN and Infinity into null, and leaves functions and symbols out. */
function refuseLoss(_member: string, value: unknown): unknown {
  const lost = typeof value === "number" ? !Number.isFinite(value) : typeof value === "function";
  if (lost || typeof value === "symbol") throw new TypeError(`${String(value)} is no JSON value`);
  return value;
}
