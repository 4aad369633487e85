/**
 * The durable shard log of one engine: appends, commits, seals, checkpoints, expires and reads.
 *
 * Each activity has a module of its own; this one opens them over the same context, runs them at
 * the right moments and is what the layers above see.
 */
import type { Run, ShardLogCore } from "../core/core-types.ts";
import {
  BackpressureError,
  EngineFailedError,
  type MillraceError,
  StoreFullError,
} from "../errors/index.ts";
import { Checkpointer } from "./checkpoint.ts";
import { closedError, endedBy } from "./commit-errors.ts";
import { CommitWaiters } from "./commit-waiters.ts";
import type { ControlRecord, StreamDefinition } from "./control-records.ts";
import type { ControlState } from "./control-state.ts";
import { GroupCommit } from "./group-commit.ts";
import { HeldStore } from "./held-store.ts";
import type { LogContext, LogLimits } from "./log-context.ts";
import type { LogEvent } from "./log-events.ts";
import { LogExport } from "./log-export.ts";
import type { DataLoss, LossReports } from "./loss-reports.ts";
import type { Waiting } from "./pending-put.ts";
import type { ProducerTable } from "./producer-table.ts";
import { Reader, type ReadLimits, type ReadOutcome, type ReadPosition } from "./reader.ts";
import type { RecordCipher } from "./record-cipher.ts";
import { countRecords } from "./record-count.ts";
import { type RecoverySettings, recover, requireShard } from "./recovery.ts";
import { RetentionSweep, SWEEP_INTERVAL_MS } from "./retention.ts";
import { RoomKeeper } from "./room-keeper.ts";
import { type ScrubReport, scrubLog } from "./scrub.ts";
import { Sealer } from "./sealer.ts";
import type { ShardSlots, SlottedShard } from "./shard-slots.ts";
import type { HeldSegment } from "./wal-ledger.ts";

/** A frame takes no further batch from here on: 1 MiB, and up to 4 MiB where memory allows. */
const FRAME_BYTES_SOFT = { min: 1_048_576, max: 4_194_304 } as const;
/** Largest WAL before a checkpoint trims it: 32 MiB. */
const WAL_BYTES_MAX = 33_554_432;
/** Largest amount of memory that the store does not have yet: 64 MiB. */
const DIRTY_BYTES_MAX = 67_108_864;
/** Part of the storage budget that the WAL may take, and needs a second time while it is sealed. */
const WAL_PART = 1 / 8;
/** An open segment is sealed when its first record is this old: 1 hour. */
const SEAL_AGE_MS = 3_600_000;

/** What a log is opened over. */
export interface LogSettings extends Omit<RecoverySettings, "limits"> {
  /** Size of the core's arena in bytes. */
  readonly arenaBytesMax: number;
  /** Called with every run of records that becomes durable from now on. */
  readonly onCommitted: (runs: readonly Run[]) => void;
  /** Bytes that the log may keep in the store; as much as the store gives when absent. */
  readonly storageBudgetBytes?: number | undefined;
  /** Called with what the log tells without being asked; losses are told by {@link Log.lossReports}. */
  readonly onEvent?: (event: LogEvent) => void;
}

/** Sizes of a log in the store, and how it is doing. */
export interface LogStatus {
  readonly epoch: number;
  /** Random id of this life of the log, 32 hexadecimal digits; another one after it came back empty or older. */
  readonly incarnation: string;
  /** Whether a witness outside the store is kept. */
  readonly witnessed: boolean;
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
  /** Bytes that the log may keep; undefined without a budget. */
  readonly budgetBytes: number | undefined;
  /** Bytes of WAL frames and segments in the store, as far as they are known. */
  readonly storedBytes: number;
  /** Whether puts are refused because the store or the budget is full. */
  readonly full: boolean;
}

/** Part of a limit from which on sealing no longer waits for a quiet moment. */
const SEAL_AT_PART = 0.75;

/**
 * Chooses limits that leave the cache at least half of the arena. Where nothing survives the process,
 * the store takes only what memory has no room for.
 */
