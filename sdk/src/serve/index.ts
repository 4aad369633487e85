/** Kinesis on a port, for every client that there is: an engine in this process behind HTTP/1.1 and HTTP/2. */
import { type EngineClient, EngineInUseError } from "@millrace/engine";
import { openLocal } from "@millrace/engine/local";
import { type CheckedServeOptions, checkServeOptions, type ServeOptions } from "./options.ts";
import { type KinesisServer, serveEngine } from "./server.ts";

export type { TlsFiles } from "./listener.ts";
export type { ServeOptions } from "./options.ts";
export type { KinesisServer } from "./server.ts";
export type { AccessKey } from "./signature.ts";

/** Name of the engine within its directory. */
const ENGINE_NAME = "kinesis";

/**
 * Starts a server.
 *
 * @throws InvalidArgumentError when an option is malformed, or the port cannot be listened on.
 * @throws EngineInUseError when another process has the directory's streams.
 * @throws StorageUnavailableError, UnsupportedFormatError, WasmLoadError.
 */
export async function serve(options: ServeOptions = {}): Promise<KinesisServer> {
  const checked = checkServeOptions(options);
  return await serveEngine(await openEngine(checked), checked);
}

async function openEngine(options: CheckedServeOptions): Promise<EngineClient> {
  const { directory, quotas, time, transitionMs, controlQuotas, memoryBudgetBytes, wasm } = options;
  try {
    return await openLocal({
      name: ENGINE_NAME,
      storage: directory === undefined ? "memory" : "file",
      ...{ directory, quotas, time, transitionMs, controlQuotas, memoryBudgetBytes, wasm },
    });
  } catch (error) {
    if (!(error instanceof EngineInUseError) || directory === undefined) throw error;
    throw new EngineInUseError(
      `another process has the streams in ${directory}: end it, or serve another directory`,
      { argument: "directory", value: directory, cause: error },
    );
  }
}
