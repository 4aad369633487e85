/**
 * Reads a WAL from its beginning: first what it says of the state, as far as it goes and on again when
 * it has grown, then the records that no segment holds.
 */
import {
  SECTION_CONTROL,
  SECTION_FENCE,
  SECTION_JOB_EPOCH,
  SECTION_PRODUCERS,
  SECTION_RECORDS,
  SECTION_SNAPSHOT,
  WAL_FORMAT,
} from "@millrace/core/layout";
import { CoreMemoryError, DamagedSegmentError } from "../core/core-errors.ts";
import type { ShardLogCore } from "../core/core-types.ts";
import {
  InvalidArgumentError,
  MillraceError,
  StoreFailedError,
  UnsupportedFormatError,
} from "../errors/index.ts";
import type { LogStore } from "../storage/log-store.ts";
import type { ControlRecord } from "./control-records.ts";
import { ControlState } from "./control-state.ts";
import type { DataLoss } from "./log-context.ts";
import { patientRead } from "./patient-read.ts";
import { decodeResults, ProducerTable } from "./producer-table.ts";
import {
  KNOWN_SECTIONS,
  readControl,
  readFence,
  readRuns,
  readSnapshot,
  type StoredRun,
} from "./sections.ts";
import type { ShardSlots } from "./shard-slots.ts";
import type { StoreGuard } from "./store-guard.ts";
import { type DamagedFrame, type DecodedFrame, decodeFrame, type Section } from "./wal-frame.ts";
import type { WalLedger } from "./wal-ledger.ts";

/**
 * Readings of a frame before it counts as damaged: what it holds is lost to this leader then, and the
 * next checkpoint deletes it.
 */
const READ_ATTEMPTS = 4;

interface UnreadableFrame {
  readonly frameNumber: number;
  readonly cause: MillraceError;
}

/** One reading of one WAL. */
export class WalScan {
  readonly control = new ControlState();
  readonly producers = new ProducerTable();
  readonly losses: DataLoss[] = [];
  readonly #core: ShardLogCore;
  readonly #store: LogStore;
  readonly #guard: StoreGuard;
  readonly #wal: WalLedger;
  readonly #recordFrames: number[] = [];
  readonly #gaps: number[] = [];
  /** Frames that the store has and cannot read, and what it says. */
  readonly #unreadable: UnreadableFrame[] = [];
  /** Control records since the newest snapshot that the state did not fit. */
  readonly #contradictions: { readonly where: string; readonly reason: string }[] = [];
  #firstFrame = 0;
  #readThrough = 0;
  #snapshotFrame = 0;
  #newestEpoch = 0;
  #newestTimeMs = 0;
  #damagedAtEnd = 0;
  #incarnation: string | undefined;

  constructor(core: ShardLogCore, store: LogStore, guard: StoreGuard, wal: WalLedger) {
    this.#core = core;
    this.#store = store;
    this.#guard = guard;
    this.#wal = wal;
  }

  /** Highest epoch of the frames that verify. */
  get newestEpoch(): number {
    return this.#newestEpoch;
  }

  /** Time of the newest frame that verifies, in ms since the Unix epoch. */
  get newestTimeMs(): number {
    return this.#newestTimeMs;
  }

  /** Damaged frames behind the last one that verifies; each may have begun an epoch of its own. */
  get damagedAtEnd(): number {
    return this.#damagedAtEnd;
  }

  /** The incarnation that the oldest fence names. */
  get incarnation(): string | undefined {
    return this.#incarnation;
  }

