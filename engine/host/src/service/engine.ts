/**
 * The engine: a store behind the lock that keeps a second writer out, and one life of a log over it
 * after the other.
 *
 * A trap of the core ends a life: the next one is recovered from the store, and the calls that were
 * under way are made again. A batch that was committed by then is recognised by its number.
 */
import { Core } from "../core/core.ts";
import { CoreTrapError } from "../core/core-errors.ts";
import type { CoreOptions, ShardLogCore } from "../core/core-types.ts";
import {
  EngineClosedError,
  EngineFailedError,
  EngineInUseError,
  InternalFailureError,
  type MillraceError,
} from "../errors/index.ts";
import { CoreFailedError } from "../log/group-commit.ts";
import { writerLockName } from "../platform/locks.ts";
import type { HeldLock, Platform } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import { EngineLife } from "./engine-life.ts";
import type {
  ControlOperations,
  EngineOptions,
  EngineService,
  ReadRequest,
} from "./engine-service.ts";
import { checkEngineOptions } from "./validate.ts";

/** A core.wasm as it comes: compiled, or its bytes. */
export type CoreSource = WebAssembly.Module | BufferSource;

/** Makes the core of one life. */
export type CoreFactory = (options: CoreOptions) => Promise<ShardLogCore>;

/**
 * Opens an engine: takes its lock, its store and the lead of its log.
 *
 * @throws EngineInUseError when another context holds the engine.
 * @throws StorageUnavailableError, UnsupportedFormatError, DeposedError, InvalidArgumentError.
 */
export function createEngine(
  platform: Platform,
  coreSource: CoreSource,
  options: EngineOptions,
): Promise<EngineService> {
  return openEngine(platform, (sizes) => Core.instantiate(coreSource, sizes), options);
}

/** {@link createEngine} over cores of any make. */
export async function openEngine(
  platform: Platform,
  makeCore: CoreFactory,
  options: EngineOptions,
): Promise<EngineService> {
  checkEngineOptions(options);
  const lock = await takeLock(platform, options);
  let store: LogStore | undefined;
  try {
    store = await platform.stores.open(options.name, options.storage);
    const opened = store;
    const begin = (): Promise<EngineLife> => EngineLife.open(platform, makeCore, options, opened);
    return new Engine(options.name, opened, lock, begin, await begin());
  } catch (error) {
    await store?.close();
    lock?.release();
    throw error;
  }
}

/** Memory engines share nothing, so that they need no lock. */
async function takeLock(platform: Platform, options: EngineOptions): Promise<HeldLock | undefined> {
  if (options.storage === "memory") return undefined;
  const lock = await platform.locks.tryAcquire(writerLockName(options.name));
  if (lock === undefined) {
    throw new EngineInUseError(
      `another tab or worker holds the engine "${options.name}"; sharing one engine between tabs is ` +
        "not supported yet: close the other one, or open under another name",
      { argument: "name", value: options.name, retryable: true },
    );
  }
  return lock;
}

/** Calls that the core traps at by their own fault are made this often. */
const FAULTS_PER_CALL_MAX = 2;
/** Calls that suffer from others' faults are made in this many lives. */
const LIVES_PER_CALL_MAX = 8;

class Engine implements EngineService {
  readonly #name: string;
  readonly #store: LogStore;
  readonly #lock: HeldLock | undefined;
  readonly #begin: () => Promise<EngineLife>;
  #life: Promise<EngineLife>;
  #closing: Promise<void> | undefined;

  constructor(
    name: string,
    store: LogStore,
    lock: HeldLock | undefined,
    begin: () => Promise<EngineLife>,
    life: EngineLife,
  ) {
    this.#name = name;
    this.#store = store;
    this.#lock = lock;
    this.#begin = begin;
    this.#life = Promise.resolve(life);
  }

  call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    return this.#attempt((life, again) =>
      again ? life.callAgain(operation, argument) : life.call(operation, argument),
    );
  }

  put(batch: ArrayBuffer): Promise<ArrayBuffer> {
    return this.#attempt((life) => life.puts.put(batch));
  }

  read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer> {
    return this.#attempt((life) => life.reads.read(request, signal));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      // A life that could not begin has nothing to close.
      const life = await this.#life.catch(() => undefined);
      await life?.log.close();
    } finally {
      await this.#store.close();
      this.#lock?.release();
    }
  }

  /**
   * Makes a call, and makes it again in the next life when the core of this one trapped. A call that the
   * core trapped at twice by its own fault is refused.
   */
  async #attempt<Result>(
    call: (life: EngineLife, again: boolean) => Promise<Result>,
  ): Promise<Result> {
    let faults = 0;
    let failure: MillraceError | undefined;
    for (let lives = 0; lives < LIVES_PER_CALL_MAX && faults < FAULTS_PER_CALL_MAX; lives++) {
      const life = await this.#openLife(lives > 0);
      try {
        return await call(life, lives > 0);
      } catch (error) {
        const trap = error instanceof CoreTrapError;
        if (!trap && !(error instanceof CoreFailedError)) throw error;
        this.#renew(life, error);
        failure = error;
        if (trap || error.ownBatch) faults++;
      }
    }
    throw new InternalFailureError(`the core failed again and again: ${failure?.message}`, {
      indeterminate: faults < FAULTS_PER_CALL_MAX,
      cause: failure,
    });
  }

  /** `again` says that the call may have taken effect already. */
  async #openLife(again: boolean): Promise<EngineLife> {
    if (this.#closing !== undefined) {
      throw new EngineClosedError(`the engine "${this.#name}" is closed`, {
        argument: "name",
        value: this.#name,
        indeterminate: again,
      });
    }
    return await this.#life;
  }

  /** Ends a life, unless another call has done so, and recovers the next one from the store. */
  #renew(life: EngineLife, error: CoreTrapError | CoreFailedError): void {
    if (life.ended) return;
    life.end(error);
    if (this.#closing !== undefined) return;
    if (!this.#store.recoverable) {
      // Nothing of an engine in memory is in a store, and an empty life would pass for a whole one.
      this.#life = Promise.reject(
        new EngineFailedError(
          `the core of the engine "${this.#name}" failed, and an engine in memory cannot be recovered`,
          { cause: error },
        ),
      );
      this.#life.catch(() => undefined);
      return;
    }
    this.#life = this.#begin().then((next) => next.succeed(life));
    // Whoever makes the next call is told when recovery fails.
    this.#life.catch(() => undefined);
  }
}
