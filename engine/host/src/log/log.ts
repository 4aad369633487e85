/**
 * The durable shard log of one engine: appends, commits, seals, checkpoints, expires and reads.
 *
 * Each activity has a module of its own; this one opens them over the same context, runs them at
 * the right moments and is what the layers above see.
 */
import type { Run, ShardLogCore } from "../core/core-types.ts";
import { BackpressureError, EngineFailedError, type MillraceError } from "../errors/index.ts";
import type { Clock, Random } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import { Checkpointer } from "./checkpoint.ts";
import { CommitWaiters } from "./commit-waiters.ts";
import type { ControlRecord, StreamDefinition } from "./control-records.ts";
import type { ControlState } from "./control-state.ts";
import { closedError, GroupCommit, type WaitingPut } from "./group-commit.ts";
import type { DataLoss, LogContext, LogLimits } from "./log-context.ts";
import type { ProducerTable } from "./producer-table.ts";
import { Reader, type ReadLimits, type ReadOutcome, type ReadPosition } from "./reader.ts";
import { recover, requireShard } from "./recovery.ts";
import { RetentionSweep, SWEEP_INTERVAL_MS } from "./retention.ts";
import { Sealer } from "./sealer.ts";
import type { ShardSlots, SlottedShard } from "./shard-slots.ts";

/** A frame takes no further batch from here on: 1 MiB, and up to 4 MiB where memory allows. */
const FRAME_BYTES_SOFT = { min: 1_048_576, max: 4_194_304 } as const;
/** Largest WAL before a checkpoint trims it: 32 MiB. */
const WAL_BYTES_MAX = 33_554_432;
/** Largest amount of memory that the store does not have yet: 64 MiB. */
const DIRTY_BYTES_MAX = 67_108_864;
/** An open segment is sealed when its first record is this old: 1 hour. */
const SEAL_AGE_MS = 3_600_000;

/** What a log is opened over. */
export interface LogSettings {
  /** Name of the engine, for messages. */
  readonly name: string;
  readonly core: ShardLogCore;
  readonly store: LogStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Size of the core's arena in bytes. */
  readonly arenaBytesMax: number;
  /** Whether the write quotas of shards are enforced. */
  readonly writeQuotas: boolean;
  /** Called with every run of records that becomes durable from now on. */
  readonly onCommitted: (runs: readonly Run[]) => void;
}

/** Sizes of a log in the store, and how it is doing. */
export interface LogStatus {
  readonly epoch: number;
  readonly walFrames: number;
  readonly walBytes: number;
  readonly segments: number;
  readonly commits: number;
  /** Bytes of requests that are not acknowledged yet. */
  readonly unacknowledgedBytes: number;
  /** Why sealing last failed, until it succeeds. */
  readonly sealFailure: string | undefined;
  /** Why retention dropped nothing in the last sweep although it might have. */
  readonly retentionPausedBecause: string | undefined;
}

/** Part of a limit from which on sealing no longer waits for a quiet moment. */
const SEAL_AT_PART = 0.75;

/**
 * Chooses limits that leave the cache at least half of the arena. Where nothing survives the process,
 * the store takes only what memory has no room for.
 */
function limitsFor(arenaBytesMax: number, recoverable: boolean): LogLimits {
  return {
    frameBytesSoft: Math.min(
      FRAME_BYTES_SOFT.max,
      Math.max(FRAME_BYTES_SOFT.min, arenaBytesMax / 32),
    ),
    walBytesMax: Math.min(WAL_BYTES_MAX, Math.floor(arenaBytesMax / 4)),
    dirtyBytesMax: recoverable
      ? Math.min(DIRTY_BYTES_MAX, Math.floor(arenaBytesMax / 2))
      : Math.floor(arenaBytesMax * SEAL_AT_PART),
  };
}

/** An open log. One per engine; the only writer of its store. */
export class Log {
  readonly #name: string;
  readonly #onCommitted: (runs: readonly Run[]) => void;
  readonly #context: LogContext;
  readonly #waiters = new CommitWaiters();
  readonly #commit: GroupCommit;
  readonly #sealer: Sealer;
  readonly #checkpointer: Checkpointer;
  readonly #retention: RetentionSweep;
  readonly #reader: Reader;
  #cancelSweep: () => void;
  #closed = false;

