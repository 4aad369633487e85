/** Opens an engine in this thread, as in Node. Loaded where there are no workers. */
import { type EngineClient, type EngineOptions, StorageUnavailableError } from "@millrace/engine";

/** What only an engine in this thread is opened with. */
export interface OpenHereOptions {
  readonly directory?: string;
  readonly wasm?: string | URL;
  readonly signal?: AbortSignal;
}

/** @throws StorageUnavailableError for what only browsers have; what the engine throws. */
export async function openHere(
  engine: EngineOptions,
  options: OpenHereOptions,
): Promise<EngineClient> {
  if (engine.storage === "indexeddb") {
    throw new StorageUnavailableError(
      'storage "indexeddb" needs a browser with workers; here storage "memory" and "file" work',
      { argument: "storage", value: engine.storage, limit: '"memory" or "file"' },
    );
  }
  // Bundlers for pages must not follow this import: pages have workers, and no files to read. One that could
  // work the name out would bundle Node's engine, or stop at Node's modules.
  const specifier = ["@millrace/engine", "local"].join("/");
  const local: typeof import("@millrace/engine/local") = await import(
    /* @vite-ignore */ /* webpackIgnore: true */ specifier
  );
  const { directory, wasm, signal } = options;
  return await local.openLocal({ ...engine, directory, wasm, signal });
}
