/**
 * One port for HTTP/1.1 and HTTP/2. With TLS the two are agreed upon by ALPN; without, clients that speak
 * HTTP/2 say so with their first bytes.
 */
import { Buffer } from "node:buffer";
import { createServer as createHttp1, type Server as Http1Server } from "node:http";
import {
  createServer as createHttp2,
  createSecureServer,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Session,
} from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import {
  type CallHandler,
  type ExchangeLimits,
  type ExchangeParts,
  exchange,
  type NodeRequest,
  type NodeResponse,
} from "./exchange.ts";
import { type Clock, within } from "./time.ts";

/** Certificate and key in PEM. */
export interface TlsFiles {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
}

/** How long clients may take, in ms. */
export interface ListenerLimits extends ExchangeLimits {
  /** For the first bytes of a connection, and for the headers of a request. */
  readonly headersMs: number;
  /** Between two requests. */
  readonly idleMs: number;
  /** For requests under way when the server stops. */
  readonly stopMs: number;
}

/** Limits that honest clients do not meet. */
export const LISTENER_LIMITS: ListenerLimits = {
  headersMs: 20_000,
  bodyMs: 60_000,
  drainMs: 60_000,
  idleMs: 600_000,
  stopMs: 10_000,
};

/** Where and how to listen. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly tls: TlsFiles | undefined;
  readonly handle: CallHandler;
  readonly clock: Clock;
  readonly limits: ListenerLimits;
}

/** A port that is listened on. */
export interface Listener {
  readonly port: number;
  /** Lets requests under way come to their end, ends event streams, and closes all connections. */
  close(): Promise<void>;
}

/** Every method of HTTP/1.1 begins otherwise; the whole preface is `PRI * HTTP/2.0`. */
const HTTP2_PREFACE = "PRI";
const KEEP_ALIVE_PROBE_MS = 60_000;
/** Time for the last bytes to leave. */
const FLUSH_MS = 500;

/** Requests are up to 16 MiB, and many may be under way in one session. */
const HTTP2_OPTIONS = {
  settings: { initialWindowSize: 16_777_216, maxConcurrentStreams: 1000 },
  maxSessionMemory: 512,
};
const SESSION_WINDOW_BYTES = 67_108_864;

/** Listens. @throws the system's error when the port is taken. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const connections = new Connections(options);
  const server = options.tls === undefined ? plain(connections) : secure(connections, options.tls);
  server.on("connection", (socket: Socket) => connections.keep(socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port }, resolve);
  });
  // A connection that cannot be accepted, as without a free file descriptor, is no reason to end.
  server.on("error", () => undefined);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { port: address.port, close: () => connections.close(server) };
}

function plain(connections: Connections): Server {
  const http1 = createHttp1();
  const http2 = createHttp2(HTTP2_OPTIONS);
  connections.serveHttp1(http1);
  connections.serveHttp2(http2);
  // It does not listen itself, but its timeouts begin to be watched with this event.
  http1.emit("listening");
  const server = createServer({ noDelay: true }, (socket) => {
    const chooses = connections.limits.headersMs;
    socket.setTimeout(chooses, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    chooseProtocol(socket, (isHttp2) => {
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      (isHttp2 ? http2 : http1).emit("connection", socket);
      // A session of HTTP/2 reads by itself what was put back.
      if (!isHttp2) socket.resume();
    });
  });
  server.once("close", () => http1.close());
  return server;
}

function secure(connections: Connections, { cert, key }: TlsFiles): Server {
  const server = createSecureServer({
    ...HTTP2_OPTIONS,
    cert: pem(cert),
    key: pem(key),
    allowHTTP1: true,
    handshakeTimeout: connections.limits.headersMs,
  });
  connections.serveHttp2(server);
  // Its part for HTTP/1.1 knows these settings, though its type does not.
  return Object.assign(server, connections.http1Timeouts);
}

/** A file in PEM as text. */
export function pem(content: string | Uint8Array): string {
  return typeof content === "string" ? content : new TextDecoder().decode(content);
}

/** Looks at the first bytes of a connection and puts them back. */
function chooseProtocol(socket: Socket, choose: (isHttp2: boolean) => void): void {
  const seen: Uint8Array[] = [];
  const onData = (chunk: Uint8Array): void => {
    seen.push(chunk);
    const start = Buffer.concat(seen);
    const text = start.toString("latin1", 0, HTTP2_PREFACE.length);
    if (HTTP2_PREFACE.startsWith(text) && text !== HTTP2_PREFACE) return;
    socket.off("data", onData);
    socket.pause();
    socket.unshift(start);
    choose(text === HTTP2_PREFACE);
  };
  socket.on("data", onData);
}

/** All that is open: sockets, sessions, and exchanges under way. */
class Connections {
  readonly limits: ListenerLimits;
  readonly #clock: Clock;
  readonly #parts: ExchangeParts;
  readonly #stop = new AbortController();
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<Http2Session>();
  readonly #exchanges = new Set<Promise<void>>();
  #http1: Http1Server | undefined;

  constructor({ handle, clock, limits }: ListenerOptions) {
    this.limits = limits;
    this.#clock = clock;
    this.#parts = { handle, clock, limits, stopping: this.#stop.signal };
  }

  /** Settings of a server for HTTP/1.1. */
  get http1Timeouts() {
    const { headersMs, bodyMs, idleMs } = this.limits;
    return {
      headersTimeout: headersMs,
      requestTimeout: headersMs + bodyMs,
      keepAliveTimeout: idleMs,
    };
  }

  keep(socket: Socket): void {
    this.#sockets.add(socket);
    // Finds out about clients that are gone without a word.
    socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  serveHttp1(server: Http1Server): void {
    this.#http1 = server;
    Object.assign(server, this.http1Timeouts);
    server.on("request", (request, response) => this.#begin(request, response));
  }

  /** A server of HTTP/2, which under TLS serves HTTP/1.1, too. */
  serveHttp2(server: Http2Server): void {
    server.on("session", (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      session.setLocalWindowSize(SESSION_WINDOW_BYTES);
      session.setTimeout(this.limits.idleMs, () => session.close());
      session.once("close", () => this.#sessions.delete(session));
      // Its streams fail with it, and nobody else needs to know.
      session.on("error", () => session.destroy());
    });
    server.on("sessionError", () => undefined);
    server.on("request", (request: NodeRequest, response: NodeResponse) => {
      this.#begin(request, response);
    });
  }

  async close(server: Server): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.#stop.abort(new Error("the server stops"));
    for (const session of this.#sessions) session.close();
    this.#http1?.closeIdleConnections();
    await this.#inTime(this.limits.stopMs, Promise.allSettled([...this.#exchanges]));
    for (const session of this.#sessions) session.close();
    this.#http1?.closeIdleConnections();
    await this.#inTime(FLUSH_MS, closed);
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #begin(request: NodeRequest, response: NodeResponse): void {
    // Errors of a connection show in what the exchange does; unheard, they would end the process.
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    const running = exchange(request, response, this.#parts);
    this.#exchanges.add(running);
    void running.finally(() => this.#exchanges.delete(running));
  }

  async #inTime(limitMs: number, promise: Promise<unknown>): Promise<void> {
    const late = new Error("it took too long");
    await within(this.#clock, limitMs, promise, () => late).catch(() => undefined);
  }
}
