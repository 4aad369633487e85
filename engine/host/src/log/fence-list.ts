/**
 * The fences of a WAL as a snapshot lists them: they are never trimmed, one for every leader that there
 * ever was, and a scan that knows them need not read them.
 *
 * Payload: `{u32 difference to the frame number before, u32 byte length}` per fence, ascending.
 */
import { SECTION_FENCE_LIST } from "@millrace/core/layout";
import { viewOf } from "./bytes.ts";
import type { Section, SectionDraft } from "./wal-frame.ts";

/** A fence by the number of its frame. */
export interface ListedFence {
  readonly frameNumber: number;
  readonly byteLength: number;
}

const ENTRY_BYTES = 8;
const DIFFERENCE_MAX = 0xffff_ffff;

/** A section that lists fences, ascending by frame number; not critical: without it they are read. */
export function fenceListSection(fences: readonly ListedFence[]): SectionDraft {
  const entries = new Uint8Array(fences.length * ENTRY_BYTES);
  const view = viewOf(entries);
  let before = 0;
  let listed = 0;
  for (const { frameNumber, byteLength } of fences) {
    // A list that ends early costs the reading of the rest.
    if (frameNumber - before > DIFFERENCE_MAX) break;
    view.setUint32(listed * ENTRY_BYTES, frameNumber - before, true);
    view.setUint32(listed * ENTRY_BYTES + 4, byteLength, true);
    before = frameNumber;
    listed += 1;
  }
  const payload = entries.subarray(0, listed * ENTRY_BYTES);
  return { type: SECTION_FENCE_LIST, critical: false, streamUid: 0, pieces: [payload] };
}

/** The fences that a section lists. */
export function readFenceList({ payload }: Section): ListedFence[] {
  const view = viewOf(payload);
  const fences: ListedFence[] = [];
  let frameNumber = 0;
  for (let at = 0; at + ENTRY_BYTES <= payload.byteLength; at += ENTRY_BYTES) {
    frameNumber += view.getUint32(at, true);
    fences.push({ frameNumber, byteLength: view.getUint32(at + 4, true) });
  }
  return fences;
}
