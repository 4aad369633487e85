/**
 * The worker's half: waits for a page's hello, opens the engine and serves it over the two ports.
 *
 * The listener is attached before anything is awaited, so that no hello is missed.
 */
import { expose, transfer } from "comlink";
import {
  CoreMemoryError,
  CoreModuleError,
  CoreTrapError,
  DamagedSegmentError,
} from "../core/core-errors.ts";
import { registerError, serializeError } from "../errors/index.ts";
import { portOf } from "../platform/browser-channels.ts";
import type { Platform } from "../platform/platform.ts";
import type { AttachOperations } from "../service/attach-operations.ts";
import type { ControlOperations, EngineOptions, EngineService } from "../service/engine-service.ts";
import { openImporter } from "../service/importer.ts";
import { Attachments } from "./attachments.ts";
import { serveData } from "./data-server.ts";
import {
  type ControlAnswer,
  type Hello,
  type HelloAnswer,
  isHello,
  type WasmLocation,
} from "./messages.ts";
import { BUILD_ID, checkCounterpart, PROTOCOL, VERSION } from "./version.ts";

/** What a server is made of. */
export interface ServerParts {
  readonly platform: Platform;
  /** @throws WasmLoadError. */
  loadCore(wasm: WasmLocation): Promise<WebAssembly.Module>;
  /** `broker` is the way to the port broker that the page has. */
  createEngine(
    platform: Platform,
    core: WebAssembly.Module,
    options: EngineOptions,
    broker?: MessagePort,
  ): Promise<EngineService>;
}

/** Where hellos come in and answers go out: a worker's global scope, or a port. */
export interface ServerScope {
  addEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
  postMessage(message: HelloAnswer): void;
}

/** A server that was attached. */
export interface Server {
  /** Closes the engine, if there is one, and serves no further page. */
  stop(): Promise<void>;
}

// Minified, these classes would have no telling name when they reach a page.
registerError("CoreMemoryError", CoreMemoryError);
registerError("CoreModuleError", CoreModuleError);
registerError("CoreTrapError", CoreTrapError);
registerError("DamagedSegmentError", DamagedSegmentError);

async function runControl(
  engine: EngineService,
  operation: string,
  argument: unknown,
  again: boolean,
  attachments?: Attachments,
): Promise<ControlAnswer> {
  try {
    const own = attachments?.operations;
    if (own !== undefined && Object.hasOwn(own, operation)) {
      const attach: (argument: never) => unknown = own[operation as keyof AttachOperations];
      return { ok: true, value: await attach(argument as never) };
    }
    if (operation === "close") {
      await attachments?.stop();
      await engine.close();
      return { ok: true, value: null };
    }
    // Page and worker are of one build, so the page's types have checked both.
    const name = operation as keyof ControlOperations;
    const value = await engine.call(
      name,
      argument as Parameters<ControlOperations[typeof name]>[0],
      again,
    );
    const answer = { ok: true, value } as const;
    const moves = value instanceof Uint8Array && value.buffer instanceof ArrayBuffer;
    return moves ? transfer(answer, [value.buffer]) : answer;
  } catch (error) {
    return { ok: false, error: serializeError(error) };
  }
}

/** Attaches a server to a scope. It serves the first hello; a worker has one page. */
export function attachServer(scope: ServerScope, parts: ServerParts): Server {
  let engine: Promise<EngineService> | undefined;

  function say(millrace: "loaded" | "ready"): void {
    scope.postMessage({ millrace, protocol: PROTOCOL, version: VERSION, buildId: BUILD_ID });
  }

  async function open(hello: Hello): Promise<EngineService> {
    const core = await parts.loadCore(hello.wasm);
    const { options } = hello;
    const opened = options.importing
      ? await openImporter(parts.platform, core, options)
      : await parts.createEngine(parts.platform, core, options, hello.broker);
    const attachments = new Attachments(
      parts.platform.clock,
      opened,
      (attached) =>
        (operation, argument, again = false) =>
          runControl(attached, operation, argument, again),
    );
    expose(
      (operation: string, argument: unknown, again = false) =>
        runControl(opened, operation, argument, again, attachments),
      hello.control,
    );
    serveData(opened, portOf(hello.data));
    return opened;
  }

  async function greet(hello: Hello): Promise<void> {
    try {
      checkCounterpart("page", hello);
      say("loaded");
      engine = open(hello);
      // Held until the thread dies; without locks its death is not noticed so soon.
      const { life } = hello;
      const held =
        life === undefined ? undefined : parts.platform.locks.acquire(life).catch(() => undefined);
      // Together: an engine that does not open is told at once, whatever becomes of the lock.
      await Promise.all([engine, held]);
      say("ready");
    } catch (error) {
      scope.postMessage({ millrace: "failed", error: serializeError(error) });
    }
  }

  scope.addEventListener("message", (event) => {
    if (engine === undefined && isHello(event.data)) void greet(event.data);
  });

  return {
    stop: async () => {
      const opened = await engine?.catch(() => undefined);
      await opened?.close();
    },
  };
}
