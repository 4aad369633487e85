/**
 * The service worker recipe: an unmodified AWS client in a page talks to the page's own engine.
 *
 * In the service worker: `answerKinesisRequests(self)`. In the page, once the engine is open:
 * `serveServiceWorker(millrace)`. A worker forgets its pages whenever the browser ends it, so it asks them
 * again when a request comes.
 */
import { clientOf } from "../client-of.ts";
import type { Millrace } from "../millrace.ts";
import { createFetchHandler } from "./fetch-handler.ts";
import { PortFetch } from "./port-fetch.ts";
import { HELLO, isHello } from "./port-messages.ts";
import { faceOf } from "./request-handler.ts";
import { servePort } from "./serve-port.ts";

/** Hosts of Kinesis, with an account's prefix, in every region and partition. */
const KINESIS_HOST = /(^|[.-])kinesis(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|api\.aws)$/;
/** How long a request waits for a page that answers for it, in ms. */
const CONNECT_MS = 5000;

/** A page, as a service worker sees it. */
interface WorkerClient {
  readonly id: string;
  postMessage(message: unknown): void;
}

/** What of a service worker's global scope is used. */
export interface ServiceWorkerScope {
  readonly location: { readonly origin: string };
  readonly clients: {
    matchAll(options: {
      readonly type: "window";
      readonly includeUncontrolled: boolean;
    }): Promise<readonly WorkerClient[]>;
  };
  addEventListener(type: "fetch" | "message", listener: (event: Event) => void): void;
}

interface FetchEventLike extends Event {
  readonly request: Request;
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}

interface MessageEventLike extends Event {
  readonly data: unknown;
  readonly origin: string;
  readonly ports: readonly MessagePort[];
  readonly source: { readonly id?: string } | null;
}

/** Pages that answer, by the id of their client. */
class Pages {
  readonly #scope: ServiceWorkerScope;
  readonly #connected = new Map<string, PortFetch>();
  readonly #waiting = new Set<() => void>();

  constructor(scope: ServiceWorkerScope) {
    this.#scope = scope;
  }

  /** A page brought a port. */
  connect(id: string, port: MessagePort): void {
    this.#connected.set(id, new PortFetch(port));
    for (const wake of [...this.#waiting]) wake();
  }

  /** The page itself when it has an engine, or else any page that has one. */
  async find(clientId: string): Promise<PortFetch | undefined> {
    const pages = await this.#scope.clients.matchAll({ type: "window", includeUncontrolled: true });
    const alive = new Set(pages.map(({ id }) => id));
    for (const id of this.#connected.keys()) if (!alive.has(id)) this.#connected.delete(id);
    const known = this.#known(clientId);
    if (known !== undefined) return known;
    const connected = new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      // A service worker has no engine, and so no clock of the engine's either.
      AbortSignal.timeout(CONNECT_MS).addEventListener("abort", wake, { once: true });
    });
    for (const page of pages) page.postMessage({ millrace: HELLO });
    await connected;
    return this.#known(clientId);
  }

  #known(clientId: string): PortFetch | undefined {
    return this.#connected.get(clientId) ?? this.#connected.values().next().value;
  }
}

/**
 * Makes a service worker answer every request to Kinesis of its pages by an engine that is open in one of
 * them. Messages of other origins are ignored.
 */
export function answerKinesisRequests(scope: ServiceWorkerScope): void {
  const pages = new Pages(scope);
  scope.addEventListener("message", (event) => {
    const { data, origin, ports, source } = event as MessageEventLike;
    const [port] = ports;
    const trusted = origin === scope.location.origin && source?.id !== undefined;
    if (trusted && isHello(data) && port !== undefined) pages.connect(source.id, port);
  });
  scope.addEventListener("fetch", (event) => {
    const intercepted = event as FetchEventLike;
    const { request, clientId } = intercepted;
    if (KINESIS_HOST.test(new URL(request.url).hostname)) {
      intercepted.respondWith(answerBy(pages, clientId, request));
    }
  });
}

async function answerBy(pages: Pages, clientId: string, request: Request): Promise<Response> {
  const page = await pages.find(clientId);
  if (page !== undefined) return await page.fetch(request);
  const message =
    "No page of this origin serves an engine: call serveServiceWorker(millrace) in one.";
  return new Response(JSON.stringify({ __type: "ServiceUnavailable", message }), {
    status: 503,
    headers: { "content-type": "application/x-amz-json-1.1" },
  });
}

/** Answers what the page's service worker intercepts; the returned function ends it. */
export function serveServiceWorker(
  millrace: Millrace,
  container: ServiceWorkerContainer = navigator.serviceWorker,
): () => void {
  const handler = createFetchHandler(faceOf(clientOf(millrace)));
  const stops = new Set<() => void>();
  const connect = (worker: {
    postMessage(message: unknown, transfer: Transferable[]): void;
  }): void => {
    const { port1, port2 } = new MessageChannel();
    stops.add(servePort(port1, handler));
    worker.postMessage({ millrace: HELLO }, [port2]);
  };
  const listener = ({ data, origin, source }: MessageEvent): void => {
    const trusted = origin === globalThis.location.origin && source instanceof ServiceWorker;
    if (trusted && isHello(data)) connect(source);
  };
  container.addEventListener("message", listener);
  container.startMessages();
  if (container.controller !== null) connect(container.controller);
  return () => {
    container.removeEventListener("message", listener);
    for (const stop of stops) stop();
  };
}