  /** Where the next frame goes. */
  get next(): { readonly frameNumber: number; readonly previousHash: bigint } {
    return { frameNumber: this.#readThrough + 1, previousHash: this.#wal.previousHash };
  }

  /**
   * Reads all frames that were not read yet.
   * @throws UnsupportedFormatError for what this build cannot keep; the store's error when it cannot read
   * what the state may stand on.
   */
  async readOn(): Promise<void> {
    for (const frameNumber of await this.#store.frameNumbers()) {
      if (frameNumber <= this.#readThrough) continue;
      if (this.#firstFrame === 0) this.#firstFrame = frameNumber;
      if (frameNumber > this.#readThrough + 1) this.#gaps.push(this.#readThrough + 1);
      this.#readThrough = frameNumber;
      const frame = await this.#read(frameNumber);
      if ("damaged" in frame) this.#noteDamage(frameNumber, frame.damaged);
      else this.#apply(frame);
    }
    // Gaps before the newest snapshot are what its checkpoint trimmed.
    const gaps = this.#gaps.splice(0).filter((gap) => gap > this.#snapshotFrame);
    this.#refuseUnreadableBase(gaps.at(-1));
    for (const gap of gaps) {
      // A missing beginning is reported by itself.
      if (gap > 1) this.#noteLoss(`WAL frame ${gap}`, "it is missing");
    }
    for (const { where, reason } of this.#contradictions.splice(0)) this.#noteLoss(where, reason);
  }

  /**
   * Frames are missing that no snapshot stands for: they were trimmed, and a frame behind them that
   * cannot be read may be the snapshot that they were trimmed for. What a later reading would bring back
   * must not be given up, as it would be by leading without it.
   */
  #refuseUnreadableBase(gap: number | undefined): void {
    if (gap === undefined) return;
    const unread = this.#unreadable.find(({ frameNumber }) => frameNumber > gap);
    if (unread !== undefined) throw withheld(unread);
  }

  /** Reports a WAL whose beginning is gone: the oldest fence is never trimmed. */
  reportBeginning(hasSegments: boolean): void {
    if (this.#firstFrame > 1 || (this.#firstFrame === 0 && hasSegments)) {
      this.#noteLoss("WAL frame 1", "it is missing, although the first fence is never trimmed");
    }
  }

  /**
   * Puts the records of segments that are not declared back into the core.
   * @throws InvalidArgumentError when they do not fit; the store's error when it no longer gives what it gave.
   */
  async replayRecords(slots: ShardSlots): Promise<void> {
    for (const frameNumber of this.#recordFrames) {
      const frame = await this.#read(frameNumber);
      if ("damaged" in frame) {
        this.#refuseForgotten(frameNumber, frame.damaged);
        continue;
      }
      for (const section of frame.sections) {
        if (section.type !== SECTION_RECORDS) continue;
        for (const run of readRuns(section)) this.#replay(run, slots, frameNumber);
      }
    }
  }

  /** A frame that verified in the first pass and does not in the second one. */
  #refuseForgotten(frameNumber: number, reason: string): void {
    const unread = this.#unreadable.find((one) => one.frameNumber === frameNumber);
    if (unread !== undefined) throw withheld(unread);
    this.#noteLoss(`WAL frame ${frameNumber}`, reason);
  }

  #replay(run: StoredRun, slots: ShardSlots, frameNumber: number): void {
    const shard = slots.ofUid(run.shardUid);
    const state = this.control.shard(run.shardUid);
    if (shard === undefined || state === undefined) {
      const known = this.control.wasDeleted(run.shardUid) || frameNumber < this.#snapshotFrame;
      if (known) return;
      const where = `WAL frame ${frameNumber}, shard uid ${run.shardUid}`;
      this.#noteLoss(where, "the log no longer knows the shard", run.recordCount);
      return;
    }
    if (run.ordinal <= state.sealedThrough) return;
    try {
      this.#core.replay(shard.slot, run.ordinal, run.frames, frameNumber);
    } catch (error) {
      if (error instanceof CoreMemoryError) throw tooSmall(error);
      if (!(error instanceof DamagedSegmentError)) throw error;
      const where = `WAL frame ${frameNumber}, shard uid ${run.shardUid}`;
      this.#noteLoss(where, error.message, run.recordCount);
    }
  }

  #apply(frame: DecodedFrame): void {
    refuseUnknown(frame);
    const fence = frame.sections.find((section) => section.type === SECTION_FENCE);
    if (fence !== undefined) this.#incarnation ??= readFence(fence).incarnation;
    const { frameNumber, byteLength } = frame;
    const holds = frame.sections
      .filter((section) => section.type === SECTION_RECORDS)
      .flatMap((section) => readRuns(section))
      .map(({ shardUid, ordinal }) => ({ shardUid, ordinal }));
    this.#wal.add({ frameNumber, byteLength, fence: fence !== undefined, holds }, frame.hash);
    this.#newestEpoch = Math.max(this.#newestEpoch, frame.epoch);
    this.#newestTimeMs = Math.max(this.#newestTimeMs, frame.timeMs);
    this.#damagedAtEnd = 0;
    for (const section of frame.sections) this.#applySection(section, frameNumber);
  }

  #applySection(section: Section, frameNumber: number): void {
    switch (section.type) {
      case SECTION_SNAPSHOT:
        this.control.restore(readSnapshot(section));
        this.producers.clear();
        this.#snapshotFrame = frameNumber;
        // What the records before it build on may have been trimmed; the snapshot stands for them.
        this.#contradictions.length = 0;
        return;
      case SECTION_CONTROL:
        for (const record of readControl(section)) this.#applyRecord(record, frameNumber);
        return;
      case SECTION_PRODUCERS:
        for (const result of decodeResults(section.payload)) this.producers.add(result);
        return;
      case SECTION_RECORDS:
        for (const run of readRuns(section)) this.control.reserve(section.streamUid, run.shardUid);
        if (this.#recordFrames.at(-1) !== frameNumber) this.#recordFrames.push(frameNumber);
        return;
      default:
        return;
    }
  }

  /** A record may build on one that a damaged frame held; what it cannot change is a loss, too. */
  #applyRecord(record: ControlRecord, frameNumber: number): void {
    try {
      this.control.apply(record);
    } catch (error) {
      if (error instanceof UnsupportedFormatError || !(error instanceof MillraceError)) throw error;
      const where = `WAL frame ${frameNumber}, ${record.kind}`;
      this.#contradictions.push({ where, reason: error.message });
    }
  }

