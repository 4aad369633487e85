/** An engine's server in the caller's own thread: the protocol over a port instead of a worker. */
import { portsOf } from "./messages.ts";
import { attachServer, type ServerParts } from "./server.ts";
import type { EngineThread } from "./thread.ts";

/** A server on one end of a channel as a thread. Its port is closed, and its engine, by terminate(). */
export function localThread(parts: ServerParts): EngineThread {
  const { port1, port2 } = new MessageChannel();
  const server = attachServer(
    {
      addEventListener: (type, listener) => port2.addEventListener(type, listener),
      postMessage: (message) => port2.postMessage(message),
    },
    parts,
  );
  port2.start();
  return {
    url: "this thread",
    greet: (hello) => port1.postMessage(hello, portsOf(hello)),
    onMessage: (listener) => {
      port1.addEventListener("message", (event: MessageEvent<unknown>) => listener(event.data));
      port1.start();
    },
    // A thread that hosts itself does not outlive its failure.
    onFailure: () => undefined,
    terminate: () => {
      void server.stop().finally(() => {
        port1.close();
        port2.close();
      });
    },
  };
}
