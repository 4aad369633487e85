/** Opens an engine from a page: starts its worker, connects, and hands out the client. */
import { systemClock } from "../platform/system-clock.ts";
import { systemRandom } from "../platform/system-random.ts";
import { type BrokerSource, connectBroker } from "./broker-source.ts";
import type { EngineClient } from "./client.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import type { WasmLocation } from "./messages.ts";
import { PageLife } from "./page-life.ts";
import type { EngineThread } from "./thread.ts";
import { startWorker, type WorkerSource } from "./worker-thread.ts";

/** What a page opens an engine with. */
export interface OpenEngineOptions extends ConnectOptions {
  /** The engine's worker; the package's own when absent. */
  readonly worker?: WorkerSource | undefined;
  /** The port broker, by which tabs find each other; the package's own when absent. */
  readonly broker?: BrokerSource | undefined;
  /** The core; the package's own when absent. Relative URLs are the page's. */
  readonly wasm?: string | URL | undefined;
}

function locateCore(wasm: string | URL | undefined): WasmLocation {
  if (wasm !== undefined) {
    const url = new URL(wasm, globalThis.location?.href).href;
    return { simd: url, scalar: url };
  }
  try {
    // Absolute, because a worker may have another base than the page.
    return {
      simd: new URL("../../wasm/core.wasm", import.meta.url).href,
      scalar: new URL("../../wasm/core.scalar.wasm", import.meta.url).href,
    };
  } catch {
    // A classic script does not know where it is. The worker finds nothing there, and says so.
    return { simd: "unknown:core.wasm", scalar: "unknown:core.wasm" };
  }
}

/** localStorage, where this page may use it. */
function pageStorage(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

/**
 * Opens an engine in a worker of its own. An engine in IndexedDB is one for all tabs of the origin: one
 * worker writes, and the others send to it. It outlives its workers; one in memory ends with its own.
 *
 * @throws WorkerLoadError, WasmLoadError, VersionMismatchError, DeadlineError when it cannot be started.
 * @throws StorageUnavailableError, UnsupportedFormatError, InvalidArgumentError; the signal's reason.
 */
export async function openEngine(options: OpenEngineOptions): Promise<EngineClient> {
  options.signal?.throwIfAborted();
  const wasm = locateCore(options.wasm);
  const start = (): EngineThread => startWorker(options.worker);
  if (options.storage !== "indexeddb") return await connect(start(), wasm, options);
  const broker = (): MessagePort | undefined => connectBroker(options.broker);
  // Where the caller is a worker itself, there is no page that ends: it just dies.
  const life = !("document" in globalThis)
    ? undefined
    : new PageLife({
        engineName: options.name,
        events: globalThis,
        storage: pageStorage(),
        clock: options.clock ?? systemClock,
        random: options.random ?? systemRandom,
        connectBroker: broker,
      });
  return await connect(start(), wasm, { ...options, restart: start, connectBroker: broker, life });
}