  #noteDamage(frameNumber: number, reason: string): void {
    this.#damagedAtEnd++;
    this.#wal.add({ frameNumber, byteLength: 0, fence: false, holds: [] }, 0n);
    this.#noteLoss(`WAL frame ${frameNumber}`, reason);
  }

  #noteLoss(where: string, reason: string, recordCount?: number): void {
    this.losses.push({ kind: "wal-frame", where, reason, recordCount });
  }

  async #read(frameNumber: number): Promise<DecodedFrame | DamagedFrame> {
    const read = (): Promise<Uint8Array | undefined> => this.#store.readFrame(frameNumber);
    const bytes = await patientRead(this.#store, this.#guard, READ_ATTEMPTS, read);
    if (bytes === undefined) return { damaged: "it is missing" };
    if ("unreadable" in bytes) {
      this.#unreadable.push({ frameNumber, cause: bytes.cause });
      return { damaged: bytes.unreadable };
    }
    return decodeFrame(this.#core, bytes);
  }
}

/** Why the log is not led. What the next opening reads may be whole. */
function withheld({ frameNumber, cause }: UnreadableFrame): StoreFailedError {
  return new StoreFailedError(
    `the store has WAL frame ${frameNumber} and does not give it (${cause.message}); the log is not opened without it`,
    { argument: "frameNumber", value: frameNumber, cause },
  );
}

function tooSmall(cause: CoreMemoryError): InvalidArgumentError {
  return new InvalidArgumentError(
    "memoryBudgetBytes is too small for what the log holds outside of segments; open it with the budget " +
      "it was written with",
    { argument: "memoryBudgetBytes", cause },
  );
}

/** Refuses to lead a log whose frames this build cannot keep the meaning of. */
function refuseUnknown(frame: DecodedFrame): void {
  if (frame.format !== WAL_FORMAT) {
    throw new UnsupportedFormatError(
      `WAL frame ${frame.frameNumber} has format ${frame.format}, and this build knows format ${WAL_FORMAT}; open the log with a newer build`,
      { argument: "format", value: frame.format, limit: WAL_FORMAT },
    );
  }
  if (frame.incompatibleFeatures !== 0) {
    throw new UnsupportedFormatError(
      `WAL frame ${frame.frameNumber} needs features (bits ${frame.incompatibleFeatures}) that this build does not have; open the log with a newer build`,
      { argument: "incompatibleFeatures", value: frame.incompatibleFeatures, limit: 0 },
    );
  }
  for (const section of frame.sections) {
    const foreign =
      (!KNOWN_SECTIONS.has(section.type) && section.critical) ||
      section.keyId !== 0 ||
      section.codec !== 0 ||
      section.type === SECTION_JOB_EPOCH;
    if (foreign) {
      throw new UnsupportedFormatError(
        `WAL frame ${frame.frameNumber} holds a section of type ${section.type} that this build cannot keep; open the log with a newer build`,
        { argument: "section.type", value: section.type, limit: [...KNOWN_SECTIONS].join(", ") },
      );
    }
  }
}
