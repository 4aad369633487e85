/**
 * The engine: a store behind the lock that keeps a second writer out, and one life of a log over it
 * after the other.
 */
import { Core } from "../core/core.ts";
import type { CoreOptions, ShardLogCore } from "../core/core-types.ts";
import { EngineInUseError } from "../errors/index.ts";
import type { Testimony } from "../log/witness.ts";
import { writerLockName } from "../platform/locks.ts";
import type { HeldLock, KeyVault, Platform } from "../platform/platform.ts";
import { withVirtualTime } from "../platform/virtual-time.ts";
import type { LogStore } from "../storage/log-store.ts";
import { CallGate } from "./call-gate.ts";
import { CallTrail, TRAIL_KEY } from "./call-trail.ts";
import { ControlRates } from "./control-rates.ts";
import { EngineControls } from "./engine-controls.ts";
import type { EngineEvents } from "./engine-events.ts";
import { EngineLife } from "./engine-life.ts";
import type {
  BatchOrder,
  CallContext,
  ControlOperations,
  EngineOptions,
  EngineService,
  EpochAnswer,
  EpochCommit,
  ReadRequest,
} from "./engine-service.ts";
import { lastingParts } from "./lasting-parts.ts";
import { lifeAfterLoss } from "./life-after-loss.ts";
import { Lives } from "./lives.ts";
import { OWN_PUT } from "./put-service.ts";
import { OWN_READ } from "./read-service.ts";
import { checkEngineOptions } from "./validate.ts";
import { WatchedCalls } from "./watched-calls.ts";

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
  surroundings: Platform,
  makeCore: CoreFactory,
  options: EngineOptions,
): Promise<EngineService> {
  checkEngineOptions(options);
  const platform = options.time === "virtual" ? withVirtualTime(surroundings) : surroundings;
  const lock = await takeLock(platform, options);
  let store: LogStore | undefined;
  let vault: KeyVault | undefined;
  try {
    const opened = await platform.stores.open(options.name, options.storage);
    store = opened;
    const lasting = lastingParts(platform, options);
    vault = await platform.vaults?.open(options.name, options.storage);
    const parts = { platform, makeCore, options, store: opened, lasting, vault };
    const begin = (testimony?: Testimony): Promise<EngineLife> => {
      const life = (): Promise<EngineLife> => EngineLife.open({ ...parts, testimony });
      return testimony === undefined ? life() : lifeAfterLoss(opened, surroundings.clock, life);
    };
    const first = await begin();
    const { name } = options;
    const lives = new Lives({ name, recoverable: opened.recoverable, begin }, first);
    return new Engine(platform, options, { store: opened, lock, vault, lasting, lives, first });
  } catch (error) {
    await letGo({ store, vault, lock });
    throw error;
  }
}

/** Closes what an engine holds. Whatever does not close, the lock is released: another context may lead. */
async function letGo({
  store,
  vault,
  lock,
}: {
  readonly store: LogStore | undefined;
  readonly vault: KeyVault | undefined;
  readonly lock: HeldLock | undefined;
}): Promise<void> {
  try {
    await store?.close();
  } finally {
    try {
      await vault?.close();
    } finally {
      lock?.release();
    }
  }
}

/** Memory engines share nothing, so that they need no lock. */
async function takeLock(platform: Platform, options: EngineOptions): Promise<HeldLock | undefined> {
  if (options.storage === "memory") return undefined;
  const lock = await platform.locks.tryAcquire(writerLockName(options.name));
  if (lock === undefined) {
    throw new EngineInUseError(
      `another tab, worker or process holds the engine "${options.name}"; sharing one engine is not ` +
        "supported yet: close the other one, or open under another name",
      { argument: "name", value: options.name, retryable: true },
    );
  }
  return lock;
}

/** What an engine is made of. */
interface EngineParts {
  readonly store: LogStore;
  readonly lock: HeldLock | undefined;
  readonly vault: KeyVault | undefined;
  readonly lasting: ReturnType<typeof lastingParts>;
  readonly lives: Lives;
  readonly first: EngineLife;
}

class Engine implements EngineService {
  readonly #store: LogStore;
  readonly #lock: HeldLock | undefined;
  readonly #vault: KeyVault | undefined;
  readonly #lives: Lives;
  readonly #events: EngineEvents;
  readonly #trail: CallTrail;
  readonly #gate: CallGate;
  readonly #controls: EngineControls;
  readonly #watched: WatchedCalls;
  #closing: Promise<void> | undefined;

  constructor(platform: Platform, options: EngineOptions, parts: EngineParts) {
    const { clock, random } = platform;
    const { store, lock, vault, lives, lasting, first } = parts;
    this.#store = store;
    this.#lock = lock;
    this.#vault = vault;
    this.#lives = lives;
    this.#events = lasting.events;
    const trail = new CallTrail(clock, random, (streamName, pack) =>
      lives.attempt((life) => life.putOwn(streamName, pack), true),
    );
    trail.direct(first.context.documents.get<string>(TRAIL_KEY));
    const rates = new ControlRates(clock, options.controlQuotas ?? false);
    this.#trail = trail;
    this.#gate = new CallGate({ clock, rates, faults: lasting.faults, trail });
    this.#controls = new EngineControls({
      ...{ options, clock, lives, gate: this.#gate, trail, lasting },
    });
    this.#watched = new WatchedCalls({ gate: this.#gate, lives });
  }

  call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
    again = false,
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    return this.#controls.call(operation, argument, again);
  }

  put(batch: ArrayBuffer, call: CallContext = OWN_PUT, order?: BatchOrder): Promise<ArrayBuffer> {
    // What is held back is known there even when the fault that holds it back was the last one.
    if (this.#gate.watching || this.#watched.busy) return this.#watched.put(batch, call, order);
    return this.#lives.attempt((life, again) => life.puts.put(batch, call, order, again));
  }

  commitEpoch(commit: EpochCommit, outputs: readonly ArrayBuffer[]): Promise<EpochAnswer> {
    return this.#lives.attempt((life) => life.epochs.commit(commit, outputs));
  }

  read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer> {
    // What a subscription reads belongs to the call that opened it.
    if (this.#gate.watching && request.subscription === undefined) {
      return this.#watched.read(request, request.call ?? OWN_READ, signal);
    }
    return this.#lives.attempt((life) => life.reads.read(request, signal));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#events.end();
    try {
      await this.#lives.close(() => this.#trail.drain());
    } finally {
      await letGo({ store: this.#store, vault: this.#vault, lock: this.#lock });
    }
  }
}
