/** The page's half of the service worker recipe: answers what comes over a port with a fetch handler. */
import type { FetchHandler } from "./fetch-handler.ts";
import type { PageMessage, WorkerMessage } from "./port-messages.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Answers requests until the returned function is called, which leaves what is under way. */
export function servePort(port: MessagePort, handler: FetchHandler): () => void {
  const streams = new Map<number, Reader>();
  const calls = new Map<number, AbortController>();

  function send(message: PageMessage, transfer: Transferable[] = []): void {
    port.postMessage(message, transfer);
  }

  async function answer(message: Extract<WorkerMessage, { kind: "request" }>): Promise<void> {
    const { id, url, method, headers, body } = message;
    const controller = new AbortController();
    calls.set(id, controller);
    try {
      const init = {
        method,
        headers: headers.map(([name, value]): [string, string] => [name, value]),
      };
      const bodyInit = method === "GET" || method === "HEAD" ? {} : { body };
      const { signal } = controller;
      const response = await handler(new Request(url, { ...init, ...bodyInit, signal }));
      const head = {
        id,
        kind: "answer",
        status: response.status,
        headers: [...response.headers],
      } as const;
      const streamed =
        response.headers.get("content-type") === "application/vnd.amazon.eventstream";
      if (streamed && response.body !== null) {
        streams.set(id, response.body.getReader());
        send(head);
      } else {
        const bytes = await response.arrayBuffer();
        calls.delete(id);
        send({ ...head, body: bytes }, [bytes]);
      }
    } catch (error) {
      calls.delete(id);
      send({ id, kind: "failed", message: String(error) });
    }
  }

  async function pull(id: number): Promise<void> {
    try {
      const next = await streams.get(id)?.read();
      if (next === undefined || next.done) {
        forget(id);
        send({ id, kind: "end" });
      } else {
        // A copy, so that what it is a view of is not transferred with it.
        const chunk = next.value.slice();
        send({ id, kind: "chunk", chunk }, [chunk.buffer]);
      }
    } catch (error) {
      forget(id);
      send({ id, kind: "failed", message: String(error) });
    }
  }

  function forget(id: number): void {
    streams.delete(id);
    calls.delete(id);
  }

  function cancel(id: number): void {
    const stream = streams.get(id);
    calls.get(id)?.abort();
    forget(id);
    stream?.cancel().catch(() => undefined);
  }

  const listener = ({ data }: MessageEvent<WorkerMessage>): void => {
    if (data.kind === "request") void answer(data);
    else if (data.kind === "pull") void pull(data.id);
    else cancel(data.id);
  };
  port.addEventListener("message", listener);
  port.start();
  return () => {
    port.removeEventListener("message", listener);
    for (const id of [...calls.keys()]) cancel(id);
    port.close();
  };
}
