/**
 * Reads everything that a log has stored and verifies it: hashes, numbers, the chain of frames, headers
 * against keys, what is declared against what is there. Writes nothing.
 */
import {
  SECTION_RECORDS,
  SEGMENT_EPOCH,
  SEGMENT_FIRST_INDEX,
  SEGMENT_FORMAT,
  SEGMENT_MAGIC,
  SEGMENT_ORDINAL,
  SEGMENT_RECORD_COUNT,
  SEGMENT_SHARD_UID,
} from "@millrace/core/layout";
import type { ShardLogCore } from "../core/core-types.ts";
import type { LogStore, SegmentKey } from "../storage/log-store.ts";
import { readUint64, viewOf } from "./bytes.ts";
import type { ControlState } from "./control-state.ts";
import { FrameReader, type FrameReading } from "./frame-reader.ts";
import type { LogContext } from "./log-context.ts";
import { type DataLoss, LossReports } from "./loss-reports.ts";
import { reportMissing } from "./missing-segments.ts";
import { patientRead } from "./patient-read.ts";
import { readRuns } from "./sections.ts";
import { SegmentDirectory } from "./segment-directory.ts";
import { segmentIntact } from "./segment-image.ts";
import { StoreGuard } from "./store-guard.ts";
import { decodeFrame, type Section } from "./wal-frame.ts";
import { WalLedger } from "./wal-ledger.ts";
import { WalScan } from "./wal-scan.ts";

/** Readings of a segment before it counts as damaged. */
const READ_ATTEMPTS = 2;

/** Reason of declared segments that are not there. */
const NOT_STORED = "it is declared but not in the store";

/** What a scrub found. */
export interface ScrubReport {
  readonly walFrames: number;
  readonly walBytes: number;
  readonly segments: number;
  readonly segmentBytes: number;
  /** Records in segments, and in frames for which no segment stands. */
  readonly records: number;
  /** Empty when all is well. */
  readonly damage: readonly DataLoss[];
}

/** A frame in the chain of hashes. */
interface FramePlace {
  readonly frameNumber: number;
  readonly hash: bigint;
  readonly epoch: number;
}

/** Takes frames in ascending order and segments in any, and adds up what they come to. */
export class Scrub {
  readonly damage = new LossReports();
  readonly #core: ShardLogCore;
  #walFrames = 0;
  #walBytes = 0;
  #segments = 0;
  #segmentBytes = 0;
  #records = 0;
  /** Records in frames by shard uid and ordinal. */
  readonly #inFrames = new Map<string, { uid: number; ordinal: number; recordCount: number }>();
  #before: FramePlace | undefined;

  constructor(core: ShardLogCore) {
    this.#core = core;
  }

  /** A frame that must be there. */
  frame(frameNumber: number, reading: FrameReading): void {
    const before = this.#before;
    this.#before = undefined;
    const reason = this.#frameProblem(frameNumber, reading, before);
    if (reason === undefined) return;
    const where = `WAL frame ${frameNumber}`;
    this.damage.add({ kind: "wal-frame", where, reason, recordCount: undefined });
  }

  /** A segment that must be there. */
  segment(key: SegmentKey, reading: FrameReading): void {
    const reason = this.#segmentProblem(key, reading);
    if (reason === undefined) return;
    this.damage.add({ kind: "segment", where: segmentPlace(key), reason, recordCount: undefined });
  }

  /** A declared segment of which the store lacks even the key. */
  missingSegment(shardUid: number, ordinal: number): void {
    const where = `shard uid ${shardUid}, segment ${ordinal}`;
    this.damage.add({ kind: "segment", where, reason: NOT_STORED, recordCount: undefined });
  }

  /** What all of it comes to. `sealedThrough` is the last declared ordinal of a shard. */
  report(sealedThrough: (shardUid: number) => number | undefined): ScrubReport {
    const open = [...this.#inFrames.values()].filter(({ uid, ordinal }) => {
      const sealed = sealedThrough(uid);
      return sealed !== undefined && ordinal > sealed;
    });
    return {
      walFrames: this.#walFrames,
      walBytes: this.#walBytes,
      segments: this.#segments,
      segmentBytes: this.#segmentBytes,
      records: open.reduce((sum, { recordCount }) => sum + recordCount, this.#records),
      damage: this.damage.list(),
    };
  }

  #frameProblem(
    frameNumber: number,
    reading: FrameReading,
    before: FramePlace | undefined,
  ): string | undefined {
    if (reading === undefined) return "it is missing";
    if ("unreadable" in reading) return reading.unreadable;
    this.#walFrames++;
    this.#walBytes += reading.byteLength;
    const frame = decodeFrame(this.#core, reading);
    if ("damaged" in frame) return frame.damaged;
    if (frame.frameNumber !== frameNumber) {
      return `its header says that it is frame ${frame.frameNumber}`;
    }
    this.#before = { frameNumber, hash: frame.hash, epoch: frame.epoch };
    for (const section of frame.sections) {
      if (section.type === SECTION_RECORDS) this.#countRuns(section);
    }
    // A candidate's fence of a later epoch may have come to lie where frames were trimmed meanwhile.
    const trimmed = before !== undefined && before.epoch > frame.epoch;
    const follows =
      before?.frameNumber === frameNumber - 1 && !trimmed && frame.previousHash !== 0n;
    const broken = follows && frame.previousHash !== before.hash;
    return broken ? "it does not follow the frame before it" : undefined;
  }

  #countRuns(section: Section): void {
    for (const { shardUid: uid, ordinal, recordCount } of readRuns(section)) {
      const name = `${uid}/${ordinal}`;
      const known = this.#inFrames.get(name)?.recordCount ?? 0;
      this.#inFrames.set(name, { uid, ordinal, recordCount: known + recordCount });
    }
  }

  #segmentProblem(key: SegmentKey, reading: FrameReading): string | undefined {
    if (reading === undefined) return NOT_STORED;
    if ("unreadable" in reading) return reading.unreadable;
    this.#segments++;
    this.#segmentBytes += reading.byteLength;
    if (!segmentIntact(this.#core, reading)) return "its XXH64 does not match its bytes";
    const view = viewOf(reading);
    this.#records += view.getUint32(SEGMENT_RECORD_COUNT, true);
    return headerMismatch(view, key);
  }
}

