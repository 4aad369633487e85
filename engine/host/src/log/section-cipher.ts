/**
 * Records sections whose frames are encrypted: the run headers stay in plain text, so that a scan knows
 * shards, ordinals and lengths without a key.
 *
 * Layout: "Encrypted records" in `ARCHITECTURE.md`. The additional data are epoch and number of the WAL
 * frame, the section's header and the run headers: a section that was moved, or whose headers were
 * changed, does not decrypt.
 */
import { RUN_HEADER_BYTES, SECTION_HEADER_BYTES, SECTION_RECORDS } from "@millrace/core/layout";
import type { Run } from "../core/core-types.ts";
import { releaseBuffer } from "../core/release-buffer.ts";
import { viewOf, writeUint64 } from "./bytes.ts";
import { encryptionOf } from "./data-keys.ts";
import type { LogContext } from "./log-context.ts";
import { CIPHER_BYTES, type RecordCipher, type Undecipherable } from "./record-cipher.ts";
import {
  encryptedRunsEnd,
  RUN_COUNT_BYTES,
  readRuns,
  recordSections,
  runHeader,
  runsByStream,
  type StoredRun,
} from "./sections.ts";
import {
  type FrameHeader,
  type Section,
  type SectionDraft,
  writeSectionHeader,
} from "./wal-frame.ts";

/** Epoch and number of the frame. */
const PLACE_BYTES = 16;

/** What places an encrypted section in the log. */
type FramePlace = Pick<FrameHeader, "epoch" | "frameNumber">;
/** What encrypting needs of a log. */
type CipherContext = Pick<LogContext, "core" | "control" | "cipher">;

/** Data keys of the streams that runs belong to, by stream uid; streams without encryption are left out. */
export function dataKeysOfRuns(
  { control }: Pick<LogContext, "control">,
  runs: readonly Run[],
): ReadonlyMap<number, number> {
  const keys = new Map<number, number>();
  let streamUid = 0;
  for (const run of runs) {
    if (run.streamUid === streamUid) continue;
    streamUid = run.streamUid;
    const encryption = encryptionOf(control, streamUid);
    if (encryption !== undefined) keys.set(streamUid, encryption.dataKeyId);
  }
  return keys;
}

/**
 * Records sections of a frame, those of streams with a data key encrypted. All frames are read out
 * of the core before anything is waited for, because its memory moves on meanwhile.
 *
 * @throws KeyLostError, StoreFailedError: nothing may be written then.
 */
export async function encryptRecords(
  context: CipherContext,
  place: FramePlace,
  runs: readonly Run[],
  keys: ReadonlyMap<number, number>,
): Promise<SectionDraft[]> {
  const { core, cipher } = context;
  const plain: SectionDraft[] = recordSections(
    runs.filter(({ streamUid }) => !keys.has(streamUid)),
  ).map((section) => ({
    ...section,
    pieces: section.pieces.map((piece) =>
      piece instanceof Uint8Array ? piece : core.view(piece.address, piece.byteLength).slice(),
    ),
  }));
  for (const { shardUid, ordinal, streamUid } of runs) {
    const keyId = keys.get(streamUid);
    if (keyId !== undefined) cipher.noteSegment(shardUid, ordinal, keyId);
  }
  const encrypted = [...runsByStream(runs)].flatMap(([streamUid, ofStream]) => {
    const keyId = keys.get(streamUid);
    return keyId === undefined ? [] : [encryptRuns(context, place, streamUid, keyId, ofStream)];
  });
  return [...plain, ...(await Promise.all(encrypted))];
}

/** Gives the ciphertexts of sections back once they are copied into their frame. */
export function releaseCiphertexts(sections: readonly SectionDraft[]): void {
  for (const { keyId = 0, pieces } of sections) {
    const sealed = keyId === 0 ? undefined : pieces.at(-1);
    if (sealed instanceof Uint8Array) releaseBuffer(sealed);
  }
}

/** One encrypted section. The frames are read before this returns. */
async function encryptRuns(
  { core, cipher }: CipherContext,
  place: FramePlace,
  streamUid: number,
  keyId: number,
  runs: readonly Run[],
): Promise<SectionDraft> {
  const head = headOf(runs);
  const frames = framesOf(core, runs);
  const counter = cipher.nextCounter();
  const draft = { type: SECTION_RECORDS, critical: true, streamUid, keyId, counter };
  const payloadLength = head.byteLength + frames.byteLength + CIPHER_BYTES;
  const additional = additionalData(place, draft, payloadLength, head);
  const stretch = { dataKeyId: keyId, purpose: "wal", counter, additional } as const;
  const { salt, sealed } = await cipher.encrypt(stretch, frames);
  return { ...draft, pieces: [head, salt, sealed] };
}

/** The runs of an encrypted records section of a frame, or why they cannot be told. @throws StoreFailedError. */
export async function decryptRecords(
  cipher: RecordCipher,
  place: FramePlace,
  section: Section,
): Promise<StoredRun[] | Undecipherable> {
  const { keyId, counter, payload } = section;
  const headEnd = encryptedRunsEnd(payload);
  if (headEnd === undefined) return "damaged";
  const head = payload.subarray(0, headEnd);
  const additional = additionalData(place, section, payload.byteLength, head);
  const stretch = { dataKeyId: keyId, purpose: "wal", counter, additional } as const;
  const frames = await cipher.decrypt(stretch, payload.subarray(headEnd));
  if (typeof frames === "string") return frames;
  let at = 0;
  return readRuns(section).map((run) => {
    at += run.byteLength;
    return { ...run, frames: frames.subarray(at - run.byteLength, at) };
  });
}

/** Count and headers of runs. */
function headOf(runs: readonly Run[]): Uint8Array {
  const head = new Uint8Array(RUN_COUNT_BYTES + runs.length * RUN_HEADER_BYTES);
  viewOf(head).setUint32(0, runs.length, true);
  for (const [i, run] of runs.entries()) {
    head.set(runHeader(run), RUN_COUNT_BYTES + i * RUN_HEADER_BYTES);
  }
  return head;
}

/** The frames of runs back to back: where they lie in the core when it is one run, else copied together. */
function framesOf(core: LogContext["core"], runs: readonly Run[]): Uint8Array {
  const [only, ...others] = runs;
  if (only !== undefined && others.length === 0) return core.view(only.address, only.byteLength);
  const frames = new Uint8Array(runs.reduce((sum, run) => sum + run.byteLength, 0));
  let at = 0;
  for (const run of runs) {
    frames.set(core.view(run.address, run.byteLength), at);
    at += run.byteLength;
  }
  return frames;
}

function additionalData(
  { epoch, frameNumber }: FramePlace,
  section: Parameters<typeof writeSectionHeader>[2],
  payloadLength: number,
  head: Uint8Array,
): Uint8Array {
  const additional = new Uint8Array(PLACE_BYTES + SECTION_HEADER_BYTES + head.byteLength);
  const view = viewOf(additional);
  writeUint64(view, 0, epoch);
  writeUint64(view, 8, frameNumber);
  writeSectionHeader(view, PLACE_BYTES, section, payloadLength);
  additional.set(head, PLACE_BYTES + SECTION_HEADER_BYTES);
  return additional;
}
