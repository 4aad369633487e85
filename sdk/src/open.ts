/** Opens an engine: in a worker where there are workers, in this thread in Node. */
import {
  type BrokerSource,
  type EngineClient,
  type EngineOptions,
  openEngine,
  StorageUnavailableError,
  type WorkerSource,
} from "@millrace/engine";
import type { ImportReport, ImportSource } from "./archive.ts";
import type { BackendOptions } from "./backend.ts";
import {
  checkBoolean,
  checkInteger,
  checkMembers,
  checkName,
  checkOneOf,
  checkSignal,
  refuse,
} from "./check.ts";
import { Millrace } from "./millrace.ts";

/** What an engine is opened with. */
export interface OpenOptions {
  /** Names the engine within the page's origin: 1 to 128 characters of a-z, A-Z, 0-9, _, . and -. */
  readonly name: string;
  /**
   * Where records are kept; "indexeddb" when absent: one engine for all tabs of the origin, of which one
   * writes for all. "memory" is a tab's own and forgets all when it is closed, "file" is
   * for Node and needs a directory.
   */
  readonly storage?: "indexeddb" | "memory" | "file";
  /** Path of the directory that holds the files of storage "file"; made when it is not there. */
  readonly directory?: string;
  /** The engine's worker: its URL, or a function that makes it. The package's own when absent. */
  readonly worker?: WorkerSource;
  /**
   * The shared worker by which tabs find each other: its URL, or a function that makes it. The package's
   * own when absent. Without it tabs talk over a slower way.
   */
  readonly broker?: BrokerSource;
  /** URL of the core; a path in Node. The package's own when absent. */
  readonly wasm?: string | URL;
  /** "aws" enforces AWS's quotas per shard; "unlimited" when absent. */
  readonly quotas?: "unlimited" | "aws";
  /** Wasm memory that the engine may use, in bytes: 16 MiB to 2 GiB; 256 MiB when absent. */
  readonly memoryBudgetBytes?: number;
  /** Bytes that the engine may keep in its store, 16 MiB or more; as many as the platform gives when absent. */
  readonly storageBudgetBytes?: number;
  /** "virtual": time stands still until `millrace.time.advance()`; "system" when absent. */
  readonly time?: "system" | "virtual";
  /** How long streams and consumers are CREATING, UPDATING or DELETING, in ms, 0 to 60,000; 0 when absent. */
  readonly transitionMs?: number;
  /** Enforces AWS's rates of control operations, too; false when absent. */
  readonly controlQuotas?: boolean;
  /** Hosts the engine's jobs in this page whenever its tab leads; see `millrace.jobs`. False when absent. */
  readonly jobs?: boolean;
  /** The jobs worker: its URL, or a function that makes it; a URL or path in Node. The package's own when absent. */
  readonly jobsWorker?: WorkerSource;
  /** Gives up opening. */
  readonly signal?: AbortSignal;
}

const MIB = 1_048_576;
const TRANSITION_MS_MAX = 60_000;
const MEMBERS = [
  "name",
  "storage",
  "directory",
  "worker",
  "broker",
  "wasm",
  "quotas",
  "memoryBudgetBytes",
  "storageBudgetBytes",
  "time",
  "transitionMs",
  "controlQuotas",
  "jobs",
  "jobsWorker",
  "signal",
];

function checkSource(
  argument: "worker" | "broker" | "jobsWorker",
  source: unknown,
  kind: string,
): void {
  const fits = source === undefined || typeof source === "string" || source instanceof URL;
  if (fits || typeof source === "function") return;
  refuse(
    argument,
    `a URL or a function that makes a ${kind}`,
    source,
    `string, URL or () => ${kind}`,
  );
}

function checkWasm(wasm: unknown): void {
  if (wasm === undefined || typeof wasm === "string" || wasm instanceof URL) return;
  refuse("wasm", "a URL", wasm, "string or URL");
}

function checkBudget(bytes: unknown): number {
  return checkInteger("storageBudgetBytes", bytes, 16 * MIB, Number.MAX_SAFE_INTEGER);
}

/** A directory goes with storage "file", and storage "file" with a directory. */
function checkDirectory(storage: EngineOptions["storage"], directory: unknown): void {
  const fits =
    storage === "file"
      ? typeof directory === "string" && directory !== ""
      : directory === undefined;
  if (fits) return;
  const must = storage === "file" ? "the path of a directory" : 'absent without storage "file"';
  refuse("directory", must, directory, 'a path with storage "file"');
}

