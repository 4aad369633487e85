/** The service worker's half of the recipe: sends intercepted requests over a port and streams the answers. */
import type { PageMessage, WorkerMessage } from "./port-messages.ts";

interface Exchange {
  readonly answered: (response: Response) => void;
  readonly refused: (error: Error) => void;
  controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Settles the pull that is under way. */
  pulled: (() => void) | undefined;
}

/** Requests over one port to one page. */
export class PortFetch {
  readonly #port: MessagePort;
  readonly #exchanges = new Map<number, Exchange>();
  #lastId = 0;

  /** The port is its own from then on. */
  constructor(port: MessagePort) {
    this.#port = port;
    port.addEventListener("message", ({ data }: MessageEvent<PageMessage>) => this.#receive(data));
    // Where the platform tells that a page is gone, nobody waits for its answers any more.
    port.addEventListener("close", () => this.#failAll());
    port.start();
  }

  /** Sends a request and resolves with its answer. @throws TypeError, as `fetch` does, when the connection is dropped. */
  async fetch(request: Request): Promise<Response> {
    const body = await request.arrayBuffer();
    this.#lastId += 1;
    const id = this.#lastId;
    const { url, method, headers, signal } = request;
    return await new Promise((answered, refused) => {
      this.#exchanges.set(id, { answered, refused, controller: undefined, pulled: undefined });
      const abort = (): void => {
        this.#cancel(id);
        refused(signal.reason);
      };
      if (signal.aborted) {
        // What was never sent need not be taken back.
        this.#exchanges.delete(id);
        refused(signal.reason);
        return;
      }
      signal.addEventListener("abort", abort, { once: true });
      this.#send({ id, kind: "request", url, method, headers: [...headers], body }, [body]);
    });
  }

  #send(message: WorkerMessage, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  #cancel(id: number): void {
    if (this.#exchanges.delete(id)) this.#send({ id, kind: "cancel" });
  }

  #failAll(): void {
    for (const id of [...this.#exchanges.keys()]) {
      this.#receive({ id, kind: "failed", message: "the page that answers is gone" });
    }
  }

  #receive(message: PageMessage): void {
    const exchange = this.#exchanges.get(message.id);
    if (exchange === undefined) return;
    if (message.kind === "answer") {
      this.#answer(exchange, message);
      return;
    }
    const { controller } = exchange;
    if (message.kind === "chunk") controller?.enqueue(message.chunk);
    else this.#exchanges.delete(message.id);
    if (message.kind === "end") controller?.close();
    if (message.kind === "failed") {
      // The text by which clients know that a call may be repeated.
      const error = new TypeError("Failed to fetch", { cause: message.message });
      controller?.error(error);
      exchange.refused(error);
    }
    exchange.pulled?.();
  }

  #answer(exchange: Exchange, message: Extract<PageMessage, { kind: "answer" }>): void {
    const { id, status, body } = message;
    const headers = new Headers(
      message.headers.map(([name, value]): [string, string] => [name, value]),
    );
    if (body !== undefined) {
      this.#exchanges.delete(id);
      exchange.answered(new Response(status === 204 ? null : body, { status, headers }));
      return;
    }
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          exchange.controller = controller;
        },
        pull: () =>
          new Promise<void>((resolve) => {
            exchange.pulled = resolve;
            this.#send({ id, kind: "pull" });
          }),
        cancel: () => this.#cancel(id),
      },
      { highWaterMark: 0 },
    );
    exchange.answered(new Response(stream, { status, headers }));
  }
}
