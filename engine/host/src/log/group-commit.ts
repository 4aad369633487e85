/**
 * Group commit: request batches and control records become WAL frames, one at a time.
 *
 * While a frame is being written the next one grows, up to a soft limit; what comes later waits
 * outside the core. A batch is acknowledged when its frame is as durable as its stream asks, and only
 * then can its records be read. When a frame fails, everything appended since the last durable one is
 * taken back, the growing frame included, before anybody is told.
 *
 * A frame with anything strict in it is strict. One with records of relaxed streams alone does not wait
 * for the disk, and stays small: browsers keep larger values in files of their own, which nothing ever
 * forces to the disk then, so that a power cut would leave frames that are there and cannot be read.
 */
import { CoreTrapError } from "../core/core-errors.ts";
import type { Run } from "../core/core-types.ts";
import { releaseBuffer } from "../core/release-buffer.ts";
import {
  DeposedError,
  type MillraceError,
  ResourceNotFoundError,
  StoreFullError,
} from "../errors/index.ts";
import { refuseContradictions } from "./change-check.ts";
import {
  asMillraceError,
  CoreFailedError,
  endedBy,
  ownFault,
  tooManyWait,
} from "./commit-errors.ts";
import { CommitPace, SMALL_FRAME_BYTES } from "./commit-pace.ts";
import type { ControlRecord } from "./control-records.ts";
import { encryptionChanges } from "./data-keys.ts";
import { FrameGroup, framedLength, type PendingChange } from "./frame-group.ts";
import { writeFrame } from "./frame-writer.ts";
import type { LogContext } from "./log-context.ts";
import { HalfAppendedError, type Waiting } from "./pending-put.ts";
import { encodeResults } from "./producer-table.ts";
import { type Lane, older, PutQueue, type QueuedPut } from "./put-queue.ts";
import { dataKeysOfRuns, encryptRecords, releaseCiphertexts } from "./section-cipher.ts";
import { controlSection, producerSection, recordSections } from "./sections.ts";
import { encodeFrame, type SectionDraft } from "./wal-frame.ts";
import type { HeldSegment } from "./wal-ledger.ts";

/** Bytes of records that a frame of several batches does not exceed; a larger batch goes alone. */
const FRAME_HARD_BYTES = 12_582_912;

/** Bytes of requests that wait outside the core at most: 64 MiB. */
const WAITING_BYTES_MAX = 67_108_864;
/** Bytes that a frame has besides the records and rows of its batches, about. */
const FRAME_OVERHEAD_BYTES = 1024;

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
  /**
   * Whether the store has room for a batch besides what was appended and is not written yet, in bytes.
   * "later" has it wait until the next {@link GroupCommit.pump}.
   */
  admit(byteLength: number, unwrittenBytes: number): "now" | "later" | MillraceError;
  /** The store had no room for a frame; batches of so many bytes wait again now. */
  refused(error: StoreFullError, byteLength: number): void;
  /** What was appended and not durable was taken back. */
  rewound(): void;
  /** Nothing is written from now on. */
  failed(): void;
}