function checkOptions(options: OpenOptions): EngineOptions {
  checkMembers("options", options, MEMBERS);
  checkSource("worker", options.worker, "Worker");
  checkSource("broker", options.broker, "SharedWorker");
  checkSource("jobsWorker", options.jobsWorker, "Worker");
  checkBoolean("jobs", options.jobs ?? false);
  checkWasm(options.wasm);
  checkSignal("signal", options.signal);
  const { storage = "indexeddb", quotas = "unlimited", memoryBudgetBytes = 256 * MIB } = options;
  const { time = "system", transitionMs = 0, controlQuotas = false, storageBudgetBytes } = options;
  const kind = checkOneOf("storage", storage, ["indexeddb", "memory", "file"]);
  checkDirectory(kind, options.directory);
  return {
    name: checkName("name", options.name),
    storage: kind,
    quotas: checkOneOf("quotas", quotas, ["unlimited", "aws"]),
    memoryBudgetBytes: checkInteger("memoryBudgetBytes", memoryBudgetBytes, 16 * MIB, 2048 * MIB),
    time: checkOneOf("time", time, ["system", "virtual"]),
    transitionMs: checkInteger("transitionMs", transitionMs, 0, TRANSITION_MS_MAX),
    controlQuotas: checkBoolean("controlQuotas", controlQuotas),
    ...(storageBudgetBytes === undefined
      ? {}
      : { storageBudgetBytes: checkBudget(storageBudgetBytes) }),
  };
}

function leadsElsewhere<Opened>(
  options: OpenOptions | BackendOptions<Opened>,
): options is BackendOptions<Opened> {
  return (
    typeof (options as Partial<BackendOptions<Opened>> | undefined)?.backend?.open === "function"
  );
}

async function openInWorker(engine: EngineOptions, options: OpenOptions): Promise<EngineClient> {
  if (engine.storage === "file") {
    throw new StorageUnavailableError(
      'storage "file" needs Node; here storage "indexeddb" and "memory" work',
      { argument: "storage", value: engine.storage, limit: '"indexeddb" or "memory"' },
    );
  }
  const { worker, broker, wasm, signal } = options;
  return await openEngine({ ...engine, worker, broker, wasm, signal });
}

/**
 * Opens an engine, recovering what its store holds. In a browser any number of tabs may open it at once;
 * when the one that writes ends, another goes on, and nobody notices but by a short wait.
 *
 * @throws InvalidArgumentError when an option is malformed or unknown.
 * @throws EngineInUseError in Node, when another process or caller holds the engine.
 * @throws StorageUnavailableError when there is no such storage here, as in some private modes.
 * @throws WorkerLoadError, WasmLoadError, VersionMismatchError when the engine's parts do not load.
 * @throws UnsupportedFormatError when a newer build wrote the store; DeadlineError; the signal's reason.
 */
export function open(options: OpenOptions): Promise<Millrace>;
/**
 * Opens what a backend leads to: with `kinesis()` of `millrace/remote`, the streams of a Kinesis elsewhere.
 *
 * @throws InvalidArgumentError; what the backend throws; the signal's reason.
 */
export function open<Opened>(options: BackendOptions<Opened>): Promise<Opened>;
export async function open<Opened>(
  options: OpenOptions | BackendOptions<Opened>,
): Promise<Millrace | Opened> {
  if (leadsElsewhere(options)) return await options.backend.open(options);
  const engine = checkOptions(options);
  const millrace = new Millrace(await openClient(engine, options), engine.quotas === "aws");
  try {
    if (options.jobs) await millrace.jobs.host(options.jobsWorker);
    options.signal?.throwIfAborted();
  } catch (error) {
    // Nobody else could close it.
    await millrace.close();
    throw error;
  }
  return millrace;
}

async function openClient(engine: EngineOptions, options: OpenOptions): Promise<EngineClient> {
  options.signal?.throwIfAborted();
  return typeof Worker === "undefined"
    ? await (await import("./open-here.ts")).openHere(engine, options)
    : await openInWorker(engine, options);
}

/** Where the log that is imported is kept, and by which worker; as for {@link open}. */
export type ImportOptions = Pick<
  OpenOptions,
  "storage" | "directory" | "worker" | "wasm" | "signal"
>;

/**
 * Imports a log that {@link Millrace.export} gave out, under a name that has no log yet: all of it, or
 * nothing. Every part is verified before it is written. The log begins a new incarnation; streams that
 * were encrypted stay unreadable, since their keys are not in the file.
 *
 * @throws EngineExistsError when there is a log of that name; EngineInUseError when it is open.
 * @throws InvalidArgumentError when the source is damaged or no export; UnsupportedFormatError when a
 * newer build made it; NotSupportedError for storage "memory"; the signal's reason.
 */
export async function importLog(
  name: string,
  source: ImportSource,
  options: ImportOptions = {},
): Promise<ImportReport> {
  const engine = checkOptions({ ...options, name });
  // Loaded first: were the engine open when it fails, it would stay so.
  const { importInto } = await import("./archive.ts");
  const client = await openClient({ ...engine, importing: true }, { ...options, name });
  return await importInto(client, source, options.signal);
}
