/**
 * Batches that wait outside the core, in two lanes: those of strict streams and those of relaxed ones,
 * so that neither has to wait for a backlog of the other.
 *
 * Batches of one stream never overtake each other: while some wait, later ones join their lane even when
 * the stream's durability has changed. Compounds keep no order with them.
 */
import type { Waiting } from "./pending-put.ts";

/** Which frames a batch may go into: "relaxed" ones do not wait for the disk. */
export type Lane = "strict" | "relaxed";

/** A batch or compound with its place in the order of arrival. */
export interface QueuedPut {
  readonly put: Waiting;
  readonly lane: Lane;
  readonly place: number;
}

/** What is known of a stream while batches of it wait. */
interface StreamLine {
  readonly lane: Lane;
  waiting: number;
}

/** The lanes. */
export class PutQueue {
  readonly #lanes: Readonly<Record<Lane, QueuedPut[]>> = { strict: [], relaxed: [] };
  readonly #lines = new Map<number, StreamLine>();
  #byteLength = 0;
  #nextPlace = 0;
  /** Places before all others, for what comes back. */
  #placeBefore = -1;

  /** Bytes of all requests that wait. */
  get byteLength(): number {
    return this.#byteLength;
  }

  get empty(): boolean {
    return this.#lanes.strict.length === 0 && this.#lanes.relaxed.length === 0;
  }

  /** Adds a batch behind all others of its lane. */
  add(put: Waiting, wanted: Lane): void {
    const lane = this.#join(put, wanted);
    this.#lanes[lane].push({ put, lane, place: this.#nextPlace++ });
  }

  /** Puts batches that were taken before all others, in their order. */
  putBack(puts: readonly Waiting[], laneOf: (put: Waiting) => Lane): void {
    for (const put of puts.toReversed()) {
      const lane = this.#join(put, laneOf(put));
      this.#lanes[lane].unshift({ put, lane, place: this.#placeBefore-- });
    }
  }

  /** The next batch of a lane. */
  head(lane: Lane): QueuedPut | undefined {
    return this.#lanes[lane][0];
  }

  /** Takes the next batch of a lane out. */
  take(lane: Lane): void {
    const taken = this.#lanes[lane].shift();
    if (taken === undefined) return;
    const { put } = taken;
    this.#byteLength -= put.byteLength;
    if (put.streamUid === undefined) return;
    const line = this.#lines.get(put.streamUid);
    if (line === undefined) return;
    line.waiting -= 1;
    if (line.waiting === 0) this.#lines.delete(put.streamUid);
  }

  /** Takes all batches out, in the order in which they came. */
  drain(): Waiting[] {
    const { strict, relaxed } = this.#lanes;
    const all = [...strict.splice(0), ...relaxed.splice(0)];
    this.#lines.clear();
    this.#byteLength = 0;
    return all.sort((a, b) => a.place - b.place).map(({ put }) => put);
  }

  #join(put: Waiting, wanted: Lane): Lane {
    this.#byteLength += put.byteLength;
    if (put.streamUid === undefined) return wanted;
    const line = this.#lines.get(put.streamUid);
    if (line === undefined) {
      this.#lines.set(put.streamUid, { lane: wanted, waiting: 1 });
      return wanted;
    }
    line.waiting += 1;
    return line.lane;
  }
}

/** The one that came first. */
export function older(a: QueuedPut | undefined, b: QueuedPut | undefined): QueuedPut | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.place < b.place ? a : b;
}