  private constructor(settings: LogSettings, context: LogContext) {
    this.#name = settings.name;
    this.#onCommitted = settings.onCommitted;
    this.#context = context;
    this.#commit = new GroupCommit(context, {
      committed: (runs) => this.#committed(runs),
      applied: (record) => this.#applied(record),
      pressed: () => this.#pressed(),
      rewound: () => this.#wakeClosed(),
      failed: () => this.#waiters.wakeAll(),
    });
    this.#sealer = new Sealer(context, this.#commit);
    this.#checkpointer = new Checkpointer(context, this.#commit, this.#sealer);
    this.#retention = new RetentionSweep(context, this.#commit);
    this.#reader = new Reader(context);
    context.guard.onOlder = (error) => this.fail(error);
    context.store.onLost((reason) => this.#lost(reason));
    this.#cancelSweep = context.clock.after(SWEEP_INTERVAL_MS, () => this.#sweep());
  }

  /** Takes the lead of a store and recovers what it holds. @throws MillraceError when that is not possible. */
  static async open(settings: LogSettings): Promise<Log> {
    const context = await recover({
      ...settings,
      limits: limitsFor(settings.arenaBytesMax, settings.store.recoverable),
    });
    const log = new Log(settings, context);
    log.#sealer.kick();
    log.#checkpointer.consider();
    return log;
  }

  get control(): ControlState {
    return this.#context.control;
  }

  get core(): ShardLogCore {
    return this.#context.core;
  }

  get slots(): ShardSlots {
    return this.#context.slots;
  }

  get producers(): ProducerTable {
    return this.#context.producers;
  }

  /** Losses found so far, oldest first. */
  get losses(): readonly DataLoss[] {
    return this.#context.losses;
  }

  /** Why the log takes no more writes, if it does not. */
  get failure(): MillraceError | undefined {
    return this.#commit.failure;
  }

  /** Takes a batch; appends it when its turn has come. */
  put(put: WaitingPut): void {
    this.#commit.put(put);
  }

  /** Commits changes of state in one frame; resolves once they are applied. */
  async change(records: readonly ControlRecord[]): Promise<void> {
    await this.#commit.change(records);
  }

  /** Reads durable records. Waits for the store only when nothing asked for is in memory. */
  read(positions: readonly ReadPosition[], limits: ReadLimits): Promise<ReadOutcome> {
    return this.#reader.read(positions, limits);
  }

  /** Index of the first record that is durable and within the retention period; the end when there is none. */
  trimHorizon(shard: SlottedShard): Promise<number> {
    return this.#reader.trimHorizon(shard);
  }

  /** Index of the first durable record at or after a time (ms since the Unix epoch) that retention keeps. */
  indexAtTime(shard: SlottedShard, timeMs: number): Promise<number> {
    return this.#reader.indexAtTime(shard, timeMs);
  }

  /** Calls `wake` once, at the next commit with records of one of the slots, or at close. Returns the cancellation. */
  onCommit(slots: readonly number[], wake: () => void): () => void {
    return this.#waiters.wait(slots, wake);
  }

  /** Seals everything, writes a snapshot and trims the WAL. */
  checkpoint(): Promise<void> {
    return this.#checkpointer.run();
  }

  /** Drops what retention no longer keeps. Runs by itself once a minute. */
  sweep(): Promise<void> {
    return this.#retention.sweep();
  }

  status(): LogStatus {
    const { wal, directory, epoch } = this.#context;
    return {
      epoch,
      walFrames: wal.frameCount,
      walBytes: wal.byteLength,
      segments: directory.count,
      commits: this.#commit.commits,
      unacknowledgedBytes: this.#commit.unacknowledgedBytes,
      sealFailure: this.#sealer.failure?.message,
      retentionPausedBecause: this.#retention.pausedBecause,
    };
  }

  /** Finishes what was accepted, then takes nothing more. The store stays open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelSweep();
    await this.#commit.idle();
    await this.#sealer.stop();
    await this.#checkpointer.settled();
    await this.#commit.idle();
    this.#context.guard.stop();
    this.#commit.fail(closedError(this.#name));
  }

  /** Ends everything at once with an error; what was not acknowledged is indeterminate. */
  fail(error: MillraceError): void {
    this.#cancelSweep();
    this.#commit.fail(error);
  }

  /** The platform closed the store by itself: data was cleared, or another context wants it. */
  #lost(reason: string): void {
    if (this.#closed || this.failure !== undefined) return;
    this.#context.guard.reopen().catch((cause: unknown) => {
      this.fail(
        new EngineFailedError(`the store was taken away (${reason}) and does not open again`, {
          indeterminate: true,
          cause,
        }),
      );
    });
  }

  #committed(runs: readonly Run[]): void {
    this.#onCommitted(runs);
    this.#waiters.wake(runs.map((run) => run.slot));
    if (this.#worthSealing()) this.#sealer.kick();
    this.#checkpointer.consider();
  }

  /** Sealing writes everything a second time, so that it keeps out of the way of a burst while it can. */
  #worthSealing(): boolean {
    const { store, core, limits, wal } = this.#context;
    if (core.memory().dirtyBytes > limits.dirtyBytesMax * SEAL_AT_PART) return true;
    if (!store.recoverable) return false;
    return !this.#commit.busy || wal.byteLength > limits.walBytesMax * SEAL_AT_PART;
  }

  /** Follows the control state with the core, the directory and the store. */
  #applied(record: ControlRecord): void {
    const { slots, control, core, directory } = this.#context;
    switch (record.kind) {
      case "stream-created":
        this.#addStream(record.stream);
        return;
      case "stream-deleted":
        this.#removeStream(record.streamUid);
        return;
      case "stream-updated":
        this.#updateSettings(record.streamUid);
        return;
      case "stream-resharded":
        this.#reshard(record);
        return;
      case "shards-expired":
        this.#dropSegments(slots.removeClosed(record.shardUids));
        return;
      case "segments-sealed":
        for (const { key, lastIndex } of record.segments) {
          if (control.shard(key[0]) === undefined) continue;
          directory.add(key);
          directory.noteLast(key, lastIndex);
        }
        return;
      case "shard-trimmed": {
        const shard = slots.ofUid(record.shardUid);
        if (shard !== undefined) core.trim(shard.slot, record.beforeIndex);
        return;
      }
      case "document-put":
      case "document-deleted":
        return;
    }
  }

  #addStream(stream: StreamDefinition): void {
    this.#context.slots.addStream(stream, (uid) => requireShard(this.#context.control, uid));
  }

  #updateSettings(streamUid: number): void {
    const { slots, control } = this.#context;
    const stream = control.stream(streamUid);
    if (stream !== undefined) slots.updateSettings(stream);
  }

  /** Children take over from here on; whoever waits at the end of a parent learns that nothing follows. */
  #reshard({
    streamUid,
    closed,
    opened,
  }: Extract<ControlRecord, { kind: "stream-resharded" }>): void {
    const { slots, control, core } = this.#context;
    const stream = control.stream(streamUid);
    if (stream === undefined) return;
    slots.reshard(stream, opened, (uid) => requireShard(control, uid));
    const parents = closed.flatMap((uid) => slots.ofUid(uid)?.slot ?? []);
    for (const slot of parents) core.roll(slot);
    this.#waiters.wake(parents);
    this.#sealer.kick();
  }

  /** The last records of a closed shard are gone: its end may be nearer than its readers know. */
  #wakeClosed(): void {
    const { slots, control } = this.#context;
    const closed = [...control.shards()].filter(({ closedMs }) => closedMs !== undefined);
    this.#waiters.wake(closed.flatMap(({ uid }) => slots.ofUid(uid)?.slot ?? []));
  }

  #removeStream(streamUid: number): void {
    this.#dropSegments(this.#context.slots.removeStream(streamUid));
  }

  #dropSegments(shards: readonly SlottedShard[]): void {
    const { directory, store } = this.#context;
    this.#waiters.wake(shards.map((shard) => shard.slot));
    const keys = shards.flatMap((shard) => directory.drop(shard.uid));
    // Segments that stay behind because of an error are garbage to the next leader.
    store.deleteSegments(keys).catch(() => undefined);
  }

  #pressed(): MillraceError | undefined {
    if (this.#context.core.sealable(1).length === 0 && !this.#context.core.hasProvisional()) {
      this.#context.core.rollOlderThan(Number.POSITIVE_INFINITY);
    }
    this.#sealer.kick();
    const { failure } = this.#sealer;
    if (failure === undefined) return undefined;
    return new BackpressureError(
      `memory is full and the store takes no segments: ${failure.message}`,
      {
        retryable: true,
        cause: failure,
      },
    );
  }

  #sweep(): void {
    if (this.#closed || this.failure !== undefined) return;
    const { clock, core } = this.#context;
    core.rollOlderThan(clock.nowMs() - SEAL_AGE_MS);
    this.#sealer.kick();
    this.#checkpointer.consider();
    const next = (): void => {
      if (this.#closed) return;
      this.#cancelSweep = clock.after(SWEEP_INTERVAL_MS, () => this.#sweep());
    };
    // A sweep that fails has dropped nothing, and the next one tries again.
    this.#retention.sweep().then(next, next);
  }
}
