/** One attempt to talk to the leader, and the connection that comes of it. */
import type { Port } from "../platform/platform.ts";
import type { DataAnswer } from "../rpc/messages.ts";
import { isCode, isObject } from "./messages.ts";
import { RemoteEngine } from "./remote-engine.ts";
import type {
  CodeVersion,
  ConnectionAnswer,
  ConnectionFarewell,
  ConnectionHello,
  ConnectionTick,
} from "./tab-protocol.ts";

/** What a leader said when it took the connection. */
export type Welcome = Extract<ConnectionAnswer, { kind: "welcome" }>;
/** What may come in. */
type FromLeader =
  | ConnectionAnswer
  | ConnectionTick
  | ConnectionFarewell
  | (DataAnswer & { readonly kind?: undefined });

/** Who is told what comes of a connection. */
export interface ConnectionListeners {
  welcomed(connection: Connection, welcome: Welcome): void;
  /** The leader's protocol is another one. */
  unsupported(code: CodeVersion): void;
  /** Nothing will come of it, or nothing more. */
  over(connection: Connection): void;
  /** Anything came in that shows that a leader lives. */
  heard(): void;
}

/** The follower's end of a connection. */
export class Connection {
  readonly engine: RemoteEngine;
  readonly transport: "port" | "broadcast";
  readonly #port: Port;
  readonly #listeners: ConnectionListeners;
  #closed = false;

  constructor(
    port: Port,
    transport: "port" | "broadcast",
    hello: ConnectionHello,
    listeners: ConnectionListeners,
  ) {
    this.engine = new RemoteEngine(port);
    this.transport = transport;
    this.#port = port;
    this.#listeners = listeners;
    port.listen((message) => {
      if (!this.#closed && isObject(message)) this.#take(message as FromLeader);
    });
    port.post(hello);
  }

  /** Gives the connection up. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const message: ConnectionFarewell = { kind: "farewell" };
    this.#port.post(message);
    this.#port.close();
  }

  #take(message: FromLeader): void {
    // Whoever answers that it does not lead is not the leader whose silence counts.
    if (message.kind !== "not-leading") this.#listeners.heard();
    switch (message.kind) {
      case undefined:
        this.engine.take(message);
        return;
      case "welcome":
        if (isCode(message.code)) this.#listeners.welcomed(this, message);
        return;
      case "unsupported":
        if (isCode(message.code)) this.#listeners.unsupported(message.code);
        this.#end();
        return;
      case "not-leading":
      case "farewell":
        this.#end();
        return;
      case "tick":
        return;
    }
  }

  #end(): void {
    this.#closed = true;
    this.#port.close();
    this.#listeners.over(this);
  }
}
