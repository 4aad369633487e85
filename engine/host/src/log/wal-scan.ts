/**
 * Reads a WAL from its beginning: first what it says of the state, as far as it goes and on again when
 * it has grown, then the records that no segment holds.
 */
import {
  SECTION_CONTROL,
  SECTION_FENCE,
  SECTION_FENCE_LIST,
  SECTION_PRODUCERS,
  SECTION_RECORDS,
  SECTION_SNAPSHOT,
} from "@millrace/core/layout";
import { CoreMemoryError, DamagedSegmentError } from "../core/core-errors.ts";
import type { ShardLogCore } from "../core/core-types.ts";
import { MillraceError, UnsupportedFormatError } from "../errors/index.ts";
import type { LogStore, SegmentKey } from "../storage/log-store.ts";
import type { ControlCopy } from "./control-copy.ts";
import type { ControlRecord, SegmentManifest } from "./control-records.ts";
import type { StoredSnapshot } from "./control-snapshot.ts";
import { ControlState } from "./control-state.ts";
import type { EncryptedReplay } from "./encrypted-replay.ts";
import { type ListedFence, readFenceList } from "./fence-list.ts";
import { FrameReader } from "./frame-reader.ts";
import { type DataLoss, LossReports } from "./loss-reports.ts";
import { decodeResults, ProducerTable } from "./producer-table.ts";
import { adoptSegments, isDoubtful, type ScannedState, standsIn } from "./rebase.ts";
import { MISSING, RecordGaps } from "./record-gaps.ts";
import { refuseUnknown, tooSmall, type UnreadableFrame, withheld } from "./scan-refusals.ts";
import {
  type FenceRecord,
  readControl,
  readFence,
  readRuns,
  readSnapshot,
  type StoredRun,
} from "./sections.ts";
import type { ShardSlots } from "./shard-slots.ts";
import { stateSections } from "./state-snapshot.ts";
import type { StoreGuard } from "./store-guard.ts";
import {
  type DamagedFrame,
  type DecodedFrame,
  decodeFrame,
  type Section,
  type SectionDraft,
} from "./wal-frame.ts";
import type { WalLedger } from "./wal-ledger.ts";

/** WALs with fewer frames are read whole, without looking for a list of fences first. */
const WHOLE_FRAMES_MAX = 64;

/** One reading of one WAL. */
export class WalScan {
  readonly control = new ControlState();
  readonly producers = new ProducerTable();
  readonly losses = new LossReports();
  readonly #core: ShardLogCore;
  readonly #store: LogStore;
  readonly #frames: FrameReader;
  readonly #wal: WalLedger;
  readonly #recordFrames: number[] = [];
  readonly #gaps = new RecordGaps();
  /** Manifests since the newest snapshot, by shard uid and ordinal. */
  readonly #manifests = new Map<string, SegmentManifest>();
  /** Fences that need not be read. */
  #listed: ReadonlyMap<number, ListedFence> | undefined;
  /** Hashes of the frames that were read. */
  readonly #hashes = new Map<number, bigint>();
  /** Frames that the store has and cannot read, and what it says. */
  readonly #unreadable: UnreadableFrame[] = [];
  /** Control records since the newest snapshot that the state did not fit. */
  readonly #contradictions: { readonly where: string; readonly reason: string }[] = [];
  #firstFrame = 0;
  #readThrough = 0;
  #snapshotFrame = 0;
  /** Whether the newest snapshot was written in the place of a frame. */
  #isTrimmed: (frameNumber: number) => boolean = () => false;
  #newestEpoch = 0;
  #newestTimeMs = 0;
  #damagedAtEnd = 0;
  #fence: FenceRecord | undefined;
  readonly #formerly = new Set<string>();
  readonly #readCopy: (() => Promise<ControlCopy | undefined>) | undefined;
  /** Frame through which a control copy stands for the log, while no snapshot of the log follows it. */
  #copiedThrough: number | undefined;
  /** What leaders found to be lost, by the newest snapshot and the fences since. */
  #foundBefore: readonly DataLoss[] = [];

