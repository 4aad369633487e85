/** The engine of a leader in another context: requests and answers over one connection. */
import { EngineClosedError, reviveError } from "../errors/index.ts";
import type { Port } from "../platform/platform.ts";
import type { DataAnswer, DataRequest } from "../rpc/messages.ts";
import type {
  BatchOrder,
  CallContext,
  ControlOperations,
  EngineService,
  EpochAnswer,
  EpochCommit,
  ReadRequest,
} from "../service/engine-service.ts";

interface Pending {
  readonly resolve: (answer: DataAnswer) => void;
  readonly reject: (reason: unknown) => void;
}

/** See {@link EngineService}. A request whose connection is lost stays pending: its target ends it. */
export class RemoteEngine implements EngineService {
  readonly #port: Port;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(port: Port) {
    this.#port = port;
  }

  /** Takes an answer. Whatever answers nothing that is under way is ignored. */
  take(answer: DataAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (answer.error === undefined) pending?.resolve(answer);
    else pending?.reject(reviveError(answer.error));
  }

  async call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
    again = false,
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    const id = this.#nextId();
    const { value } = await this.#ask({ id, kind: "call", operation, argument, again });
    return value as ReturnType<ControlOperations[Operation]>;
  }

  /** A copy is sent: the original may be needed again. */
  async put(batch: ArrayBuffer, call?: CallContext, order?: BatchOrder): Promise<ArrayBuffer> {
    const buffer = batch.slice(0);
    const answer = await this.#ask({ id: this.#nextId(), kind: "put", buffer, call, order }, [
      buffer,
    ]);
    return required(answer.result);
  }

  /** Copies are sent: the originals may be needed again. */
  async commitEpoch(commit: EpochCommit, outputs: readonly ArrayBuffer[]): Promise<EpochAnswer> {
    const copies = outputs.map((output) => output.slice(0));
    const message = { id: this.#nextId(), kind: "epoch", commit, outputs: copies } as const;
    return (await this.#ask(message, copies)).value as EpochAnswer;
  }

  async read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer> {
    signal.throwIfAborted();
    const id = this.#nextId();
    const abort = (): void => {
      this.#post({ id, kind: "cancel" });
      this.#pending.get(id)?.reject(signal.reason);
      this.#pending.delete(id);
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      return required((await this.#ask({ id, kind: "read", request })).slice);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Ends the connection; the engine goes on. */
  async close(): Promise<void> {
    this.#port.close();
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #ask(
    message: Exclude<DataRequest, { kind: "cancel" }>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<DataAnswer> {
    return new Promise((resolve, reject) => {
      this.#pending.set(message.id, { resolve, reject });
      this.#post(message, transfer);
    });
  }

  #post(message: DataRequest, transfer: readonly ArrayBuffer[] = []): void {
    this.#port.post(message, transfer);
  }
}

/** A leader that answers with something else speaks no protocol of ours: another one must be asked. */
function required(buffer: ArrayBuffer | undefined): ArrayBuffer {
  if (buffer !== undefined) return buffer;
  throw new EngineClosedError("the leader's answer does not fit the request");
}
