/**
 * Transitions: how long a stream shows that it is being created, changed or deleted. What it announces
 * was committed with it, except for a deletion, which follows when its time is over.
 */
import type { ControlRecord } from "../log/control-records.ts";
import type { Clock } from "../platform/platform.ts";
import { type Documents, streamKey } from "./documents.ts";
import type { StreamStatus } from "./stream-types.ts";

/** A status that passes. */
export type PassingStatus = Exclude<StreamStatus, "ACTIVE">;

/** The document `stream/<uid>/transition`. */
interface Transition {
  readonly status: PassingStatus;
  /** Milliseconds since the Unix epoch. */
  readonly untilMs: number;
}

/** The passing statuses of one engine's streams. */
export class Transitions {
  readonly #documents: Documents;
  readonly #clock: Clock;
  /** How long each of them lasts, in ms; 0 for not at all. */
  readonly durationMs: number;

  constructor(documents: Documents, clock: Clock, durationMs: number) {
    this.#documents = documents;
    this.#clock = clock;
    this.durationMs = durationMs;
  }

  /** Status of a stream now. One that is to be deleted stays DELETING until it is gone. */
  statusOf(streamUid: number): StreamStatus {
    const transition = this.#of(streamUid);
    if (transition === undefined) return "ACTIVE";
    const over = this.leftMs(streamUid) === 0;
    return over && transition.status !== "DELETING" ? "ACTIVE" : transition.status;
  }

  /**
   * Milliseconds until a stream's transition is over; 0 when it is, or when there is none. One that
   * would take longer than any does was left by a clock that has been set back: it is over.
   */
  leftMs(streamUid: number): number {
    const leftMs = (this.#of(streamUid)?.untilMs ?? 0) - this.#clock.nowMs();
    return leftMs > this.durationMs ? 0 : Math.max(0, leftMs);
  }

  /** The records by which a stream takes a passing status; none when transitions are instant. */
  beginning(streamUid: number, status: PassingStatus): ControlRecord[] {
    if (this.durationMs === 0) return [];
    const untilMs = this.#clock.nowMs() + this.durationMs;
    return [this.#documents.putting(streamKey(streamUid, "transition"), { status, untilMs })];
  }

  #of(streamUid: number): Transition | undefined {
    return this.#documents.get<Transition>(streamKey(streamUid, "transition"));
  }
}
