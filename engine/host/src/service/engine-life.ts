/** One life of an engine: a core, the log over it, and everything that stands on that log. */
import { FRAME_HEADER_BYTES } from "@millrace/core/layout";
import { AccessControl } from "../access/access-control.ts";
import type { CoreOptions, Run, ShardLogCore } from "../core/core-types.ts";
import { type MillraceError, toMillraceError } from "../errors/index.ts";
import { Groups } from "../groups/groups.ts";
import { Jobs } from "../jobs/jobs.ts";
import { LeaseTables } from "../lease-tables/lease-tables.ts";
import { CoreFailedError, closedError } from "../log/commit-errors.ts";
import { Log } from "../log/log.ts";
import { ROUTES_MAX, SHARD_SLOTS_MAX } from "../log/shard-slots.ts";
import type { Testimony } from "../log/witness.ts";
import { enabledShardMetrics } from "../metrics/enabled-metrics.ts";
import type { ShardCounters } from "../metrics/shard-counters.ts";
import type { KeyVault, Platform } from "../platform/platform.ts";
import { VirtualClock } from "../platform/virtual-clock.ts";
import type { LogStore } from "../storage/log-store.ts";
import { Catalogue } from "../streams/catalogue.ts";
import { OnDemandScaler } from "../streams/on-demand-scaler.ts";
import { ApiDispatch } from "./api-dispatch.ts";
import { EngineKeys } from "./engine-keys.ts";
import type { EngineOptions } from "./engine-service.ts";
import { EpochService } from "./epoch-service.ts";
import type { LastingParts } from "./lasting-parts.ts";
import type { OperationContext } from "./operations/operation.ts";
import { PutService } from "./put-service.ts";
import { ReadService } from "./read-service.ts";

/** Document under which virtual time is kept, so that it goes on from there when the engine opens again. */
export const TIME_KEY = "time";

/** Part of the memory budget that is not the arena: tables, scratch and the request area. */
const FIXED_MEMORY_BYTES = 8_388_608;

/** What a life begins with. */
export interface LifeParts {
  readonly platform: Platform;
  readonly makeCore: (options: CoreOptions) => Promise<ShardLogCore>;
  readonly options: EngineOptions;
  readonly store: LogStore;
  readonly lasting: LastingParts;
  /** Where the data keys are; absent where there is no cryptography. */
  readonly vault?: KeyVault | undefined;
  /** What the life before knew of the log, when its store was replaced. */
  readonly testimony?: Testimony | undefined;
}

/** From recovery to close, or to the trap that ends it. */
export class EngineLife {
  readonly context: OperationContext;
  readonly api: ApiDispatch;
  readonly puts: PutService;
  readonly reads: ReadService;
  readonly groups: Groups;
  readonly epochs: EpochService;
  readonly jobs: Jobs;
  readonly leaseTables: LeaseTables;
  readonly store: LogStore;
  readonly #scaler: OnDemandScaler;
  readonly #forgetLosses: () => void;
  readonly #over = new AbortController();
  #ended = false;

