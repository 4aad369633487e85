/** One life of an engine: a core, the log over it, and the operations over that. */
import { FRAME_HEADER_BYTES } from "@millrace/core/layout";
import type { CoreOptions, Run, ShardLogCore } from "../core/core-types.ts";
import type { MillraceError } from "../errors/index.ts";
import { CoreFailedError } from "../log/group-commit.ts";
import { Log } from "../log/log.ts";
import { ROUTES_MAX, SHARD_SLOTS_MAX } from "../log/shard-slots.ts";
import { ShardCounters } from "../metrics/shard-counters.ts";
import type { Platform } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import { Catalogue, describeStream } from "../streams/catalogue.ts";
import { resolvePosition } from "../streams/positions.ts";
import type {
  ControlOperations,
  EngineOptions,
  ShardMetrics,
  StorageReport,
  StreamDescription,
  StreamSpec,
} from "./engine-service.ts";
import { PutService } from "./put-service.ts";
import { ReadService } from "./read-service.ts";
import { checkName, checkStreamSpec } from "./validate.ts";

/** Part of the memory budget that is not the arena: tables, scratch and the request area. */
const FIXED_MEMORY_BYTES = 8_388_608;

/** Handlers of the control operations, each with its argument and answer. */
type Handlers = {
  readonly [Operation in keyof ControlOperations]: (
    argument: Parameters<ControlOperations[Operation]>[0],
  ) => ReturnType<ControlOperations[Operation]> | Promise<ReturnType<ControlOperations[Operation]>>;
};

/** From recovery to close, or to the trap that ends it. */
export class EngineLife {
  readonly log: Log;
  readonly puts: PutService;
  readonly reads: ReadService;
  readonly #options: EngineOptions;
  readonly #store: LogStore;
  readonly #catalogue: Catalogue;
  readonly #counters: ShardCounters;
  readonly #handlers: Handlers;
  #ended = false;

  private constructor(
    platform: Platform,
    options: EngineOptions,
    store: LogStore,
    log: Log,
    counters: ShardCounters,
  ) {
    const { clock } = platform;
    const quotas = options.quotas === "aws";
    this.#options = options;
    this.#store = store;
    this.log = log;
    this.#counters = counters;
    this.#catalogue = new Catalogue(log, clock);
    this.puts = new PutService(log, this.#catalogue, counters, clock);
    this.reads = new ReadService(log, this.#catalogue, counters, clock, quotas);
    this.#handlers = this.#makeHandlers();
  }

  /** Recovers the log of a store. @throws MillraceError when that is not possible. */
  static async open(
    platform: Platform,
    makeCore: (options: CoreOptions) => Promise<ShardLogCore>,
    options: EngineOptions,
    store: LogStore,
  ): Promise<EngineLife> {
    const arenaBytesMax = options.memoryBudgetBytes - FIXED_MEMORY_BYTES;
    const core = await makeCore({
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
      onCommitted: (runs) => countIncoming(counters, runs),
    });
    return new EngineLife(platform, options, store, log, counters);
  }

  /** Whether the life is over. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Ends the life: everything under way fails with an error that has the calls made again. */
  end(cause: MillraceError): void {
    this.#ended = true;
    this.log.fail(cause instanceof CoreFailedError ? cause : new CoreFailedError(cause));
  }

  /** Takes over what only the life before knew: which producers send to this engine. */
  succeed(before: EngineLife): EngineLife {
    this.log.producers.meetAll(before.log.producers);
    return this;
  }

  /** Runs a control operation. @throws MillraceError. */
  async call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    return await this.#handlers[operation](argument);
  }

  /**
   * Runs a control operation that may have taken effect in the life before: what it would have done and
   * finds done is its own work.
   */
  async callAgain<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    const again: Handlers = {
      ...this.#handlers,
      createStream: (spec) => this.#createAgain(spec),
      deleteStream: (name) => this.#deleteAgain(name),
    };
    return await again[operation](argument);
  }

  async #createAgain(spec: StreamSpec): Promise<StreamDescription> {
    const found = this.#catalogue.list().find(({ name }) => name === spec.name);
    const same =
      found !== undefined &&
      found.shards.length === spec.shards &&
      found.retentionHours === spec.retentionHours &&
      found.recordKibMax === spec.recordKibMax;
    return same ? describeStream(found) : await this.#handlers.createStream(spec);
  }

  async #deleteAgain(argument: { name: string }): Promise<null> {
    const found = this.#catalogue.list().some(({ name }) => name === argument.name);
    return found ? await this.#handlers.deleteStream(argument) : null;
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
        resolvePosition(this.log, catalogue.get(name), position, shardId),
      shardMetrics: ({ name }) => this.#shardMetrics(name),
      storageReport: () => this.#storageReport(),
      dataLoss: () => [...this.log.losses],
    };
  }

  #shardMetrics(name: string): ShardMetrics[] {
    return this.#catalogue.get(name).shards.map((shard) => ({
      shardIndex: shard.shardIndex,
      ...this.#counters.of(shard.uid),
    }));
  }

  async #storageReport(): Promise<StorageReport> {
    const status = this.log.status();
    const memory = this.log.core.memory();
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

function countIncoming(counters: ShardCounters, runs: readonly Run[]): void {
  for (const { shardUid, recordCount, byteLength } of runs) {
    const incomingBytes = byteLength - recordCount * FRAME_HEADER_BYTES;
    counters.add(shardUid, { incomingRecords: recordCount, incomingBytes });
  }
}
