/** What an engine tells without being asked, for those who listen: one long poll, only while there are any. */
import {
  type ControlOperations,
  type EngineClient,
  type EngineEvent,
  type EventCursor,
  pause,
} from "@millrace/engine";
import { checkMembers, checkSignal } from "./check.ts";
import { type EventOfKind, Listeners } from "./listeners.ts";

/** Kinds of events: see `EngineEvent`. */
export type EngineEventKind = EngineEvent["kind"];

/** Events of one kind. */
export type EngineEventOf<Kind extends EngineEventKind> = EventOfKind<EngineEvent, Kind>;

/** How one listens. */
export interface ListenOptions {
  /** Ends the listening. */
  readonly signal?: AbortSignal;
}

const KINDS: readonly EngineEventKind[] = [
  "data-loss",
  "records-dropped",
  "storage-full",
  "job-changed",
  "leader-changed",
];
/** How long one question may wait in the engine, ms. */
const WAIT_MS = 20_000;
/** After a question that failed, ms. */
const PAUSE_MS = 1000;

type Answer = ReturnType<ControlOperations["events"]>;

/** The events of one open engine. */
export class EngineEvents {
  readonly #client: EngineClient;
  readonly #listeners = new Listeners<EngineEvent>(KINDS);
  #polling = false;

  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** See `Millrace.on`. */
  on<Kind extends EngineEventKind>(
    kind: Kind,
    listener: (event: EngineEventOf<Kind>) => void,
    options: ListenOptions = {},
  ): () => void {
    checkMembers("options", options, ["signal"]);
    const signal = checkSignal("signal", options.signal);
    const end = this.#listeners.on(kind, listener);
    const off = (): void => {
      end();
      signal?.removeEventListener("abort", off);
    };
    if (signal?.aborted === true) off();
    else signal?.addEventListener("abort", off);
    if (this.#listeners.size > 0 && !this.#polling) void this.#poll();
    return off;
  }

  async #poll(): Promise<void> {
    const client = this.#client;
    this.#polling = true;
    let after: EventCursor | null = null;
    while (this.#listeners.size > 0 && !client.closed) {
      try {
        // Without a place nothing waits: asked again of another leader, it would miss what lies between.
        const waitMs = after === null ? 0 : WAIT_MS;
        const answer: Answer = await client.call("events", { after, waitMs });
        after = answer.cursor;
        for (const event of answer.events) this.#listeners.tell(event);
      } catch {
        // Whatever it is, calls of the application's own meet it, too, and throw it.
        if (!client.closed) await pause(client.clock, PAUSE_MS);
      }
    }
    this.#polling = false;
  }
}
