/** The engine's end of the data port. */
import { serializeError } from "../errors/index.ts";
import type { EngineService } from "../service/engine-service.ts";
import type { DataAnswer, DataRequest } from "./messages.ts";

/** Answers puts and reads of one page until the port closes. */
export function serveData(engine: EngineService, port: MessagePort): void {
  const reads = new Map<number, AbortController>();

  function answer(message: DataAnswer, transfer: Transferable[]): void {
    port.postMessage(message, transfer);
  }

  async function put(message: Extract<DataRequest, { kind: "put" }>): Promise<void> {
    const { id, buffer, call } = message;
    try {
      const result = await engine.put(buffer, call);
      answer({ id, result, recycled: buffer }, [result, buffer]);
    } catch (error) {
      answer({ id, error: serializeError(error) }, []);
    }
  }

  async function read(request: Extract<DataRequest, { kind: "read" }>): Promise<void> {
    const { id } = request;
    const controller = new AbortController();
    reads.set(id, controller);
    try {
      const slice = await engine.read(request.request, controller.signal);
      answer({ id, slice }, [slice]);
    } catch (error) {
      // Nobody waits for the answer to a read that was cancelled.
      if (!controller.signal.aborted) answer({ id, error: serializeError(error) }, []);
    } finally {
      reads.delete(id);
    }
  }

  port.addEventListener("message", (event: MessageEvent<DataRequest>) => {
    const message = event.data;
    if (message.kind === "put") void put(message);
    else if (message.kind === "read") void read(message);
    else reads.get(message.id)?.abort();
  });
  port.start();
}
