/** What an engine told since the page opened it, the newest first. */
import type { EngineEvent, Millrace } from "millrace";

const EVENTS_MAX = 200;
const KINDS = ["data-loss", "records-dropped", "storage-full", "leader-changed"] as const;

/** Listens to one engine for as long as it is open. */
export class EventLog {
  #events: readonly EngineEvent[] = [];
  #dropped = 0;

  constructor(millrace: Millrace) {
    for (const kind of KINDS) millrace.on(kind, (event) => this.#take(event));
  }

  /** The newest {@link EVENTS_MAX} events. */
  get events(): readonly EngineEvent[] {
    return this.#events;
  }

  /** Number of older events that are not kept. */
  get dropped(): number {
    return this.#dropped;
  }

  #take(event: EngineEvent): void {
    if (this.#events.length === EVENTS_MAX) this.#dropped += 1;
    this.#events = [event, ...this.#events].slice(0, EVENTS_MAX);
  }
}
