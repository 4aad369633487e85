/**
 * The engine: one log with the operations over it, behind the lock that keeps a second writer out.
 *
 * Everything that the engine takes from its surroundings comes in through the platform.
 */
import { FRAME_HEADER_BYTES } from "@millrace/core/layout";
import { Core } from "../core/core.ts";
import { EngineClosedError, EngineInUseError } from "../errors/index.ts";
import { Log } from "../log/log.ts";
import { ROUTES_MAX, SHARD_SLOTS_MAX } from "../log/shard-slots.ts";
import { ShardCounters } from "../metrics/shard-counters.ts";
import { writerLockName } from "../platform/locks.ts";
import type { HeldLock, Platform } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import { Catalogue, describeStream } from "../streams/catalogue.ts";
import { resolvePosition } from "../streams/positions.ts";
import type {
  ControlOperations,
  EngineOptions,
  EngineService,
  ReadRequest,
  ShardMetrics,
  StorageReport,
} from "./engine-service.ts";
import { PutService } from "./put-service.ts";
import { ReadService } from "./read-service.ts";
import { checkEngineOptions, checkName, checkStreamSpec } from "./validate.ts";

/** Part of the memory budget that is not the arena: tables, scratch and the request area. */
const FIXED_MEMORY_BYTES = 8_388_608;

/** A core.wasm as it comes: compiled, or its bytes. */
export type CoreSource = WebAssembly.Module | BufferSource;

/** Handlers of the control operations, each with its argument and answer. */
type Handlers = {
  readonly [Operation in keyof ControlOperations]: (
    argument: Parameters<ControlOperations[Operation]>[0],
  ) =>
    | ReturnType<ControlOperations[Operation]>
    | Promise<ReturnType<ControlOperations[Operation]>>;
};

/**
 * Opens an engine: takes its lock, its store and the lead of its log.
 *
 * @throws EngineInUseError when another context holds the engine.
 * @throws StorageUnavailableError, UnsupportedFormatError, DeposedError, InvalidArgumentError.
 */
export async function createEngine(
  platform: Platform,
  coreSource: CoreSource,
  options: EngineOptions,
): Promise<EngineService> {
  checkEngineOptions(options);
  const lock = await takeLock(platform, options);
  let store: LogStore | undefined;
  try {
    store = await platform.stores.open(options.name, options.storage);
    return await Engine.open(platform, coreSource, options, store, lock);
  } catch (error) {
    await store?.close();
    lock?.release();
    throw error;
  }
}

/** Memory engines share nothing, so that they need no lock. */
async function takeLock(
  platform: Platform,
  options: EngineOptions,
): Promise<HeldLock | undefined> {
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

class Engine implements EngineService {
  readonly #options: EngineOptions;
  readonly #store: LogStore;
  readonly #lock: HeldLock | undefined;
  readonly #log: Log;
  readonly #catalogue: Catalogue;
  readonly #counters: ShardCounters;
  readonly #puts: PutService;
  readonly #reads: ReadService;
  readonly #handlers: Handlers;
  #closing: Promise<void> | undefined;

  private constructor(
    platform: Platform,
    options: EngineOptions,
    store: LogStore,
    lock: HeldLock | undefined,
    log: Log,
    counters: ShardCounters,
  ) {
    this.#options = options;
    this.#store = store;
    this.#lock = lock;
    this.#log = log;
    this.#counters = counters;
    const { clock } = platform;
    this.#catalogue = new Catalogue(log, clock);
    this.#puts = new PutService(log, this.#catalogue, counters, clock);
    const quotas = options.quotas === "aws";
    this.#reads = new ReadService(log, this.#catalogue, counters, clock, quotas);
    this.#handlers = this.#makeHandlers();
  }

  static async open(
    platform: Platform,
    coreSource: CoreSource,
    options: EngineOptions,
    store: LogStore,
    lock: HeldLock | undefined,
  ): Promise<Engine> {
    const arenaBytesMax = options.memoryBudgetBytes - FIXED_MEMORY_BYTES;
    const core = await Core.instantiate(coreSource, {
      shardSlotsMax: SHARD_SLOTS_MAX,
      routesMax: ROUTES_MAX,
      arenaBytesMax,
    });
    const counters = new ShardCounters();
    const log = await Log.open({
      name: options.name,
      core,
      store,
      clock: platform.clock,
      random: platform.random,
      arenaBytesMax,
      writeQuotas: options.quotas === "aws",
      onCommitted: (runs) => {
        for (const { shardUid, recordCount, byteLength } of runs) {
          const incomingBytes = byteLength - recordCount * FRAME_HEADER_BYTES;
          counters.add(shardUid, { incomingRecords: recordCount, incomingBytes });
        }
      },
    });
    return new Engine(platform, options, store, lock, log, counters);
  }

  async call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    this.#checkOpen();
    return await this.#handlers[operation](argument);
  }

  async put(batch: ArrayBuffer): Promise<ArrayBuffer> {
    this.#checkOpen();
    return await this.#puts.put(batch);
  }

  async read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer> {
    this.#checkOpen();
    return await this.#reads.read(request, signal);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#log.close();
      await this.#store.close();
    } finally {
      this.#lock?.release();
    }
  }

  #checkOpen(): void {
    if (this.#closing === undefined) return;
    const { name } = this.#options;
    throw new EngineClosedError(`the engine "${name}" is closed`, { argument: "name", value: name });
  }

  #makeHandlers(): Handlers {
    const catalogue = this.#catalogue;
    return {
      createStream: async (spec) => {
        checkStreamSpec(spec);
        return describeStream(await catalogue.create(spec));
      },
      describeStream: ({ name }) => {
        checkName("name", name);
        return describeStream(catalogue.get(name));
      },
      listStreams: () => catalogue.list().map(describeStream),
      deleteStream: async ({ name }) => {
        checkName("name", name);
        await catalogue.delete(name);
        return null;
      },
      resolvePosition: ({ name, position, shardId }) =>
        resolvePosition(this.#log, catalogue.get(name), position, shardId),
      shardMetrics: ({ name }) => this.#shardMetrics(name),
      storageReport: () => this.#storageReport(),
      dataLoss: () => [...this.#log.losses],
    };
  }

  #shardMetrics(name: string): ShardMetrics[] {
    return this.#catalogue.get(name).shards.map((shard) => ({
      shardIndex: shard.shardIndex,
      ...this.#counters.of(shard.uid),
    }));
  }

  async #storageReport(): Promise<StorageReport> {
    const status = this.#log.status();
    const memory = this.#log.core.memory();
    const usage = await this.#store.usage();
    return {
      kind: this.#options.storage,
      durable: this.#store.recoverable,
      ...usage,
      ...status,
      coreMemoryBytes: memory.totalBytes,
      dirtyBytes: memory.dirtyBytes,
      cachedBytes: memory.cachedBytes,
    };
  }
}
