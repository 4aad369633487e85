/**
 * The tumbling windows of one shard: which one a record falls into, the state that passes from one invocation
 * to the next, and how both are kept with the checkpoint.
 */
import type { StateValue } from "../groups/group-types.ts";
import type { WindowMembers } from "./lambda-event.ts";
import type { PendingRecord } from "./shard-progress.ts";

/** AWS: a window whose state takes more is terminated early: 1 MB. */
const STATE_BYTES_MAX = 1_048_576;
/** Characters of one entry of kept state; as JSON within JSON it takes twice as many at most. */
const PIECE_CHARACTERS = 30_000;
const KEY = "window";
const ENCODER = new TextEncoder();

type KeptState = Readonly<Record<string, StateValue>>;

/** See above. */
export class TumblingWindow {
  readonly #lengthMs: number;
  /** Beginning of the window that is open, or was closed last, in ms since the Unix epoch. */
  #startMs = Number.NEGATIVE_INFINITY;
  #open = false;
  #state: unknown = {};
  /** Pieces that the state took when it was largest. */
  #piecesMax = 0;

  /** `kept` is what {@link keep} gave. */
  constructor(lengthMs: number, kept: KeptState) {
    this.#lengthMs = lengthMs;
    const head = kept[KEY];
    if (!Array.isArray(head)) return;
    const [startMs, open, pieces] = head;
    this.#startMs = Number(startMs);
    this.#open = open === true;
    this.#piecesMax = Number(pieces);
    const text = Array.from({ length: this.#piecesMax }, (_, i) => kept[`${KEY}.${i}`]).join("");
    if (this.#open) this.#state = JSON.parse(text);
  }

  /** When the open window ends, in ms since the Unix epoch; undefined when none is open. */
  get endMs(): number | undefined {
    return this.#open ? this.#startMs + this.#lengthMs : undefined;
  }

  /** Whether two records fall into one window. */
  readonly together = (first: PendingRecord, other: PendingRecord): boolean =>
    this.#startOf(first) === this.#startOf(other);

  /** Whether a record falls into a window after the open one. */
  isPast(entry: PendingRecord): boolean {
    return this.#open && this.#startOf(entry) > this.#startMs;
  }

  /** Opens a record's window, unless it is open. */
  enter(entry: PendingRecord): void {
    if (this.#open) return;
    this.#startMs = this.#startOf(entry);
    this.#open = true;
    this.#state = {};
  }

  /** What the event of an invocation says of the window. */
  members(how: { readonly final: boolean; readonly terminatedEarly: boolean }): WindowMembers {
    const startMs = this.#startMs;
    // The handler may do with its copy what it likes.
    const state: unknown = structuredClone(this.#state);
    return { startMs, endMs: startMs + this.#lengthMs, state, ...how };
  }

  /** Takes over the state that an invocation answered with; false when it is more than there is room for. */
  update(state: unknown): boolean {
    this.#state = state;
    return ENCODER.encode(JSON.stringify(state)).byteLength <= STATE_BYTES_MAX;
  }

  /** The window goes on with an empty state. */
  empty(): void {
    this.#state = {};
  }

  /** The window has had its final invocation. */
  close(): void {
    this.#open = false;
    this.#state = {};
  }

  /** The processor's state that stands for the window as it is. */
  keep(): KeptState {
    const text = this.#open ? JSON.stringify(this.#state) : "";
    const pieces = Math.ceil(text.length / PIECE_CHARACTERS);
    const kept: Record<string, StateValue> = { [KEY]: [this.#startMs, this.#open, pieces] };
    this.#piecesMax = Math.max(this.#piecesMax, pieces);
    for (let i = 0; i < this.#piecesMax; i++) {
      const from = i * PIECE_CHARACTERS;
      kept[`${KEY}.${i}`] = i < pieces ? text.slice(from, from + PIECE_CHARACTERS) : null;
    }
    return kept;
  }

  /** Removes what {@link keep} gave. */
  forget(): KeptState {
    this.close();
    return { ...this.keep(), [KEY]: null };
  }

  /** Time never runs backwards: a late record counts in the window that is open, or after the last closed one. */
  #startOf({ record }: PendingRecord): number {
    const own = Math.floor(record.arrivalMs / this.#lengthMs) * this.#lengthMs;
    const earliestMs = this.#open ? this.#startMs : this.#startMs + this.#lengthMs;
    return Math.max(own, earliestMs);
  }
}
