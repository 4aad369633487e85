/** The page's half of the service worker recipe: answers what comes over a port with a fetch handler. */
import { EVENT_STREAM_TYPE } from "./codec/event-stream.ts";
import type { FetchHandler } from "./fetch-handler.ts";
import type { PageMessage, WorkerMessage } from "./port-messages.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type RequestMessage = Extract<WorkerMessage, { kind: "request" }>;

/** Answers requests until the returned function is called, which leaves what is under way. */
export function servePort(port: MessagePort, handler: FetchHandler): () => void {
  const server = new PortServer(port, handler);
  return () => server.stop();
}

/** The message's request, which an abort of the signal gives up. */
function requestOf({ url, method, headers, body }: RequestMessage, signal: AbortSignal): Request {
  const init = {
    method,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
    signal,
  };
  return new Request(url, method === "GET" || method === "HEAD" ? init : { ...init, body });
}

/** Requests under way over one port. */
class PortServer {
  readonly #port: MessagePort;
  readonly #handler: FetchHandler;
  readonly #calls = new Map<number, AbortController>();
  /** Answers that are streams, by the id of their request. */
  readonly #streams = new Map<number, Reader>();
  readonly #listener = ({ data }: MessageEvent<WorkerMessage>): void => {
    if (data.kind === "request") void this.#answer(data);
    else if (data.kind === "pull") void this.#pull(data.id);
    else this.#cancel(data.id);
  };

  constructor(port: MessagePort, handler: FetchHandler) {
    this.#port = port;
    this.#handler = handler;
    port.addEventListener("message", this.#listener);
    // Where the platform tells that the worker was ended, its subscriptions end with it.
    port.addEventListener("close", () => this.stop());
    port.start();
  }

  /** Gives up what is under way, and closes the port. */
  stop(): void {
    this.#port.removeEventListener("message", this.#listener);
    for (const id of [...this.#calls.keys()]) this.#cancel(id);
    this.#port.close();
  }

  #send(message: PageMessage, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  async #answer(message: RequestMessage): Promise<void> {
    const { id } = message;
    const controller = new AbortController();
    this.#calls.set(id, controller);
    try {
      const response = await this.#handler(requestOf(message, controller.signal));
      const { status, headers, body } = response;
      const head = { id, kind: "answer", status, headers: [...headers] } as const;
      if (headers.get("content-type") === EVENT_STREAM_TYPE && body !== null) {
        this.#streams.set(id, body.getReader());
        this.#send(head);
        return;
      }
      const bytes = await response.arrayBuffer();
      this.#calls.delete(id);
      this.#send({ ...head, body: bytes }, [bytes]);
    } catch (error) {
      this.#fail(id, error);
    }
  }

  async #pull(id: number): Promise<void> {
    try {
      const next = await this.#streams.get(id)?.read();
      if (next === undefined || next.done) {
        this.#forget(id);
        this.#send({ id, kind: "end" });
        return;
      }
      // A copy, so that what it is a view of is not transferred with it.
      const chunk = next.value.slice();
      this.#send({ id, kind: "chunk", chunk }, [chunk.buffer]);
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #fail(id: number, error: unknown): void {
    this.#forget(id);
    this.#send({ id, kind: "failed", message: String(error) });
  }

  #forget(id: number): void {
    this.#streams.delete(id);
    this.#calls.delete(id);
  }

  #cancel(id: number): void {
    const stream = this.#streams.get(id);
    this.#calls.get(id)?.abort();
    this.#forget(id);
    stream?.cancel().catch(() => undefined);
  }
}
