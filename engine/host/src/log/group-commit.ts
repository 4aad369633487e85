/**
 * Group commit: request batches and control records become WAL frames, one at a time.
 *
 * While a frame is being written the next one grows, up to a soft limit; what comes later waits
 * outside the core. A batch is acknowledged when its frame is durable, and only then can its records
 * be read. When a frame fails, everything appended since the last durable one is taken back, the
 * growing frame included, before anybody is told.
 */
import { CoreTrapError } from "../core/core-errors.ts";
import type { Run } from "../core/core-types.ts";
import { releaseBuffer } from "../core/release-buffer.ts";
import {
  DeposedError,
  EngineClosedError,
  EngineFailedError,
  MillraceError,
  ResourceNotFoundError,
} from "../errors/index.ts";
import { refuseContradictions } from "./change-check.ts";
import type { ControlRecord } from "./control-records.ts";
import { type AppendedPut, FrameGroup, type PendingChange } from "./frame-group.ts";
import { writeFrame } from "./frame-writer.ts";
import type { LogContext } from "./log-context.ts";
import { encodeResults } from "./producer-table.ts";
import { controlSection, producerSection, recordSections } from "./sections.ts";
import { encodeFrame, type SectionDraft } from "./wal-frame.ts";
import type { HeldSegment } from "./wal-ledger.ts";

/** Bytes of records that a frame of several batches does not exceed; a larger batch goes alone. */
const FRAME_HARD_BYTES = 12_582_912;

/** A batch that waits to be appended. Calling `append` appends it to the core. */
export interface WaitingPut {
  /** Length of the request in bytes. */
  readonly byteLength: number;
  /** Appends the batch; undefined when it is settled already (refused, or a repeat). */
  readonly append: () => AppendedPut | undefined;
  readonly reject: (error: Error) => void;
}

/** What happens outside when a frame is durable or memory runs short. */
export interface GroupCommitListener {
  /** These runs of records are durable now. */
  committed(runs: readonly Run[]): void;
  /** A control record has just been applied to the control state. */
  applied(record: ControlRecord): void;
  /**
   * An append waits because too much is in memory that the store does not have yet. Returns why the
   * store takes no more, when waiting has no prospect.
   */
  pressed(): MillraceError | undefined;
  /** What was appended and not durable was taken back. */
  rewound(): void;
  /** Nothing is written from now on. */
  failed(): void;
}

/**
 * The core trapped: its memory can no longer be trusted, only the store can. What was under way may or
 * may not be in the store.
 */
export class CoreFailedError extends EngineFailedError {
  /** Whether it was this very call's own batch that the core trapped at. */
  readonly ownBatch: boolean;

  constructor(cause: MillraceError, ownBatch = false) {
    super(`the core failed (${cause.message}); what is in the store is safe`, {
      indeterminate: true,
      cause,
    });
    this.ownBatch = ownBatch;
  }
}

/** The one writer of the WAL. */
export class GroupCommit {
  readonly #context: LogContext;
  readonly #listener: GroupCommitListener;
  readonly #waiting: WaitingPut[] = [];
  #growing = new FrameGroup();
  #inFlight: FrameGroup | undefined;
  #failure: MillraceError | undefined;
  #idle: (() => void)[] = [];
  #commits = 0;
  /** The batch that the core trapped at. */
  #trapped: WaitingPut | undefined;

  constructor(context: LogContext, listener: GroupCommitListener) {
    this.#context = context;
    this.#listener = listener;
  }

  /** Frames that were committed since the log opened. */
  get commits(): number {
    return this.#commits;
  }

  /** Bytes of requests that are not acknowledged yet. */
  get unacknowledgedBytes(): number {
    const waiting = this.#waiting.reduce((sum, put) => sum + put.byteLength, 0);
    return waiting + this.#growing.requestBytes + (this.#inFlight?.requestBytes ?? 0);
  }

  /** Why the log takes no more writes, if it does not. */
  get failure(): MillraceError | undefined {
    return this.#failure;
  }

  /** Whether anything waits to be committed. */
  get busy(): boolean {
    return this.#inFlight !== undefined || !this.#growing.empty || this.#waiting.length > 0;
  }

