/** The engine's end of a data port: of its own page, or of another context. */
import { serializeError } from "../errors/index.ts";
import type { Port } from "../platform/platform.ts";
import type { ControlOperations, EngineService } from "../service/engine-service.ts";
import type { DataAnswer, DataRequest } from "./messages.ts";

/** Answers requests over one port. */
export class DataServer {
  readonly #engine: EngineService;
  readonly #port: Port;
  readonly #recycles: boolean;
  readonly #reads = new Map<number, AbortController>();
  #stopped = false;

  /** With `recycles` the buffers of puts go back to where they came from. */
  constructor(engine: EngineService, port: Port, recycles: boolean) {
    this.#engine = engine;
    this.#port = port;
    this.#recycles = recycles;
  }

  /** Takes a request. */
  take(message: DataRequest): void {
    if (message.kind === "put") void this.#put(message);
    else if (message.kind === "read") void this.#read(message);
    else if (message.kind === "call") void this.#control(message);
    else if (message.kind === "epoch") void this.#epoch(message);
    else if (message.kind === "cancel") this.#reads.get(message.id)?.abort();
  }

  /** Cancels the reads under way, and answers nothing more. */
  stop(): void {
    this.#stopped = true;
    for (const read of this.#reads.values()) read.abort();
  }

  #answer(message: DataAnswer, transfer: ArrayBuffer[] = []): void {
    if (!this.#stopped) this.#port.post(message, transfer);
  }

  async #put(message: Extract<DataRequest, { kind: "put" }>): Promise<void> {
    const { id, buffer, call, order } = message;
    try {
      const result = await this.#engine.put(buffer, call, order);
      if (this.#recycles) this.#answer({ id, result, recycled: buffer }, [result, buffer]);
      else this.#answer({ id, result }, [result]);
    } catch (error) {
      this.#answer({ id, error: serializeError(error) });
    }
  }

  async #epoch(message: Extract<DataRequest, { kind: "epoch" }>): Promise<void> {
    const { id, commit, outputs } = message;
    try {
      this.#answer({ id, value: await this.#engine.commitEpoch(commit, outputs) });
    } catch (error) {
      this.#answer({ id, error: serializeError(error) });
    }
  }

  async #read({ id, request }: Extract<DataRequest, { kind: "read" }>): Promise<void> {
    const controller = new AbortController();
    this.#reads.set(id, controller);
    try {
      const slice = await this.#engine.read(request, controller.signal);
      this.#answer({ id, slice }, [slice]);
    } catch (error) {
      // Nobody waits for the answer to a read that was cancelled.
      if (!controller.signal.aborted) this.#answer({ id, error: serializeError(error) });
    } finally {
      this.#reads.delete(id);
    }
  }

  async #control(message: Extract<DataRequest, { kind: "call" }>): Promise<void> {
    const { id, operation, argument, again } = message;
    try {
      // Whoever sent it is of our own code, or of one that speaks the same protocol.
      const name = operation as keyof ControlOperations;
      const known = argument as Parameters<ControlOperations[typeof name]>[0];
      this.#answer({ id, value: await this.#engine.call(name, known, again) });
    } catch (error) {
      this.#answer({ id, error: serializeError(error) });
    }
  }
}

/** Answers the requests of a page until its port closes. */
export function serveData(engine: EngineService, port: Port): void {
  const server = new DataServer(engine, port, true);
  port.listen((message) => server.take(message as DataRequest));
}
