/** An engine that is only being imported into: it takes the pieces of an export, and nothing else. */
import { Core } from "../core/core.ts";
import { EngineInUseError, NotSupportedError } from "../errors/index.ts";
import { LogImport } from "../log/log-import.ts";
import { writerLockName } from "../platform/locks.ts";
import type { HeldLock, Platform } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import type { CoreSource } from "./engine.ts";
import type {
  ControlOperations,
  EngineOptions,
  EngineService,
  EpochAnswer,
} from "./engine-service.ts";
import { checkEngineOptions } from "./validate.ts";

/** Memory of a core that only hashes, in bytes. */
const ARENA_BYTES = 8_388_608;

/**
 * Opens the store of an engine that does not exist yet, to import a log into it. When it is closed before
 * the import was finished, nothing is left.
 *
 * @throws EngineInUseError when another context holds the engine.
 * @throws StorageUnavailableError, InvalidArgumentError; NotSupportedError for an engine in memory.
 */
export async function openImporter(
  platform: Platform,
  coreSource: CoreSource,
  options: EngineOptions,
): Promise<EngineService> {
  checkEngineOptions(options);
  const { name, storage } = options;
  if (storage === "memory") {
    throw new NotSupportedError("what is imported into memory is gone when the import ends", {
      argument: "storage",
      value: storage,
    });
  }
  const lock = await platform.locks.tryAcquire(writerLockName(name));
  if (lock === undefined) {
    const message = `the engine "${name}" is open elsewhere; import into a new name`;
    throw new EngineInUseError(message, { argument: "name", value: name, retryable: true });
  }
  let store: LogStore | undefined;
  try {
    store = await platform.stores.open(name, storage);
    const sizes = { shardSlotsMax: 1, routesMax: 1, arenaBytesMax: ARENA_BYTES };
    const core = await Core.instantiate(coreSource, sizes);
    const { clock, random, witnesses } = platform;
    const parts = { name, core, store, clock, random, witnesses };
    return new Importer(new LogImport(parts), store, lock);
  } catch (error) {
    await store?.close();
    lock.release();
    throw error;
  }
}

class Importer implements EngineService {
  readonly #import: LogImport;
  readonly #store: LogStore;
  readonly #lock: HeldLock;
  /** Settles when all that was taken is written. */
  #tail: Promise<unknown> = Promise.resolve();
  #finished = false;
  #stolen = false;
  #closing: Promise<void> | undefined;

  constructor(logImport: LogImport, store: LogStore, lock: HeldLock) {
    this.#import = logImport;
    this.#store = store;
    this.#lock = lock;
    void lock.stolen.then(() => {
      this.#stolen = true;
    });
  }

  async call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    const answer = this.#tail.then(() => this.#run(operation, argument));
    this.#tail = answer.catch(() => undefined);
    return (await answer) as ReturnType<ControlOperations[Operation]>;
  }

  put(): Promise<ArrayBuffer> {
    return Promise.reject(importing());
  }

  commitEpoch(): Promise<EpochAnswer> {
    return Promise.reject(importing());
  }

  read(): Promise<ArrayBuffer> {
    return Promise.reject(importing());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #run(operation: keyof ControlOperations, argument: unknown): Promise<unknown> {
    if (this.#stolen) {
      throw new EngineInUseError("another context took the engine while it was imported into");
    }
    if (operation === "writeImport") {
      await this.#import.take((argument as { bytes: Uint8Array }).bytes);
      return null;
    }
    if (operation !== "finishImport") throw importing();
    const report = await this.#import.finish();
    this.#finished = true;
    return report;
  }

  async #close(): Promise<void> {
    try {
      await this.#tail;
      // Whoever took the engine has removed what was there of the import.
      if (!this.#finished && !this.#stolen) await this.#import.abandon();
    } finally {
      await this.#store.close();
      this.#lock.release();
    }
  }
}

function importing(): NotSupportedError {
  return new NotSupportedError("the engine is being imported into; open it when that is done", {
    argument: "operation",
  });
}