  /** Takes a batch; its own promise tells the rest. */
  put(put: WaitingPut): void {
    if (this.#failure !== undefined) {
      put.reject(this.#failure);
      return;
    }
    this.#waiting.push(put);
    this.pump();
  }

  /** Commits control records and further sections in one frame; resolves with its number once they are applied. */
  change(
    records: readonly ControlRecord[],
    sections: () => readonly SectionDraft[] = () => [],
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#growing.addChange({ records, sections, resolve, reject });
      this.pump();
    });
  }

  /** Resolves when nothing waits, grows or is in flight. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#tellIdle();
    });
  }

  /** Appends what fits into the growing frame and sends it off when no other is in flight. */
  pump(): void {
    while (this.#failure === undefined) {
      this.#fill();
      if (this.#inFlight !== undefined || this.#growing.empty) return;
      refuseContradictions(this.#context.control, this.#growing);
      if (this.#growing.empty) {
        this.#tellIdle();
        continue;
      }
      const group = this.#growing;
      this.#growing = new FrameGroup();
      if (this.#context.store.recoverable) {
        this.#inFlight = group;
        void this.#commit(group);
        return;
      }
      this.#commitInMemory(group);
    }
  }

  /** Ends all that is under way with an error, for good. */
  fail(error: MillraceError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const groups = [this.#inFlight, this.#growing];
    this.#growing = new FrameGroup();
    // In the order in which they came, so that whoever makes the calls again keeps it.
    for (const group of groups) group?.reject(error);
    for (const put of this.#waiting.splice(0)) {
      put.reject(
        put === this.#trapped && error instanceof CoreFailedError ? ownFault(error) : error,
      );
    }
    this.#tellIdle();
    this.#listener.failed();
  }

  #fill(): void {
    while (this.#growing.recordBytes < this.#context.limits.frameBytesSoft) {
      const next = this.#waiting[0];
      if (next === undefined) return;
      const { recordBytes } = this.#growing;
      if (recordBytes > 0 && recordBytes + next.byteLength > FRAME_HARD_BYTES) return;
      if (!this.#hasRoomFor(next.byteLength)) {
        const hopeless = this.#listener.pressed();
        if (hopeless === undefined) return;
        this.#waiting.shift();
        next.reject(hopeless);
        continue;
      }
      this.#waiting.shift();
      this.#append(next);
    }
  }

  #append(next: WaitingPut): void {
    try {
      const put = next.append();
      if (put === undefined) return;
      this.#growing.puts.push(put);
      this.#growing.recordBytes += put.byteLength;
    } catch (error) {
      if (error instanceof CoreTrapError) {
        this.#trapped = next;
        this.#waiting.unshift(next);
        this.fail(new CoreFailedError(error));
        return;
      }
      next.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #hasRoomFor(byteLength: number): boolean {
    const { dirtyBytes } = this.#context.core.memory();
    return dirtyBytes === 0 || dirtyBytes + byteLength <= this.#context.limits.dirtyBytesMax;
  }

  #commitInMemory(group: FrameGroup): void {
    const { core } = this.#context;
    let runs: readonly Run[];
    try {
      runs = core.cut();
      core.commit(this.#commits + 1);
    } catch (error) {
      this.#takeBack(group, error);
      return;
    }
    this.#settle(group, runs, this.#commits + 1);
  }

  async #commit(group: FrameGroup): Promise<void> {
    const { core, clock, wal } = this.#context;
    const frameNumber = wal.nextFrameNumber;
    try {
      const runs = core.cut();
      const frame = encodeFrame(
        core,
        {
          epoch: this.#context.epoch,
          frameNumber,
          previousHash: wal.previousHash,
          timeMs: clock.nowMs(),
        },
        [...recordSections(runs), ...this.#groupSections(group)],
      );
      const { byteLength } = frame.bytes;
      await writeFrame(this.#context, frameNumber, frame);
      releaseBuffer(frame.bytes);
      if (this.#failure !== undefined) return;
      core.commit(frameNumber);
      wal.add({ frameNumber, byteLength, fence: false, holds: runs.map(heldBy) }, frame.hash);
      this.#inFlight = undefined;
      this.#settle(group, runs, frameNumber);
    } catch (error) {
      this.#inFlight = undefined;
      this.#takeBack(group, error);
    }
    this.pump();
  }

  #groupSections(group: FrameGroup): SectionDraft[] {
    const sections = group.changes.flatMap((change) => [...change.sections()]);
    const records = group.changes.flatMap((change) => change.records);
    if (records.length > 0) sections.push(controlSection(records));
    if (group.puts.length > 0) {
      sections.push(producerSection(encodeResults(group.puts.map((put) => put.outcome))));
    }
    return sections;
  }

  #settle(group: FrameGroup, runs: readonly Run[], frameNumber: number): void {
    this.#commits++;
    for (const put of group.puts) this.#context.producers.add(put.outcome);
    for (const change of group.changes) this.#apply(change, frameNumber);
    for (const put of group.puts) put.resolve(put.result);
    this.#listener.committed(runs);
    this.#tellIdle();
  }

  #apply(change: PendingChange, frameNumber: number): void {
    try {
      for (const record of change.records) {
        this.#context.control.apply(record);
        if (record.kind === "stream-deleted") this.#withdraw(record.streamUid);
        this.#listener.applied(record);
      }
    } catch (error) {
      change.reject(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    change.resolve(frameNumber);
  }

  /** Records that are appended to a stream but not committed when it is deleted go with it. */
  #withdraw(streamUid: number): void {
    for (const put of this.#growing.withdraw(streamUid)) {
      put.reject(ResourceNotFoundError.stream(put.streamName));
    }
  }

  #takeBack(group: FrameGroup, error: unknown): void {
    if (this.#failure !== undefined) return;
    if (error instanceof CoreTrapError) {
      this.#failWith(group, new CoreFailedError(error));
      return;
    }
    const reason = asMillraceError(error);
    if (reason instanceof DeposedError || reason.indeterminate) {
      this.#failWith(group, reason);
      return;
    }
    try {
      this.#context.core.rewind();
    } catch (trap) {
      this.#failWith(group, new CoreFailedError(asMillraceError(trap)));
      return;
    }
    const growing = this.#growing;
    this.#growing = new FrameGroup();
    group.reject(reason);
    growing.reject(reason);
    this.#listener.rewound();
    this.#tellIdle();
  }

  #failWith(group: FrameGroup, error: MillraceError): void {
    group.reject(error);
    this.fail(error);
  }

  #tellIdle(): void {
    if (this.busy && this.#failure === undefined) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function heldBy({ shardUid, ordinal }: Run): HeldSegment {
  return { shardUid, ordinal };
}

function asMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return new MillraceError("InternalFailureException", `a commit failed: ${String(error)}`, {
    retryable: true,
    cause: error,
  });
}

function ownFault(error: CoreFailedError): CoreFailedError {
  return new CoreFailedError(asMillraceError(error.cause), true);
}

/** The error for calls after the log was closed. */
export function closedError(name: string): EngineClosedError {
  return new EngineClosedError(`the engine "${name}" is closed`, { argument: "name", value: name });
}
