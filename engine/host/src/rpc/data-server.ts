/** The engine's end of the data port. */
import { serializeError } from "../errors/index.ts";
import type { ControlOperations, EngineService } from "../service/engine-service.ts";
import type { DataAnswer, DataRequest } from "./messages.ts";

/** Answers puts and reads of one page until the port closes. */
export function serveData(engine: EngineService, port: MessagePort): void {
  const reads = new Map<number, AbortController>();

  function answer(message: DataAnswer, transfer: Transferable[]): void {
    port.postMessage(message, transfer);
  }

  async function put(message: Extract<DataRequest, { kind: "put" }>): Promise<void> {
    const { id, buffer, call, order } = message;
    try {
      const result = await engine.put(buffer, call, order);
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

  async function control(message: Extract<DataRequest, { kind: "call" }>): Promise<void> {
    const { id, operation, argument, again } = message;
    try {
      // Whoever sent it is of our own code, or of one that speaks the same protocol.
      const name = operation as keyof ControlOperations;
      const known = argument as Parameters<ControlOperations[typeof name]>[0];
      answer({ id, value: await engine.call(name, known, again) }, []);
    } catch (error) {
      answer({ id, error: serializeError(error) }, []);
    }
  }

  port.addEventListener("message", (event: MessageEvent<DataRequest>) => {
    const message = event.data;
    if (message.kind === "put") void put(message);
    else if (message.kind === "read") void read(message);
    else if (message.kind === "call") void control(message);
    else reads.get(message.id)?.abort();
  });
  port.start();
}
