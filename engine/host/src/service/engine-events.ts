/**
 * What the engine tells without being asked: a bounded memory of events, which listeners poll.
 *
 * Events are numbered from 0 in each epoch. Whoever comes from another epoch, that is from an earlier
 * life or leader, is told all that this one knows.
 */
import { InvalidArgumentError } from "../errors/index.ts";
import type { LogEvent } from "../log/log-events.ts";
import type { DataLoss } from "../log/loss-reports.ts";
import type { Clock } from "../platform/platform.ts";
import type { EngineEvent, EventCursor } from "./engine-service.ts";

/** Events that are kept at most. */
const EVENTS_MAX = 1000;
/** Longest wait for an event, in ms: what a timer can count. */
const WAIT_MS_MAX = 2_147_483_647;

/** What a poll is answered. */
export interface EventPage {
  /** Where the next poll goes on. */
  readonly cursor: EventCursor;
  readonly events: readonly EngineEvent[];
}

interface KeptEvent {
  readonly epoch: number;
  readonly number: number;
  readonly event: EngineEvent;
}

/** The events of one engine, over all its lives. */
export class EngineEvents {
  readonly #clock: Clock;
  #kept: KeptEvent[] = [];
  #epoch = 0;
  #nextNumber = 0;
  readonly #wakers = new Set<() => void>();
  #ended = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A life began under an epoch; its recovery found these losses. */
  begin(epoch: number, losses: readonly DataLoss[]): void {
    this.#epoch = epoch;
    this.#nextNumber = 0;
    for (const loss of losses) this.lost(loss);
  }

  /** A loss was found. */
  lost(report: DataLoss): void {
    this.emit({ kind: "data-loss", atMs: this.#clock.nowMs(), report });
  }

  /** Something befell the log. */
  noteLog(event: LogEvent): void {
    this.emit({ ...event, atMs: this.#clock.nowMs() });
  }

  /** Keeps an event and wakes whoever waits for one. */
  emit(event: EngineEvent): void {
    this.#kept.push({ epoch: this.#epoch, number: this.#nextNumber, event });
    this.#nextNumber += 1;
    if (this.#kept.length > EVENTS_MAX) this.#kept.shift();
    this.#wake();
  }

  /**
   * Events after a place, or from now on when it is null. Without any it waits for the first one, up to
   * `waitMs`.
   *
   * @throws InvalidArgumentError for a wait or a place that cannot be.
   */
  async after(place: EventCursor | null, waitMs: number): Promise<EventPage> {
    checkPoll(place, waitMs);
    const from = place ?? this.#cursor();
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    for (;;) {
      const events = this.#kept.filter((one) => comesAfter(one, from)).map(({ event }) => event);
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      const news = events.length > 0 || from.epoch !== this.#epoch;
      if (news || leftMs <= 0 || this.#ended) return { cursor: this.#cursor(), events };
      await this.#pause(leftMs);
    }
  }

  /** Lets go of all who wait: the engine closes. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  #cursor(): EventCursor {
    return { epoch: this.#epoch, nextEvent: this.#nextNumber };
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  #pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancelTimer = this.#clock.after(waitMs, () => wake());
      const wake = (): void => {
        cancelTimer();
        this.#wakers.delete(wake);
        resolve();
      };
      this.#wakers.add(wake);
    });
  }
}

/** Whether an event is to be told to somebody who stands at a place. */
function comesAfter({ epoch, number }: KeptEvent, from: EventCursor): boolean {
  return epoch === from.epoch ? number >= from.nextEvent : epoch > from.epoch;
}

function checkPoll(place: EventCursor | null, waitMs: number): void {
  if (!(waitMs >= 0 && waitMs <= WAIT_MS_MAX)) {
    throw new InvalidArgumentError(`waitMs must be 0 to ${WAIT_MS_MAX}, but it is ${waitMs}`, {
      ...{ argument: "waitMs", value: waitMs, limit: WAIT_MS_MAX },
    });
  }
  const known =
    place === null || [place.epoch, place.nextEvent].every((one) => Number.isSafeInteger(one));
  if (known) return;
  throw new InvalidArgumentError("a place in the events is an epoch and the number of an event", {
    argument: "after",
  });
}