  private constructor({ platform, options, store, lasting, vault }: LifeParts, log: Log) {
    this.store = store;
    const { clock, random } = platform;
    const { metrics, counters, subscriptions, events } = lasting;
    const catalogue = new Catalogue(log, clock, options);
    const { documents } = catalogue;
    const access = new AccessControl(documents);
    const { recoverable } = store;
    const keys = new EngineKeys({ log, clock, random, catalogue, vault, recoverable });
    this.context = { log, clock, random, options, catalogue, documents, access, metrics, keys };
    this.#scaler = new OnDemandScaler({ ...this.context, quotas: options.quotas });
    this.api = new ApiDispatch(this.context, subscriptions);
    this.puts = new PutService({ context: this.context, counters, scaler: this.#scaler });
    this.reads = new ReadService({ context: this.context, counters, subscriptions });
    const { locks } = platform;
    const { name: engineName } = options;
    this.groups = new Groups({
      ...{ log, clock, random, locks, documents, catalogue, engineName },
    });
    this.epochs = new EpochService({
      ...{ context: this.context, groups: this.groups, scaler: this.#scaler },
      arrivalMs: () => this.puts.arrivalMs(),
    });
    this.jobs = new Jobs({
      ...{ clock, documents, catalogue, incarnation: () => log.status().incarnation },
      onChange: (jobName, state) =>
        events.emit({ kind: "job-changed", atMs: clock.nowMs(), jobName, state }),
    });
    this.leaseTables = new LeaseTables({ log, documents });
    this.#forgetLosses = log.lossReports.onLoss((loss) => events.lost(loss));
    subscriptions.follow(this.context);
    counters.follow((shardUid) => log.control.shard(shardUid) !== undefined);
    metrics.follow((streamUid) => enabledShardMetrics(documents, streamUid));
  }

  /** Recovers the log of a store and takes up what the life before left. @throws MillraceError when that is not possible. */
  static async open(parts: LifeParts): Promise<EngineLife> {
    const { platform, makeCore, options, store, lasting, vault, testimony } = parts;
    const arenaBytesMax = options.memoryBudgetBytes - FIXED_MEMORY_BYTES;
    const core = await makeCore({
      shardSlotsMax: SHARD_SLOTS_MAX,
      routesMax: ROUTES_MAX,
      arenaBytesMax,
    });
    const log = await Log.open({
      name: options.name,
      core,
      store,
      clock: platform.clock,
      random: platform.random,
      vault,
      witnesses: platform.witnesses,
      testimony,
      arenaBytesMax,
      storageBudgetBytes: options.storageBudgetBytes,
      writeQuotas: options.quotas === "aws",
      onCommitted: (runs) => countIncoming(lasting.counters, runs),
      onEvent: (event) => lasting.events.noteLog(event),
    });
    lasting.events.begin(log.status().epoch, log.losses);
    const life = new EngineLife(parts, log);
    try {
      life.#takeUpTime();
      // A stream that is removed now takes its groups along, so that they are known before.
      life.groups.resume();
      await life.context.catalogue.resume();
      await life.context.keys.resume();
    } catch (error) {
      life.end(toMillraceError(error));
      throw error;
    }
    life.#scaler.resume();
    return life;
  }

  get log(): Log {
    return this.context.log;
  }

  /** Aborted when the life ends or closes, for what is kept for callers beside it. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Whether the life is over. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Ends the life: everything under way fails with an error that has the calls made again. */
  end(cause: MillraceError): void {
    this.#ended = true;
    const failure = cause instanceof CoreFailedError ? cause : new CoreFailedError(cause);
    this.#stopTimers(failure);
    this.log.fail(failure);
  }

  /** Commits what is pending and takes nothing more. */
  async close(): Promise<void> {
    this.#stopTimers(closedError(this.context.options.name));
    await this.log.close();
  }

  /** Puts records of the engine's own into the stream of a name. @throws ResourceNotFoundError. */
  async putOwn(streamName: string, pack: (streamUid: number) => ArrayBuffer): Promise<ArrayBuffer> {
    return await this.puts.putOwn(pack(this.context.catalogue.get(streamName).uid));
  }

  /** Takes over what only the life before knew: how far it took the batches of each producer. */
  succeed(before: EngineLife): EngineLife {
    this.log.producers.succeed(before.log.producers);
    return this;
  }

  /** Virtual time goes on from where it stood when the engine was last open, and never back. */
  #takeUpTime(): void {
    const { clock, documents, options } = this.context;
    if (options.time !== "virtual" || !(clock instanceof VirtualClock)) return;
    const behindMs = (documents.get<number>(TIME_KEY) ?? 0) - clock.nowMs();
    if (behindMs > 0) clock.advanceBy(behindMs);
  }

  #stopTimers(reason: MillraceError): void {
    this.#over.abort();
    this.groups.stop(reason);
    this.jobs.stop();
    this.#forgetLosses();
    this.context.catalogue.stop();
    this.context.keys.stop();
    this.#scaler.stop();
  }
}

function countIncoming(counters: ShardCounters, runs: readonly Run[]): void {
  for (const { shardUid, recordCount, byteLength } of runs) {
    const incomingBytes = byteLength - recordCount * FRAME_HEADER_BYTES;
    counters.add(shardUid, { incomingRecords: recordCount, incomingBytes });
  }
}
