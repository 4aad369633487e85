/** Who listens to what a worker, a trigger, a pipeline, a replication or the engine tells. */
import { checkOneOf, refuse } from "./check.ts";

/** What has a kind to listen to. */
interface AnyEvent {
  readonly kind: string;
}

/** The members of a union of events that can be of a kind, as events of that kind. */
export type EventOfKind<Event extends AnyEvent, Kind extends Event["kind"]> = Event extends unknown
  ? Kind extends Event["kind"]
    ? Event & { readonly kind: Kind }
    : never
  : never;

interface Listener {
  readonly kind: string;
  readonly hear: (event: never) => void;
}

/**
 * The listeners of one source of events. Each is called in a microtask of its own, in the order of the events:
 * what it throws is an uncaught error of the application's, and no concern of the source or of other listeners.
 */
export class Listeners<Event extends AnyEvent> {
  readonly #kinds: readonly Event["kind"][];
  readonly #listeners = new Set<Listener>();

  /** Of a source that tells events of these kinds. */
  constructor(kinds: readonly Event["kind"][]) {
    this.#kinds = kinds;
  }

  /** How many listen. */
  get size(): number {
    return this.#listeners.size;
  }

  /** Calls back with every event of one kind from now on. Returns how to end that. @throws InvalidArgumentError. */
  on<Kind extends Event["kind"]>(
    kind: Kind,
    hear: (event: EventOfKind<Event, Kind>) => void,
  ): () => void {
    checkOneOf("kind", kind, this.#kinds);
    if (typeof hear !== "function") refuse("listener", "a function", hear, "function");
    const listener: Listener = { kind, hear };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells all who listen to its kind. */
  tell(event: Event): void {
    for (const { kind, hear } of this.#listeners) {
      if (kind === event.kind) queueMicrotask(() => hear(event as never));
    }
  }
}
