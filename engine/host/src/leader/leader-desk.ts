/**
 * The leader's side of many tabs: takes connections, serves requests over them, shows that it is not frozen,
 * and forgets the contexts that died.
 */
import { memberLockName } from "../platform/locks.ts";
import type { Locks, Port } from "../platform/platform.ts";
import { DataServer } from "../rpc/data-server.ts";
import type { DataRequest } from "../rpc/messages.ts";
import type { EngineService } from "../service/engine-service.ts";
import { isCode, isObject } from "./messages.ts";
import {
  type CodeVersion,
  type ConnectionAnswer,
  type ConnectionFarewell,
  type ConnectionHello,
  type ConnectionTick,
  TAB_PROTOCOL,
} from "./tab-protocol.ts";

/** What a desk works with. */
export interface DeskParts {
  readonly name: string;
  readonly locks: Locks;
  readonly engine: EngineService;
  readonly epoch: number;
  readonly leaderId: string;
  readonly code: CodeVersion;
}

/** One connection that was welcomed. */
interface Served {
  readonly port: Port;
  readonly memberId: string;
  readonly server: DataServer;
  readonly gone: AbortController;
}

/** What a context may say on a connection. */
type FromMember = ConnectionHello | ConnectionFarewell | DataRequest;

/** Serves the other contexts for one term. */
export class LeaderDesk {
  readonly #parts: DeskParts;
  readonly #served = new Set<Served>();
  #closed = false;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** Contexts that are connected; one that is connected twice counts once. */
  get members(): number {
    return new Set([...this.#served].map(({ memberId }) => memberId)).size;
  }

  /** Takes a connection; its first message must be a hello. */
  accept(port: Port): void {
    let served: Served | undefined;
    port.listen((received) => {
      if (!isObject(received)) return;
      const message = received as FromMember;
      if (message.kind === "hello") served ??= this.#greet(port, message);
      else if (served === undefined) return;
      else if (message.kind === "farewell") this.#forget(served);
      else if (this.#served.has(served)) served.server.take(message);
    });
  }

  /** Says on every connection that the leader lives. */
  tick(): void {
    const message: ConnectionTick = { kind: "tick" };
    for (const { port } of this.#served) port.post(message);
  }

  /** Ends all connections: what was not answered will not be. */
  close(): void {
    this.#closed = true;
    const message: ConnectionFarewell = { kind: "farewell" };
    for (const served of this.#served) {
      served.port.post(message);
      this.#forget(served);
    }
  }

  #greet(port: Port, { code, memberId }: ConnectionHello): Served | undefined {
    if (this.#closed) {
      refuseConnection(port);
      return undefined;
    }
    const own = this.#parts;
    if (!isCode(code) || code.protocol !== TAB_PROTOCOL || typeof memberId !== "string") {
      const answer: ConnectionAnswer = { kind: "unsupported", code: own.code };
      port.post(answer);
      // It will try again and again: nothing of it is to stay here.
      port.close();
      return undefined;
    }
    const server = new DataServer(own.engine, port, false);
    const served = { port, memberId, server, gone: new AbortController() };
    this.#served.add(served);
    const { epoch, leaderId } = own;
    const answer: ConnectionAnswer = { kind: "welcome", code: own.code, epoch, leaderId };
    port.post(answer);
    void this.#watch(served);
    return served;
  }

  /** The lock that a context holds for as long as it lives is free when it died. */
  async #watch(served: Served): Promise<void> {
    const { name, locks } = this.#parts;
    const wish = { mode: "shared", signal: served.gone.signal } as const;
    try {
      const lock = await locks.acquire(memberLockName(name, served.memberId), wish);
      lock.release();
      this.#forget(served);
    } catch {
      // The connection ended first; or locks are not to be had, and the context is believed to live.
    }
  }

  #forget(served: Served): void {
    this.#served.delete(served);
    served.gone.abort();
    served.server.stop();
    served.port.close();
  }
}

/** Answers a connection that reached a context which does not lead. */
export function refuseConnection(port: Port): void {
  const answer: ConnectionAnswer = { kind: "not-leading" };
  port.post(answer);
  port.close();
}