/** The one writer of the WAL. */
export class GroupCommit {
  readonly #context: LogContext;
  readonly #listener: GroupCommitListener;
  readonly #waiting = new PutQueue();
  readonly #pace = new CommitPace();
  #growing = new FrameGroup();
  #inFlight: FrameGroup | undefined;
  #failure: MillraceError | undefined;
  /** What newcomers are refused with while the last frames are written. */
  #refusal: MillraceError | undefined;
  #idle: (() => void)[] = [];
  #commits = 0;
  /** The batch or compound that the core trapped at. */
  #trapped: Waiting | undefined;
  /** Whether the growing frame holds part of a compound that cannot be committed, and must grow anew. */
  #spoilt = false;

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
    return (
      this.#waiting.byteLength + this.#growing.requestBytes + (this.#inFlight?.requestBytes ?? 0)
    );
  }

  /** Why the log takes no more writes, if it does not. */
  get failure(): MillraceError | undefined {
    return this.#failure;
  }

  /** Whether anything waits to be committed. */
  get busy(): boolean {
    return this.#inFlight !== undefined || !this.#growing.empty || !this.#waiting.empty;
  }

  /** Takes a batch or a compound; its own promise tells the rest. */
  put(put: Waiting): void {
    const refusal = this.#failure ?? this.#refusal;
    if (refusal !== undefined) {
      put.reject(refusal);
      return;
    }
    if (!this.#waiting.empty && this.#waiting.byteLength + put.byteLength > WAITING_BYTES_MAX) {
      put.reject(tooManyWait(this.#waiting.byteLength + put.byteLength, WAITING_BYTES_MAX));
      return;
    }
    this.#waiting.add(put, this.#laneOf(put));
    this.pump();
  }

  /** Commits control records and further sections in one frame; resolves with its number once they are applied. */
  change(
    wanted: readonly ControlRecord[] | (() => readonly ControlRecord[]),
    sections: () => readonly SectionDraft[] = () => [],
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const refusal = this.#failure ?? this.#refusal;
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      const [decide, records] = typeof wanted === "function" ? [wanted, []] : [undefined, wanted];
      this.#growing.addChange({ decide, records, sections, resolve, reject });
      this.pump();
    });
  }

  /** Takes nothing more from now on; resolves when what was taken is settled. */
  finish(refusal: MillraceError): Promise<void> {
    this.#refusal ??= refusal;
    return this.idle();
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
      if (this.#inFlight !== undefined) return;
      if (this.#growing.empty) {
        // What waited may have been refused.
        this.#tellIdle();
        return;
      }
      this.#growing.decide();
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
    for (const put of this.#waiting.drain()) {
      put.reject(
        put === this.#trapped && error instanceof CoreFailedError ? ownFault(error) : error,
      );
    }
    this.#tellIdle();
    this.#listener.failed();
  }

  #fill(): void {
    for (;;) {
      const next = this.#spoilt ? undefined : this.#next();
      if (next === undefined) return;
      const { put, lane } = next;
      const verdict = this.#admit(put);
      if (verdict === "later") return;
      this.#waiting.take(lane);
      if (verdict === "now") this.#append(put);
      else put.reject(verdict);
    }
  }

  /**
   * The batch that goes into the growing frame next. What may go into a small relaxed frame goes first:
   * however much of it waits, it takes up no more of a strict frame than that.
   */
  #next(): QueuedPut | undefined {
    const { recordBytes, framedBytes, strict } = this.#growing;
    const small = this.#waiting.head("relaxed");
    if (small !== undefined && framedBytes + framedLength(small.put) <= SMALL_FRAME_BYTES) {
      return small;
    }
    if (recordBytes >= this.#context.limits.frameBytesSoft) return undefined;
    const next = older(
      this.#waiting.head("strict"),
      // Too large for any relaxed frame; and what a large frame takes along costs no more waiting.
      small !== undefined &&
        (framedLength(small.put) > SMALL_FRAME_BYTES || (strict && framedBytes > SMALL_FRAME_BYTES))
        ? small
        : undefined,
    );
    if (next === undefined || recordBytes === 0) return next;
    if (recordBytes + next.put.byteLength > FRAME_HARD_BYTES) return undefined;
    return this.#cutsBefore(next.put) ? undefined : next;
  }

  /** Whether the growing frame is better sent off small than with one more batch. */
  #cutsBefore(next: Waiting): boolean {
    const { framedBytes } = this.#growing;
    if (framedBytes > SMALL_FRAME_BYTES) return false;
    if (framedBytes + framedLength(next) <= SMALL_FRAME_BYTES) return false;
    return this.#pace.cutsSmall(framedBytes + this.#waiting.byteLength);
  }

  #laneOf({ streamUid }: Waiting): Lane {
    if (streamUid === undefined) return "strict";
    return this.#context.control.stream(streamUid)?.durability ?? "strict";
  }

  #admit(next: Waiting): "now" | "later" | MillraceError {
    if (!this.#hasRoomFor(next.byteLength)) return this.#listener.pressed() ?? "later";
    const unwritten = this.#growing.framedBytes + (this.#inFlight?.framedBytes ?? 0);
    return this.#listener.admit(framedLength(next) + FRAME_OVERHEAD_BYTES, unwritten);
  }

  #append(next: Waiting): void {
    try {
      if (next.streamUid === undefined) {
        const compound = next.append();
        if (compound !== undefined) this.#growing.addCompound(compound, next);
        return;
      }
      const put = next.append();
      if (put === undefined) return;
      // As the stream is now: it may have changed while the batch waited.
      const strict = this.#laneOf(next) === "strict" || framedLength(next) > SMALL_FRAME_BYTES;
      this.#growing.addPut(put, next, strict);
    } catch (error) {
      if (error instanceof CoreTrapError) {
        this.#trapped = next;
        this.#waiting.putBack([next], (put) => this.#laneOf(put));
        this.fail(new CoreFailedError(error));
        return;
      }
      const half = error instanceof HalfAppendedError;
      const reason = half ? error.reason : error;
      next.reject(reason instanceof Error ? reason : new Error(String(reason)));
      if (half) this.#spoil();
    }
  }

  /** The growing frame cannot be written as it is. While another one is in flight, nothing is taken back. */
  #spoil(): void {
    this.#spoilt = true;
    if (this.#inFlight === undefined) this.#growAnew();
  }

  /** Takes back what the growing frame has gained, and lets all of it wait again. */
  #growAnew(): void {
    const { core } = this.#context;
    try {
      core.rewind();
    } catch (trap) {
      this.fail(new CoreFailedError(asMillraceError(trap)));
      return;
    }
    const before = this.#growing;
    this.#growing = new FrameGroup();
    this.#spoilt = false;
    this.#waiting.putBack(before.waiting, (put) => this.#laneOf(put));
    for (const change of before.changes) this.#growing.addChange(change);
    this.#listener.rewound();
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
      this.#rollRekeyed(group);
      const { epoch } = this.#context;
      const { previousHash } = wal;
      const header = { epoch, frameNumber, previousHash, timeMs: clock.nowMs() };
      // As of the cut, whatever is appended while records are being encrypted.
      const others = this.#groupSections(group);
      const keys = dataKeysOfRuns(this.#context, runs);
      const records =
        keys.size === 0
          ? recordSections(runs)
          : await encryptRecords(this.#context, header, runs, keys);
      if (this.#failure !== undefined) return;
      const frame = encodeFrame(core, header, [...records, ...others]);
      releaseCiphertexts(records);
      const { byteLength } = frame.bytes;
      const relaxed = !group.strict && byteLength <= SMALL_FRAME_BYTES;
      const announced = relaxed ? this.#context.witness.announce() : undefined;
      const startedMs = clock.monotonicMs();
      await writeFrame(this.#context, frameNumber, frame, relaxed ? "relaxed" : "strict");
      if (!relaxed) this.#pace.note(byteLength, clock.monotonicMs() - startedMs);
      releaseBuffer(frame.bytes);
      if (announced !== undefined) await announced;
      if (this.#failure !== undefined) return;
      core.commit(frameNumber);
      wal.add(
        { frameNumber, byteLength, fence: false, relaxed, holds: runs.map(heldBy) },
        frame.hash,
      );
      this.#inFlight = undefined;
      this.#settle(group, runs, frameNumber);
    } catch (error) {
      this.#inFlight = undefined;
      this.#takeBack(group, error);
    }
    this.pump();
  }

  /** What is appended from here on has another key; a segment with one key only ends with that key. */
  #rollRekeyed({ changes }: FrameGroup): void {
    const { core, slots } = this.#context;
    const rekeyed = changes.flatMap(({ records }) => encryptionChanges(records));
    for (const streamUid of rekeyed) {
      for (const { slot } of slots.ofStream(streamUid)) core.roll(slot);
    }
  }

  #groupSections(group: FrameGroup): SectionDraft[] {
    const sections = group.changes.flatMap((change) => [...change.sections()]);
    const decided = [...group.compounds, ...group.changes];
    const records = decided.flatMap((change) => change.records);
    if (records.length > 0) sections.push(controlSection(records));
    if (group.puts.length > 0) {
      sections.push(producerSection(encodeResults(group.puts.map((put) => put.outcome))));
    }
    return sections;
  }

  #settle(group: FrameGroup, runs: readonly Run[], frameNumber: number): void {
    this.#commits++;
    for (const put of group.puts) this.#context.producers.add(put.outcome);
    for (const compound of group.compounds) this.#applyAll(compound.records);
    for (const change of group.changes) this.#apply(change, frameNumber);
    if (this.#spoilt) this.#growAnew();
    for (const put of group.puts) put.resolve(put.result);
    for (const compound of group.compounds) compound.resolve();
    this.#listener.committed(runs);
    this.#tellIdle();
  }

  #apply(change: PendingChange, frameNumber: number): void {
    try {
      this.#applyAll(change.records);
    } catch (error) {
      change.reject(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    change.resolve(frameNumber);
  }

  #applyAll(records: readonly ControlRecord[]): void {
    for (const record of records) {
      this.#context.control.apply(record);
      if (record.kind === "stream-deleted") this.#withdraw(record.streamUid);
      this.#listener.applied(record);
    }
  }

  /** Records that are appended to a stream but not committed when it is deleted go with it. */
  #withdraw(streamUid: number): void {
    for (const put of this.#growing.withdraw(streamUid)) {
      put.reject(ResourceNotFoundError.stream(put.streamName));
    }
    // What a compound put elsewhere must not stay without it.
    this.#spoilt ||= this.#growing.touches(streamUid);
  }

  #takeBack(group: FrameGroup, error: unknown): void {
    if (this.#failure !== undefined) return;
    if (error instanceof CoreTrapError) {
      this.#failWith(group, new CoreFailedError(error));
      return;
    }
    const reason = asMillraceError(error);
    if (reason instanceof DeposedError || reason.indeterminate) {
      // Nobody can tell these what became of them; all that was not written yet goes on in the next life.
      group.reject(reason);
      this.fail(endedBy(reason, this.#context.witness));
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
    this.#spoilt = false;
    if (reason instanceof StoreFullError) {
      this.#waitForRoom(group, growing, reason);
    } else {
      group.reject(reason);
      growing.reject(reason);
    }
    this.#listener.rewound();
    this.#tellIdle();
  }

  /**
   * The store had no room for a frame. Its batches wait again, before all others, while the log makes
   * room. Its changes go alone next, for room may depend on them; those that were alone are refused.
   */
  #waitForRoom(group: FrameGroup, growing: FrameGroup, reason: StoreFullError): void {
    const puts = [...group.waiting, ...growing.waiting];
    this.#waiting.putBack(puts, (put) => this.#laneOf(put));
    const alone = group.waitingCount === 0;
    if (alone) group.reject(reason);
    for (const change of [...(alone ? [] : group.changes), ...growing.changes]) {
      this.#growing.addChange(change);
    }
    if (puts.length > 0) this.#listener.refused(reason, group.framedBytes + growing.framedBytes);
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