function limitsFor({ arenaBytesMax, store, storageBudgetBytes }: LogSettings): LogLimits {
  const { recoverable } = store;
  const budgetBytes = storageBudgetBytes ?? Number.POSITIVE_INFINITY;
  return {
    frameBytesSoft: Math.min(
      FRAME_BYTES_SOFT.max,
      Math.max(FRAME_BYTES_SOFT.min, arenaBytesMax / 32),
    ),
    walBytesMax: Math.min(
      WAL_BYTES_MAX,
      Math.floor(arenaBytesMax / 4),
      Math.floor(budgetBytes * WAL_PART),
    ),
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
  readonly #held: HeldStore;
  readonly #waiters = new CommitWaiters();
  readonly #commit: GroupCommit;
  readonly #sealer: Sealer;
  readonly #checkpointer: Checkpointer;
  readonly #retention: RetentionSweep;
  readonly #reader: Reader;
  readonly #room: RoomKeeper;
  readonly #followers = new Set<(record: ControlRecord) => void>();
  /** Says what is stored in one step with the expiry of shards, which are still there when it is asked. */
  whenExpiring: (shardUids: readonly number[]) => readonly ControlRecord[] = () => [];
  /** Does what makes shards expire; for whoever notes something in the same step. */
  guardExpiry: (expire: () => Promise<void>) => Promise<void> = (expire) => expire();
  #cancelSweep: () => void;
  #closed = false;

  private constructor(settings: LogSettings, context: LogContext, held: HeldStore) {
    this.#held = held;
    this.#name = settings.name;
    this.#onCommitted = settings.onCommitted;
    this.#context = context;
    this.#commit = new GroupCommit(context, {
      committed: (runs) => this.#committed(runs),
      applied: (record) => {
        this.#applied(record);
        context.controlCopy.applied(record);
        for (const tell of this.#followers) tell(record);
      },
      pressed: () => this.#pressed(),
      admit: (byteLength, unwrittenBytes) => this.#room.admit(byteLength, unwrittenBytes),
      refused: (error, byteLength) => this.#room.refused(error, byteLength),
      rewound: () => this.#wakeClosed(),
      failed: () => this.#failed(),
    });
    this.#sealer = new Sealer(context, this.#commit);
    this.#checkpointer = new Checkpointer(context, this.#commit, this.#sealer);
    this.#retention = new RetentionSweep(context, this.#commit, {
      noted: (uids) => this.whenExpiring(uids),
      guard: (expire) => this.guardExpiry(expire),
    });
    this.#reader = new Reader(context);
    this.#room = new RoomKeeper(context, {
      ...{ commit: this.#commit, checkpointer: this.#checkpointer, retention: this.#retention },
      budgetBytes: settings.storageBudgetBytes,
      onEvent: settings.onEvent ?? (() => undefined),
    });
    context.guard.onOlder = (error) => this.#older(error);
    context.store.onLost((reason) => this.#lost(reason));
    this.#cancelSweep = context.clock.after(SWEEP_INTERVAL_MS, () => this.#sweep());
  }

  /** Takes the lead of a store and recovers what it holds. @throws MillraceError when that is not possible. */
  static async open(settings: LogSettings): Promise<Log> {
    const store = new HeldStore(settings.store);
    const context = await recover({
      ...settings,
      store,
      limits: limitsFor(settings),
    });
    const log = new Log(settings, context, store);
    log.#sealer.kick();
    log.#checkpointer.consider();
    void log.#room.measure();
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

  /** Encrypts and decrypts for this life. */
  get cipher(): RecordCipher {
    return this.#context.cipher;
  }

  get producers(): ProducerTable {
    return this.#context.producers;
  }

  /** Losses found so far, oldest first. */
  get losses(): readonly DataLoss[] {
    return this.#context.losses.list();
  }

  /** Tells of losses as they are found. */
  get lossReports(): LossReports {
    return this.#context.losses;
  }

  /** Why the log takes no more writes, if it does not. */
  get failure(): MillraceError | undefined {
    return this.#commit.failure;
  }

  /** Whether the store keeps a segment of a shard up to an ordinal, or a WAL frame with records of one. */
  holdsThrough(shardUid: number, ordinal: number): boolean {
    const { directory, wal } = this.#context;
    const isOne = (held: HeldSegment): boolean =>
      held.shardUid === shardUid && held.ordinal <= ordinal;
    if (directory.of(shardUid).some((key) => key[1] <= ordinal)) return true;
    return wal.frames().some(({ holds }) => holds.some(isOne));
  }

  /** Takes a batch or a compound; appends it when its turn has come. */
  put(put: Waiting): void {
    this.#commit.put(put);
  }

  /**
   * Commits changes of state in one frame; resolves once they are applied. Changes go through when puts are
   * refused for want of room; where the store itself has none, some is made first.
   */
  async change(records: readonly ControlRecord[]): Promise<void> {
    try {
      await this.#commit.change(records);
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      await this.#room.makeRoom(error);
      await this.#commit.change(records);
    }
  }

  /** Reads durable records. Waits for the store only when nothing asked for is in memory. */
  read(positions: readonly ReadPosition[], limits: ReadLimits): Promise<ReadOutcome> {
    return this.#reader.read(positions, limits);
  }

  /** Number of durable records at or after the index of one. */
  countRecords(shard: SlottedShard, fromIndex: number): number {
    return countRecords(this.#context, shard, fromIndex);
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

  /** Calls `listener` with every control record that was applied, from now on. Returns how to end that. */
  onApplied(listener: (record: ControlRecord) => void): () => void {
    this.#followers.add(listener);
    return () => this.#followers.delete(listener);
  }

  /** Seals everything, writes a snapshot and trims the WAL. */
  checkpoint(): Promise<void> {
    return this.#checkpointer.run();
  }

  /** Reads all that is stored and verifies it; writes nothing. @throws MillraceError when the store is out of reach. */
  scrub(): Promise<ScrubReport> {
    return scrubLog(this.#context);
  }

  /** Freezes the log as it is now and gives it out as one file; see {@link LogExport}. */
  async export(): Promise<LogExport> {
    // A log that cannot be checkpointed at present is exported as it lies.
    await this.checkpoint().catch(() => undefined);
    return new LogExport(this.#context, this.#held);
  }

  /** Drops what retention no longer keeps. Runs by itself once a minute. */
  async sweep(): Promise<void> {
    await this.#retention.sweep();
    this.#room.changed();
  }

  status(): LogStatus {
    const { wal, directory, epoch, witness } = this.#context;
    return {
      epoch,
      incarnation: witness.incarnation,
      witnessed: witness.kept,
      walFrames: wal.frameCount,
      walBytes: wal.byteLength,
      segments: directory.count,
      commits: this.#commit.commits,
      unacknowledgedBytes: this.#commit.unacknowledgedBytes,
      sealFailure: this.#sealer.failure?.message,
      retentionPausedBecause: this.#retention.pausedBecause,
      budgetBytes: this.#room.budget.budgetBytes,
      storedBytes: this.#room.budget.storedBytes,
      full: this.#room.full,
    };
  }

  /** Finishes what was accepted, then takes nothing more. The store stays open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelSweep();
    await this.#commit.idle();
    await this.#room.stop();
    await this.#sealer.stop();
    await this.#checkpointer.settled();
    await this.#commit.finish(closedError(this.#name));
    this.#context.guard.stop();
    await this.#context.controlCopy.close();
    await this.#context.witness.close();
    this.#commit.fail(closedError(this.#name));
  }

  /** Ends everything at once with an error; what was not acknowledged is indeterminate. */
  fail(error: MillraceError): void {
    this.#context.witness.stop();
    this.#context.controlCopy.stop();
    this.#cancelSweep();
    this.#commit.fail(error);
    void this.#room.stop();
  }

  /** The platform closed the store by itself: data was cleared, or another context wants it. */
  #lost(reason: string): void {
    if (this.#closed || this.failure !== undefined) return;
    const { guard, clock } = this.#context;
    guard.reopenPatiently(clock).catch((cause: unknown) => {
      const text = `the store was taken away (${reason}) and does not open again`;
      const error = new EngineFailedError(text, { indeterminate: true, cause });
      this.fail(endedBy(error, this.#context.witness));
    });
  }

  /** The store came back older, or as another one. */
  #older(error: MillraceError): MillraceError {
    const reason = endedBy(error, this.#context.witness);
    this.fail(reason);
    return reason;
  }

  #failed(): void {
    this.#held.leaveAll();
    this.#waiters.wakeAll();
  }

  #committed(runs: readonly Run[]): void {
    this.#onCommitted(runs);
    if (runs.length > 0) this.#room.accepted();
    this.#context.witness.committed();
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
        for (const { key, byteLength, recordCount, lastIndex } of record.segments) {
          if (control.shard(key[0]) === undefined) continue;
          directory.add(key, [byteLength, recordCount, lastIndex]);
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
    const { directory, store, cipher } = this.#context;
    this.#waiters.wake(shards.map((shard) => shard.slot));
    for (const { uid } of shards) cipher.forgetShard(uid);
    const keys = shards.flatMap((shard) => directory.drop(shard.uid));
    // Segments that stay behind because of an error are garbage to the next leader.
    store.deleteSegments(keys).catch(() => undefined);
    this.#room.changed();
  }

  #pressed(): MillraceError | undefined {
    if (this.#sealer.stopped) return closedError(this.#name);
    if (this.#context.core.sealable(1).length === 0 && !this.#context.core.hasProvisional()) {
      this.#context.core.rollOlderThan(Number.POSITIVE_INFINITY);
    }
    this.#sealer.kick();
    const { failure } = this.#sealer;
    if (failure === undefined) return undefined;
    if (failure instanceof StoreFullError) return this.#room.pressed(failure);
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
      if (this.#closed || this.failure !== undefined) return;
      this.#cancelSweep = clock.after(SWEEP_INTERVAL_MS, () => this.#sweep());
    };
    // A sweep that fails has dropped nothing, and the next one tries again.
    this.#retention.sweep().then(next, next);
  }
}