  /** `readCopy` reads the control copy, if there is one; it is asked only where frames are missing. */
  constructor(
    core: ShardLogCore,
    store: LogStore,
    guard: StoreGuard,
    wal: WalLedger,
    readCopy?: () => Promise<ControlCopy | undefined>,
  ) {
    this.#readCopy = readCopy;
    this.#core = core;
    this.#store = store;
    this.#frames = new FrameReader(store, guard);
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

  /** The incarnation that the newest fence names. */
  get incarnation(): string | undefined {
    return this.#fence?.incarnation;
  }

  /** Whether the log had an incarnation before the present one. */
  wasFormerly(incarnation: string): boolean {
    return this.#formerly.has(incarnation);
  }

  /** Number of the newest frame, damaged or not; 0 when there is none. */
  get newestFrame(): number {
    return this.#readThrough;
  }

  /** Hash of a frame that was read and verified. */
  hashOf(frameNumber: number): bigint | undefined {
    return this.#hashes.get(frameNumber);
  }

  /** What the WAL still says of a declared segment. */
  manifest(shardUid: number, ordinal: number): SegmentManifest | undefined {
    return this.#manifests.get(`${shardUid}/${ordinal}`);
  }

  /** Where the next frame goes. */
  get next(): { readonly frameNumber: number; readonly previousHash: bigint } {
    return { frameNumber: this.#readThrough + 1, previousHash: this.#wal.previousHash };
  }

  /**
   * Reads all frames that were not read yet. Where frames that the state stands on are gone, the control copy
   * takes their place, if the keys of the store's segments are given.
   * @throws UnsupportedFormatError for what this build cannot keep; the store's error when it cannot read
   * what the state may stand on.
   */
  async readOn(keys?: readonly SegmentKey[]): Promise<void> {
    const numbers = (await this.#store.frameNumbers()).filter((one) => one > this.#readThrough);
    if (this.#firstFrame === 0) this.#firstFrame = numbers[0] ?? 0;
    this.#listed ??= await this.#listFences(numbers);
    for (const stretch of this.#stretches(numbers)) {
      for (const [at, frameNumber] of stretch.entries()) await this.#take(stretch, at, frameNumber);
    }
    if (keys !== undefined) await this.#rebase(keys);
    const stoodFor = Math.max(this.#snapshotFrame, this.#copiedThrough ?? 0);
    this.#refuseUnreadableBase(this.#gaps.lastMissing(stoodFor));
    // Gaps before the newest snapshot are what its checkpoint trimmed.
    for (const loss of this.#gaps.take(this.#snapshotFrame, this.#isTrimmed)) this.losses.add(loss);
    for (const { where, reason } of this.#contradictions.splice(0)) this.#noteLoss(where, reason);
    for (const loss of this.#foundBefore) this.losses.add(loss);
  }

  /** Whether the state stands on a control copy, which no snapshot of the log has followed. */
  get standsOnCopy(): boolean {
    return this.#copiedThrough !== undefined;
  }

  /**
   * The state as a snapshot in the place of all frames up to one, where it stands on a control copy: none of
   * what the log itself holds says it. It says what is lost, too: whoever reads it next finds no trace of it.
   */
  copiedState(throughFrame: number): SectionDraft[] {
    if (!this.standsOnCopy) return [];
    const { control, producers, losses } = this;
    const state = { control, producers, wal: this.#wal };
    return stateSections(state, throughFrame, () => 0, losses.list());
  }

  /** Puts the control copy in the place of what is lost of the log, and what came after it on top. */
  async #rebase(keys: readonly SegmentKey[]): Promise<void> {
    const [firstFrame, newestFrame, snapshotFrame] = [
      this.#firstFrame,
      this.#readThrough,
      this.#snapshotFrame,
    ];
    const firstLost = this.#gaps.firstLost(snapshotFrame, this.#isTrimmed);
    const { control, incarnation } = this;
    const state: ScannedState = {
      ...{ firstFrame, newestFrame, snapshotFrame, firstLost, incarnation, control, keys },
    };
    if (!isDoubtful(state)) return;
    const copy = await this.#readCopy?.();
    if (copy === undefined || !standsIn(copy, state)) return;
    const { snapshot, testimony } = copy;
    const through = testimony.frameNumber;
    const kept = snapshot.trimmed?.kept ?? [];
    control.restore(snapshot);
    this.producers.clear(testimony.timeMs);
    for (const result of copy.producers) this.producers.add(result);
    this.#newestEpoch = Math.max(this.#newestEpoch, testimony.epoch);
    this.#newestTimeMs = Math.max(this.#newestTimeMs, testimony.timeMs);
    this.#copiedThrough = through;
    this.#contradictions.length = 0;
    this.#gaps.narrow(firstFrame, through, kept);
    await this.#applyBehind(through);
    await adoptSegments(this.#core, this.#store, control, keys, (shardUid, ordinal) =>
      this.#gaps.endOfSegment(shardUid, ordinal),
    );
  }

  /** Applies once more what intact frames behind one say of the state. */
  async #applyBehind(through: number): Promise<void> {
    const numbers = this.#wal
      .frames()
      .map(({ frameNumber }) => frameNumber)
      .filter((frameNumber) => frameNumber > through && this.#hashes.has(frameNumber));
    for (const [at, frameNumber] of numbers.entries()) {
      const frame = await this.#read(numbers, at);
      if ("damaged" in frame) continue;
      for (const section of frame.sections) {
        const { type } = section;
        if (type === SECTION_CONTROL || type === SECTION_PRODUCERS) {
          this.#applySection(section, frame);
        }
      }
      if (!this.#recordFrames.includes(frameNumber)) this.#frames.forget(frameNumber);
    }
  }

  /** Frames that are read one after the other; a listed fence is a stretch of its own. */
  #stretches(numbers: readonly number[]): number[][] {
    const stretches: number[][] = [];
    let listedBefore = true;
    for (const frameNumber of numbers) {
      const listed = this.#listed?.has(frameNumber) ?? false;
      const stretch = stretches.at(-1);
      if (stretch === undefined || listed || listedBefore) stretches.push([frameNumber]);
      else stretch.push(frameNumber);
      listedBefore = listed;
    }
    return stretches;
  }

  async #take(stretch: readonly number[], at: number, frameNumber: number): Promise<void> {
    const gapFrom = this.#readThrough + 1;
    // A missing beginning is reported by itself.
    if (frameNumber > gapFrom && gapFrom > 1) this.#gaps.add(gapFrom, frameNumber - 1, MISSING);
    this.#readThrough = frameNumber;
    const listed = this.#listed?.get(frameNumber);
    if (listed !== undefined) {
      this.#damagedAtEnd = 0;
      this.#wal.add({ ...listed, fence: true, listed: true, holds: [] }, 0n);
      return;
    }
    const frame = await this.#read(stretch, at);
    if ("damaged" in frame) this.#noteDamage(frameNumber, frame.damaged);
    else this.#apply(frame);
  }

  /**
   * Looks for the newest list of fences, from the end on. The newest fence is read all the same: it names
   * the incarnation.
   */
  async #listFences(numbers: readonly number[]): Promise<Map<number, ListedFence>> {
    for (let end = numbers.length; numbers.length > WHOLE_FRAMES_MAX && end > 0; ) {
      const start = Math.max(0, end - this.#frames.rangeFrames);
      const range = numbers.slice(start, end);
      await this.#frames.fetch(range);
      for (const frameNumber of range.reverse()) {
        const bytes = this.#frames.kept(frameNumber);
        // From here on there is no room to keep what is read.
        if (bytes === undefined) return new Map();
        const fences = this.#fencesIn(bytes);
        if (fences !== undefined) return fences;
      }
      end = start;
    }
    return new Map();
  }

  #fencesIn(bytes: Uint8Array): Map<number, ListedFence> | undefined {
    const frame = decodeFrame(this.#core, bytes);
    if ("damaged" in frame) return undefined;
    const section = frame.sections.find(({ type }) => type === SECTION_FENCE_LIST);
    if (section === undefined) return undefined;
    const fences = readFenceList(section);
    return new Map(fences.slice(0, -1).map((fence) => [fence.frameNumber, fence]));
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
  async replayRecords(slots: ShardSlots, encrypted: EncryptedReplay): Promise<void> {
    const wanted = (run: StoredRun): boolean => this.#isWanted(run);
    const frames = this.#unsealedFrames();
    for (const [at, frameNumber] of frames.entries()) {
      const frame = await this.#read(frames, at);
      this.#frames.forget(frameNumber);
      if ("damaged" in frame) {
        this.#refuseForgotten(frameNumber, frame.damaged);
        continue;
      }
      for (const section of frame.sections) {
        if (section.type !== SECTION_RECORDS) continue;
        const runs = await encrypted.runsOf(
          frame,
          section,
          wanted,
          ({ where, reason, recordCount }) => this.#noteLoss(where, reason, recordCount),
        );
        for (const run of runs) this.#replay(run, slots, frameNumber);
      }
    }
    this.#frames.clear();
    for (const loss of encrypted.losses()) this.losses.add(loss);
  }

  /** Frames with a run that no declared segment holds, or of a shard that is not known. */
  #unsealedFrames(): number[] {
    const records = new Set(this.#recordFrames);
    return this.#wal
      .frames()
      .filter(({ frameNumber }) => records.has(frameNumber))
      .filter(({ holds }) =>
        holds.some(({ shardUid, ordinal }) => {
          const state = this.control.shard(shardUid);
          return state === undefined || ordinal > state.sealedThrough;
        }),
      )
      .map(({ frameNumber }) => frameNumber);
  }

  /** Whether the records of a run belong to a segment that is not declared, of a shard that is known. */
  #isWanted({ shardUid, ordinal }: StoredRun): boolean {
    const state = this.control.shard(shardUid);
    return state !== undefined && ordinal > state.sealedThrough;
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
    if (fence !== undefined) this.#applyFence(readFence(fence));
    const { frameNumber, byteLength } = frame;
    const holds = frame.sections
      .filter((section) => section.type === SECTION_RECORDS)
      .flatMap((section) => readRuns(section))
      .map(({ shardUid, ordinal }) => ({ shardUid, ordinal }));
    this.#wal.add({ frameNumber, byteLength, fence: fence !== undefined, holds }, frame.hash);
    this.#newestEpoch = Math.max(this.#newestEpoch, frame.epoch);
    this.#newestTimeMs = Math.max(this.#newestTimeMs, frame.timeMs);
    this.#hashes.set(frameNumber, frame.hash);
    if (holds.length === 0) this.#frames.forget(frameNumber);
    this.#damagedAtEnd = 0;
    for (const section of frame.sections) this.#applySection(section, frame);
  }

  #applyFence(fence: FenceRecord): void {
    const { incarnation, formerly, uidFloors, losses = [] } = fence;
    const before = this.incarnation;
    if (before !== undefined && before !== incarnation) this.#formerly.add(before);
    if (formerly !== undefined) this.#formerly.add(formerly);
    if (uidFloors !== undefined) this.control.reserve(uidFloors.stream - 1, uidFloors.shard - 1);
    this.#foundBefore = [...this.#foundBefore, ...losses];
    this.#fence = fence;
  }

  #applySection(section: Section, frame: DecodedFrame): void {
    const { frameNumber, epoch } = frame;
    switch (section.type) {
      case SECTION_SNAPSHOT:
        this.#restore(readSnapshot(section), frame);
        this.producers.clear(this.#newestTimeMs);
        this.#snapshotFrame = frameNumber;
        this.#copiedThrough = undefined;
        // What the records before it build on may have been trimmed; the snapshot stands for them.
        this.#contradictions.length = 0;
        this.#manifests.clear();
        return;
      case SECTION_CONTROL:
        for (const record of readControl(section)) this.#applyRecord(record, frameNumber);
        return;
      case SECTION_PRODUCERS:
        for (const result of decodeResults(section.payload)) this.producers.add(result);
        return;
      case SECTION_RECORDS:
        for (const run of readRuns(section)) {
          this.control.reserve(section.streamUid, run.shardUid);
          this.#gaps.run(epoch, run);
        }
        if (this.#recordFrames.at(-1) !== frameNumber) this.#recordFrames.push(frameNumber);
        return;
      default:
        return;
    }
  }

  #restore(snapshot: StoredSnapshot, { sections }: DecodedFrame): void {
    this.control.restore(snapshot);
    const { through = 0, kept = [], losses = [] } = snapshot.trimmed ?? {};
    this.#foundBefore = losses;
    const fences = sections.find(({ type }) => type === SECTION_FENCE_LIST);
    const listed = fences === undefined ? [] : readFenceList(fences);
    const needed = new Set([...kept, ...listed.map(({ frameNumber }) => frameNumber)]);
    this.#isTrimmed = (frameNumber) => frameNumber <= through && !needed.has(frameNumber);
  }

  /** A record may build on one that a damaged frame held; what it cannot change is a loss, too. */
  #applyRecord(record: ControlRecord, frameNumber: number): void {
    if (record.kind === "segments-sealed") {
      for (const one of record.segments) this.#manifests.set(`${one.key[0]}/${one.key[1]}`, one);
    }
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
    this.#gaps.add(frameNumber, frameNumber, reason);
  }

  #noteLoss(where: string, reason: string, recordCount?: number): void {
    this.losses.add({ kind: "wal-frame", where, reason, recordCount });
  }

  async #read(numbers: readonly number[], at: number): Promise<DecodedFrame | DamagedFrame> {
    const bytes = await this.#frames.read(numbers, at);
    if (bytes === undefined) return { damaged: MISSING };
    if ("unreadable" in bytes) {
      this.#unreadable.push({ frameNumber: numbers[at] ?? 0, cause: bytes.cause });
      return { damaged: bytes.unreadable };
    }
    return decodeFrame(this.#core, bytes);
  }
}
