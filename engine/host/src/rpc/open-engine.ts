/** Opens an engine from a page: starts its worker, connects, and hands out the client. */
import type { EngineClient } from "./client.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import type { WasmLocation } from "./messages.ts";
import { startWorker, type WorkerSource } from "./worker-thread.ts";

/** What a page opens an engine with. */
export interface OpenEngineOptions extends ConnectOptions {
  /** The engine's worker; the package's own when absent. */
  readonly worker?: WorkerSource | undefined;
  /** The core; the package's own when absent. Relative URLs are the page's. */
  readonly wasm?: string | URL | undefined;
}

function locateCore(wasm: string | URL | undefined): WasmLocation {
  if (wasm !== undefined) {
    const url = new URL(wasm, globalThis.location?.href).href;
    return { simd: url, scalar: url };
  }
  // Absolute, because a worker may have another base than the page.
  return {
    simd: new URL("../../wasm/core.wasm", import.meta.url).href,
    scalar: new URL("../../wasm/core.scalar.wasm", import.meta.url).href,
  };
}

/**
 * Opens an engine in a worker of its own.
 *
 * @throws WorkerLoadError, WasmLoadError, VersionMismatchError, DeadlineError when it cannot be started.
 * @throws EngineInUseError when another tab, worker or process holds the engine.
 * @throws StorageUnavailableError, UnsupportedFormatError, InvalidArgumentError; the signal's reason.
 */
export async function openEngine(options: OpenEngineOptions): Promise<EngineClient> {
  options.signal?.throwIfAborted();
  const wasm = locateCore(options.wasm);
  return await connect(startWorker(options.worker), wasm, options);
}
