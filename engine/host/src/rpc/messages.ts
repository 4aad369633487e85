/** What page and worker say to each other: the handshake, and the messages of the data port. */
import type { SerializedError } from "../errors/registry.ts";
import type {
  BatchOrder,
  CallContext,
  EngineOptions,
  EpochCommit,
  ReadRequest,
} from "../service/engine-service.ts";

/** Absolute URLs (paths in Node) of the core, by what the machine runs. */
export interface WasmLocation {
  readonly simd: string;
  readonly scalar: string;
}

/** First message of a page. Both ports are transferred. */
export interface Hello {
  readonly millrace: "hello";
  readonly protocol: number;
  readonly version: string;
  readonly buildId: string;
  readonly options: EngineOptions;
  readonly wasm: WasmLocation;
  /** The way to the port broker, when the page has one; transferred. See `leader/broker-protocol.ts`. */
  readonly broker?: MessagePort | undefined;
  /** Name of a lock that the worker holds for as long as it lives; where it is free, the worker is dead. */
  readonly life?: string | undefined;
  /** Comlink: one function `call(operation, argument)`. */
  readonly control: MessagePort;
  /** {@link DataRequest} and {@link DataAnswer}. */
  readonly data: MessagePort;
}

/** The ports of a hello, which are transferred with it. */
export function portsOf({ control, data, broker }: Hello): MessagePort[] {
  return broker === undefined ? [control, data] : [control, data, broker];
}

/** What a worker answers to a hello: `loaded` at once, then `ready` or `failed`. */
export type HelloAnswer =
  | {
      readonly millrace: "loaded" | "ready";
      readonly protocol: number;
      readonly version: string;
      readonly buildId: string;
    }
  | { readonly millrace: "failed"; readonly error: SerializedError };

/** Answer of the control function. */
export type ControlAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: SerializedError };

/**
 * The one function behind the control port; `close` closes the engine. `again`: it was asked of a worker
 * that is gone and may have taken effect there.
 */
export type ControlFunction = (
  operation: string,
  argument: unknown,
  again?: boolean,
) => Promise<ControlAnswer>;

/** From page to worker over the data port. Buffers are transferred. */
export type DataRequest =
  | {
      readonly id: number;
      readonly kind: "put";
      readonly buffer: ArrayBuffer;
      readonly call?: CallContext | undefined;
      readonly order?: BatchOrder | undefined;
    }
  | {
      /** See `EngineService.commitEpoch`; the answer's `value` is what it resolves with. */
      readonly id: number;
      readonly kind: "epoch";
      readonly commit: EpochCommit;
      readonly outputs: readonly ArrayBuffer[];
    }
  | {
      /** A control operation, where the port has no control port beside it: between contexts. */
      readonly id: number;
      readonly kind: "call";
      readonly operation: string;
      readonly argument: unknown;
      readonly again: boolean;
    }
  | { readonly id: number; readonly kind: "read"; readonly request: ReadRequest }
  | { readonly id: number; readonly kind: "cancel" };

/** From worker to page over the data port. Buffers are transferred; `recycled` is the put's own. */
export interface DataAnswer {
  readonly id: number;
  readonly result?: ArrayBuffer;
  readonly slice?: ArrayBuffer;
  readonly recycled?: ArrayBuffer;
  /** Answer of a control operation or an epoch. */
  readonly value?: unknown;
  readonly error?: SerializedError;
}

function isMessage(data: unknown): data is { readonly millrace: unknown } {
  return typeof data === "object" && data !== null && "millrace" in data;
}

/** Whether a message is a hello of any protocol. */
export function isHello(data: unknown): data is Hello {
  return isMessage(data) && data.millrace === "hello";
}

/** Whether a message is an answer to a hello; workers may post other things. */
export function isHelloAnswer(data: unknown): data is HelloAnswer {
  return (
    isMessage(data) &&
    (data.millrace === "loaded" || data.millrace === "ready" || data.millrace === "failed")
  );
}