function segmentPlace(key: SegmentKey): string {
  return `shard uid ${key[0]}, segment ${key[1]}`;
}

/** What of a segment's header is not as its key says. */
function headerMismatch(view: DataView, key: SegmentKey): string | undefined {
  if (view.getUint32(0, true) !== SEGMENT_MAGIC || view.getUint16(4, true) !== SEGMENT_FORMAT) {
    return "it has no header of a known format";
  }
  const [shardUid, ordinal, firstIndex, , , epoch] = key;
  const same =
    view.getUint32(SEGMENT_SHARD_UID, true) === shardUid &&
    readUint64(view, SEGMENT_ORDINAL) === ordinal &&
    readUint64(view, SEGMENT_FIRST_INDEX) === firstIndex &&
    readUint64(view, SEGMENT_EPOCH) === epoch;
  return same ? undefined : "its header names another segment than its key";
}

/** Scrubs the store of an open log, a range or a segment at a time, so that puts and reads go on. */
export async function scrubLog(context: LogContext): Promise<ScrubReport> {
  const { core, store, guard, wal, control, directory, epoch } = context;
  const scrub = new Scrub(core);
  const numbers = store.recoverable ? wal.frames().map(({ frameNumber }) => frameNumber) : [];
  const reader = new FrameReader(store, guard);
  for (const [at, frameNumber] of numbers.entries()) {
    const reading = await reader.read(numbers, at);
    reader.forget(frameNumber);
    const trimmed = (): boolean =>
      wal.isGoing(frameNumber) || !wal.frames().some((one) => one.frameNumber === frameNumber);
    if (reading === undefined && trimmed()) continue;
    scrub.frame(frameNumber, reading);
  }
  for (const shard of control.shards()) {
    const ordinals = new Set(directory.of(shard.uid).map(([, ordinal]) => ordinal));
    for (let ordinal = shard.trimmedThrough + 1; ordinal <= shard.sealedThrough; ordinal++) {
      if (!ordinals.has(ordinal)) scrub.missingSegment(shard.uid, ordinal);
    }
  }
  const declared = [...control.shards()].flatMap(({ uid }) => directory.of(uid));
  for (const key of declared) {
    const read = (): Promise<Uint8Array | undefined> => store.readSegment(key);
    const reading = await patientRead(store, guard, READ_ATTEMPTS, read);
    const going = !directory.of(key[0]).includes(key) || directory.isGoing(key);
    if (reading === undefined && going) continue;
    scrub.segment(key, reading);
  }
  for (const key of await store.segmentKeys()) {
    // What this leader wrote and has not declared is on its way, or its own to remove.
    if (key[5] === epoch || directory.of(key[0]).some((one) => one.join() === key.join())) continue;
    if (!isDropped(control, key)) noteUndeclared(scrub, key);
  }
  return scrub.report((uid) => control.shard(uid)?.sealedThrough);
}

/**
 * Whether a segment was trimmed, or its shard deleted: it is on its way out, held for an export, or was
 * brought back by a power cut.
 */
function isDropped(control: ControlState, [shardUid, ordinal]: SegmentKey): boolean {
  const shard = control.shard(shardUid);
  return shard === undefined ? control.wasDeleted(shardUid) : ordinal <= shard.trimmedThrough;
}

/** Scrubs a store that nobody leads. @throws UnsupportedFormatError for what a newer build wrote. */
export async function scrubStore(core: ShardLogCore, store: LogStore): Promise<ScrubReport> {
  const { scrub, scan, found, guard } = await scrubFrames(core, store);
  for (const { uid } of scan.control.shards()) {
    for (const key of found.directory.of(uid)) {
      const read = (): Promise<Uint8Array | undefined> => store.readSegment(key);
      scrub.segment(key, await patientRead(store, guard, READ_ATTEMPTS, read));
    }
  }
  return scrub.report((uid) => scan.control.shard(uid)?.sealedThrough);
}

/** The part of {@link scrubStore} that reads no segment. `scrub` may have seen segments already. */
export async function scrubFrames(core: ShardLogCore, store: LogStore, scrub = new Scrub(core)) {
  const wal = new WalLedger();
  const guard = new StoreGuard(store, wal);
  const scan = new WalScan(core, store, guard, wal);
  await scan.readOn();
  const keys = await store.segmentKeys();
  scan.reportBeginning(keys.length > 0);
  const found = SegmentDirectory.scan(keys, scan.control.shards());
  reportMissing(found, scan);
  for (const loss of scan.losses.list()) scrub.damage.add(loss);
  for (const key of found.garbage) if (!isDropped(scan.control, key)) noteUndeclared(scrub, key);
  const numbers = await store.frameNumbers();
  const reader = new FrameReader(store, guard);
  for (const [at, frameNumber] of numbers.entries()) {
    scrub.frame(frameNumber, await reader.read(numbers, at));
    reader.forget(frameNumber);
  }
  return { scrub, scan, found, guard };
}

function noteUndeclared(scrub: Scrub, key: SegmentKey): void {
  scrub.damage.add({
    kind: "segment",
    where: `${segmentPlace(key)} of epoch ${key[5]}`,
    reason: "it is in the store and no manifest declares it; nothing is lost by it",
    recordCount: 0,
  });
}
