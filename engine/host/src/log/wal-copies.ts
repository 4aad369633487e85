/**
 * What the WAL still holds of a segment that is damaged or gone: frames are trimmed some time after the
 * segment that stands for them was declared, and until then every record is there twice.
 */
import {
  FRAME_HEADER_BYTES,
  FRAME_LENGTH,
  FRAME_SEQUENCE_INDEX,
  SECTION_RECORDS,
} from "@millrace/core/layout";
import type { SegmentKey } from "../storage/log-store.ts";
import { readUint64, viewOf } from "./bytes.ts";
import { isDestroyed } from "./data-keys.ts";
import type { LogContext } from "./log-context.ts";
import { patientRead } from "./patient-read.ts";
import type { SalvagedSegment } from "./salvage.ts";
import { decryptRecords } from "./section-cipher.ts";
import { readRuns, type StoredRun } from "./sections.ts";
import { type DecodedFrame, decodeFrame, type Section } from "./wal-frame.ts";

/** Readings of a frame before it is done without. */
const READ_ATTEMPTS = 2;

/**
 * What is left of a segment together with what frames of the WAL hold of it, each record once.
 * @throws MillraceError when the store or the vault is out of reach.
 */
export async function withWalCopies(
  context: LogContext,
  key: SegmentKey,
  rest: SalvagedSegment,
): Promise<SalvagedSegment> {
  const frames = new Map<number, Uint8Array>();
  for (const { frames: bytes } of await runsOf(context, key)) addFrames(frames, bytes);
  if (frames.size === 0) return rest;
  for (const { byteOffset, byteLength } of rest.ranges) {
    addFrames(frames, rest.image.subarray(byteOffset, byteOffset + byteLength));
  }
  const image = joined([...frames].sort(([left], [right]) => left - right));
  const ranges = context.core.intactFrames(image);
  const recordCount = ranges.reduce((sum, range) => sum + range.recordCount, 0);
  return { image, ranges, whole: recordCount === context.directory.factsOf(key)?.[1] };
}

/** Runs of a segment in all frames that the store still has. */
async function runsOf(context: LogContext, key: SegmentKey): Promise<StoredRun[]> {
  const { core, store, guard, wal } = context;
  const [uid, sealedOrdinal] = key;
  const isOf = ({ shardUid, ordinal }: { shardUid: number; ordinal: number }): boolean =>
    shardUid === uid && ordinal === sealedOrdinal;
  const runs: StoredRun[] = [];
  for (const { frameNumber } of wal.frames().filter(({ holds }) => holds.some(isOf))) {
    const read = (): Promise<Uint8Array | undefined> => store.readFrame(frameNumber);
    const bytes = await patientRead(store, guard, READ_ATTEMPTS, read);
    if (bytes === undefined || "unreadable" in bytes) continue;
    const frame = decodeFrame(core, bytes);
    if ("damaged" in frame) continue;
    for (const section of frame.sections) {
      if (section.type !== SECTION_RECORDS || !readRuns(section).some(isOf)) continue;
      runs.push(...(await plainRuns(context, frame, section)).filter(isOf));
    }
  }
  return runs;
}

/** The runs of a section with their frames; none where the key is gone or the ciphertext is not what was written. */
async function plainRuns(
  { cipher, control }: LogContext,
  frame: DecodedFrame,
  section: Section,
): Promise<readonly StoredRun[]> {
  if (section.keyId === 0) return readRuns(section);
  if (isDestroyed(control, section.keyId)) return [];
  const runs = await decryptRecords(cipher, frame, section);
  return typeof runs === "string" ? [] : runs;
}

/** Adds record frames that lie back to back, by their sequence index. */
function addFrames(frames: Map<number, Uint8Array>, bytes: Uint8Array): void {
  const view = viewOf(bytes);
  for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.byteLength; ) {
    const length = Math.max(FRAME_HEADER_BYTES, view.getUint32(at + FRAME_LENGTH, true));
    frames.set(readUint64(view, at + FRAME_SEQUENCE_INDEX), bytes.subarray(at, at + length));
    at += length;
  }
}

function joined(frames: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const byteLength = frames.reduce((sum, [, bytes]) => sum + bytes.byteLength, 0);
  const image = new Uint8Array(byteLength);
  let at = 0;
  for (const [, bytes] of frames) {
    image.set(bytes, at);
    at += bytes.byteLength;
  }
  return image;
}
