/** Opens an engine: in a worker where there are workers, in this thread in Node. */
import {
  type EngineClient,
  type EngineOptions,
  InvalidArgumentError,
  openEngine,
  StorageUnavailableError,
  type WorkerSource,
} from "@millrace/engine";
import {
  checkBoolean,
  checkInteger,
  checkMembers,
  checkName,
  checkOneOf,
  checkSignal,
  show,
} from "./check.ts";
import { Millrace } from "./millrace.ts";

/** What an engine is opened with. */
export interface OpenOptions {
  /** Names the engine within the page's origin: 1 to 128 characters of a-z, A-Z, 0-9, _, . and -. */
  readonly name: string;
  /** Where records are kept; "indexeddb" when absent. "memory" forgets all when it is closed. */
  readonly storage?: "indexeddb" | "memory";
  /** The engine's worker: its URL, or a function that makes it. The package's own when absent. */
  readonly worker?: WorkerSource;
  /** URL of the core; a path in Node. The package's own when absent. */
  readonly wasm?: string | URL;
  /** "aws" enforces AWS's quotas per shard; "unlimited" when absent. */
  readonly quotas?: "unlimited" | "aws";
  /** Wasm memory that the engine may use, in bytes: 16 MiB to 2 GiB; 256 MiB when absent. */
  readonly memoryBudgetBytes?: number;
  /** "virtual": time stands still until `millrace.time.advance()`; "system" when absent. */
  readonly time?: "system" | "virtual";
  /** How long streams and consumers are CREATING, UPDATING or DELETING, in ms, 0 to 60,000; 0 when absent. */
  readonly transitionMs?: number;
  /** Enforces AWS's rates of control operations, too; false when absent. */
  readonly controlQuotas?: boolean;
  /** Gives up opening. */
  readonly signal?: AbortSignal;
}

const MIB = 1_048_576;
const TRANSITION_MS_MAX = 60_000;
const MEMBERS = [
  "name",
  "storage",
  "worker",
  "wasm",
  "quotas",
  "memoryBudgetBytes",
  "time",
  "transitionMs",
  "controlQuotas",
  "signal",
];

function checkWorker(worker: unknown): void {
  const fits = worker === undefined || typeof worker === "string" || worker instanceof URL;
  if (fits || typeof worker === "function") return;
  throw new InvalidArgumentError(
    `worker must be a URL or a function that makes a Worker, but it is ${show(worker)}`,
    { argument: "worker", value: show(worker), limit: "string, URL or () => Worker" },
  );
}

function checkWasm(wasm: unknown): void {
  if (wasm === undefined || typeof wasm === "string" || wasm instanceof URL) return;
  throw new InvalidArgumentError(`wasm must be a URL, but it is ${show(wasm)}`, {
    argument: "wasm",
    value: show(wasm),
    limit: "string or URL",
  });
}

function checkOptions(options: OpenOptions): EngineOptions {
  checkMembers("options", options, MEMBERS);
  checkWorker(options.worker);
  checkWasm(options.wasm);
  checkSignal("signal", options.signal);
  const { storage = "indexeddb", quotas = "unlimited", memoryBudgetBytes = 256 * MIB } = options;
  const { time = "system", transitionMs = 0, controlQuotas = false } = options;
  return {
    name: checkName("name", options.name),
    storage: checkOneOf("storage", storage, ["indexeddb", "memory"]),
    quotas: checkOneOf("quotas", quotas, ["unlimited", "aws"]),
    memoryBudgetBytes: checkInteger("memoryBudgetBytes", memoryBudgetBytes, 16 * MIB, 2048 * MIB),
    time: checkOneOf("time", time, ["system", "virtual"]),
    transitionMs: checkInteger("transitionMs", transitionMs, 0, TRANSITION_MS_MAX),
    controlQuotas: checkBoolean("controlQuotas", controlQuotas),
  };
}

async function openHere(engine: EngineOptions, options: OpenOptions): Promise<EngineClient> {
  if (engine.storage !== "memory") {
    throw new StorageUnavailableError(
      `storage "${engine.storage}" needs a browser with workers; here only storage "memory" works`,
      { argument: "storage", value: engine.storage, limit: '"memory"' },
    );
  }
  // Bundlers for pages must not follow this import: pages have workers, and no files to read.
  const specifier = "@millrace/engine/local";
  const local: typeof import("@millrace/engine/local") = await import(
    /* @vite-ignore */ /* webpackIgnore: true */ specifier
  );
  return await local.openLocal({ ...engine, wasm: options.wasm, signal: options.signal });
}

/**
 * Opens an engine, recovering what its store holds.
 *
 * @throws InvalidArgumentError when an option is malformed or unknown.
 * @throws EngineInUseError when another tab or worker holds the engine.
 * @throws StorageUnavailableError when there is no such storage here, as in some private modes.
 * @throws WorkerLoadError, WasmLoadError, VersionMismatchError when the engine's parts do not load.
 * @throws UnsupportedFormatError when a newer build wrote the store; DeadlineError; the signal's reason.
 */
export async function open(options: OpenOptions): Promise<Millrace> {
  const engine = checkOptions(options);
  const { worker, wasm, signal } = options;
  signal?.throwIfAborted();
  const client =
    typeof Worker === "undefined"
      ? await openHere(engine, options)
      : await openEngine({ ...engine, worker, wasm, signal });
  return new Millrace(client, engine.quotas === "aws");
}
