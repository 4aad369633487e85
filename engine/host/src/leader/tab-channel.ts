/**
 * The broadcast channel of an engine: announcements, and connections that have no port of their own. Where
 * there is no broker, two contexts talk over a pair of relays, which number their messages.
 */
import type { Broadcast, Port } from "../platform/platform.ts";
import { isTabMessage } from "./messages.ts";
import type { TabMessage } from "./tab-protocol.ts";

type RelayMessage = Extract<TabMessage, { kind: "relay" }>;
/** A message without what all messages have. */
type Plain<Message> = Message extends unknown ? Omit<Message, "millrace"> : never;
/** An announcement to all contexts. */
export type Announcement = Exclude<TabMessage, RelayMessage>;

/** Who hears what comes in. */
export interface TabListeners {
  announced(message: Announcement): void;
  /** A context opens a connection to this one. */
  connected(port: Port): void;
}

class Relay implements Port {
  readonly #send: (number: number, message: unknown) => void;
  readonly #closed: () => void;
  #listener: ((message: unknown) => void) | undefined;
  readonly #early: unknown[] = [];
  #sent = 0;
  #received = 0;

  constructor(send: (number: number, message: unknown) => void, closed: () => void) {
    this.#send = send;
    this.#closed = closed;
  }

  post(message: unknown): void {
    this.#sent += 1;
    this.#send(this.#sent, message);
  }

  listen(listener: (message: unknown) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  close(): void {
    this.#closed();
  }

  /** Takes a message that was sent to this end. Nothing may be missing before it. */
  take({ number, message }: RelayMessage): void {
    if (number <= this.#received) return;
    const lost = number > this.#received + 1;
    this.#received = number;
    // Both ends give the connection up, and what is under way is sent again over the next one.
    if (lost) this.post({ kind: "farewell" });
    const heard = lost ? { kind: "farewell" } : message;
    if (this.#listener === undefined) this.#early.push(heard);
    else this.#listener(heard);
    if (lost) this.close();
  }
}

/** One context's part of an engine's broadcast channel. */
export class TabChannel {
  readonly #broadcast: Broadcast;
  readonly #memberId: string;
  readonly #relays = new Map<string, Relay>();
  readonly #listeners: TabListeners;
  #opened = 0;
  #closed = false;

  constructor(broadcast: Broadcast, memberId: string, listeners: TabListeners) {
    this.#broadcast = broadcast;
    this.#memberId = memberId;
    this.#listeners = listeners;
    broadcast.listen((message) => {
      if (isTabMessage(message)) this.#take(message);
    });
  }

  /** Tells all contexts. */
  say(message: Plain<Announcement>): void {
    this.#post({ millrace: 1, ...message });
  }

  /** Opens a connection to a context, which may not be there. */
  connect(to: string): Port {
    this.#opened += 1;
    return this.#relay(to, `${this.#memberId}/${this.#opened}`);
  }

  close(): void {
    this.#closed = true;
    this.#relays.clear();
    this.#broadcast.close();
  }

  #post(message: TabMessage): void {
    if (!this.#closed) this.#broadcast.post(message);
  }

  #take(message: TabMessage): void {
    if (message.kind !== "relay") {
      this.#listeners.announced(message);
      return;
    }
    const { to, from, connection, number } = message;
    if (to !== this.#memberId) return;
    let relay = this.#relays.get(connection);
    // What comes late for a connection that this context opened and gave up opens none: two that answer each
    // other's answers would never end.
    if (relay === undefined && number === 1 && connection.startsWith(`${from}/`)) {
      relay = this.#relay(from, connection);
      this.#listeners.connected(relay);
    }
    relay?.take(message);
  }

  #relay(to: string, connection: string): Relay {
    const from = this.#memberId;
    const relay = new Relay(
      (number, message) => {
        const relayed: TabMessage = {
          ...{ millrace: 1, kind: "relay", to, from, number, connection, message },
        };
        this.#post(relayed);
      },
      () => this.#relays.delete(connection),
    );
    this.#relays.set(connection, relay);
    return relay;
  }
}
