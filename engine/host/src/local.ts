/** The engine in the caller's own thread, for Node: same protocol, over a port instead of a worker. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { findStoredLogs, type StoredLog } from "./platform/node-inspect.ts";
import { nodePlatform } from "./platform/node-platform.ts";
import { requireUnused, storedEngineName, storedPlatform } from "./platform/node-stored.ts";
import type { EngineClient } from "./rpc/client.ts";
import { type ConnectOptions, connect } from "./rpc/connect.ts";
import { chooseCore, compileCore, wasmLoadError } from "./rpc/core-loader.ts";
import { localThread } from "./rpc/local-thread.ts";
import type { WasmLocation } from "./rpc/messages.ts";
import { createEngine } from "./service/engine.ts";
import type { CheckReport } from "./service/engine-service.ts";
import { checkExportedLog, checkStoredLog } from "./service/stored-check.ts";

/** What an engine in this thread is opened with. */
export interface OpenLocalOptions extends ConnectOptions {
  /** Path or file URL of the core; the package's own when absent. */
  readonly wasm?: string | URL | undefined;
  /** Where storage "file" keeps its files; made when it is not there. */
  readonly directory?: string | undefined;
}

async function readCore(wasm: WasmLocation): Promise<WebAssembly.Module> {
  const place = chooseCore(wasm);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(place.startsWith("file:") ? fileURLToPath(place) : place);
  } catch (error) {
    throw wasmLoadError(place, `it cannot be read (${String(error)})`, error);
  }
  return await compileCore(place, new Uint8Array(bytes).buffer, "a file");
}

function locateCore(wasm: string | URL | undefined): WasmLocation {
  if (wasm !== undefined) return { simd: String(wasm), scalar: String(wasm) };
  return {
    simd: new URL("../wasm/core.wasm", import.meta.url).href,
    scalar: new URL("../wasm/core.scalar.wasm", import.meta.url).href,
  };
}

/** What a check found under one path. */
export interface StoredCheck {
  readonly path: string;
  /** "archive" is an exported file. */
  readonly kind: StoredLog["kind"];
  readonly report: CheckReport;
}

/**
 * Verifies the logs under a path, which no engine should have open: an exported file, an engine's
 * directory, or a directory of engines. Nothing is changed.
 *
 * @throws StorageUnavailableError when there is no log; UnsupportedFormatError for one of a newer build.
 */
export async function checkStoredLogs(path: string): Promise<StoredCheck[]> {
  const core = await readCore(locateCore(undefined));
  const checks: StoredCheck[] = [];
  for (const log of await findStoredLogs(path)) {
    const report =
      log.kind === "store"
        ? await checkStoredLog(core, await log.open())
        : await checkExportedLog(core, log.open());
    checks.push({ path: log.path, kind: log.kind, report });
  }
  return checks;
}

/** An engine in a directory that nobody has open. */
export interface StoredEngine {
  readonly name: string;
  readonly path: string;
  /**
   * Opens it to be looked at, in this thread. Time stands still for it, and what it changes of the log is
   * forgotten when it is closed: the directory stays as it is. What is encrypted cannot be read.
   *
   * @throws EngineInUseError when a process has it open; UnsupportedFormatError for one of a newer build.
   */
  open(): Promise<EngineClient>;
}

/** A log may have been written with any budget; memory that is not used is never asked for. */
const STORED_MEMORY_BUDGET_BYTES = 2_147_483_648;
/** The longest transitions, so that one that was begun goes on as it was. */
const STORED_TRANSITION_MS = 60_000;

/**
 * The engines under a path: an engine's directory, or a directory of engines. Nothing is changed.
 *
 * @throws StorageUnavailableError when there are none.
 */
export async function findStoredEngines(path: string): Promise<StoredEngine[]> {
  const logs = await findStoredLogs(path);
  return logs.flatMap((log) => {
    if (log.kind !== "store") return [];
    const name = storedEngineName(log.path);
    const open = async (): Promise<EngineClient> => {
      await requireUnused(log.path);
      const thread = localThread({
        platform: storedPlatform(log),
        loadCore: readCore,
        createEngine,
      });
      return await connect(thread, locateCore(undefined), {
        ...{ name, storage: "file", quotas: "unlimited", time: "virtual" },
        memoryBudgetBytes: STORED_MEMORY_BUDGET_BYTES,
        transitionMs: STORED_TRANSITION_MS,
      });
    };
    return [{ name, path: log.path, open }];
  });
}

/**
 * Opens an engine in this thread. Its ports keep the process alive until it is closed.
 *
 * @throws WasmLoadError, StorageUnavailableError, InvalidArgumentError; the signal's reason.
 */
export async function openLocal(options: OpenLocalOptions): Promise<EngineClient> {
  options.signal?.throwIfAborted();
  // An engine in memory leaves no trace, so that it needs no lock between processes.
  const dataDirectory = options.storage === "file" ? options.directory : undefined;
  const platform = nodePlatform({ dataDirectory });
  const thread = localThread({ platform, loadCore: readCore, createEngine });
  return await connect(thread, locateCore(options.wasm), options);
}
