/**
 * Small files of two slots that are written in turn, so that a writing that is cut off leaves the one before. A
 * file may have the same on several pages.
 */
import {
  decodeSlot,
  encodeSlot,
  type FileHandle,
  SLOT_HEADER_BYTES,
  type Slot,
} from "./handle-files.ts";

const SLOT_BYTES = 128;
/** Bytes of what a disk writes at once. */
const PAGE_BYTES = 4096;
/**
 * Pages that the unforced record is written to: whoever finds it on all of them finds it in the memory of a
 * machine that ran on, for a disk that happens to have written one page has hardly written them all.
 */
export const UNFORCED_PAGES = 8;

/** The slot that was written last. */
export function newest(slots: readonly Slot[]): Slot | undefined {
  return [...slots].sort((left, right) => right.writing - left.writing)[0];
}

/** The slots of a page that are whole. */
function slotsOf(handle: Pick<FileHandle, "read">, page: number): Slot[] {
  return [0, SLOT_BYTES].flatMap((at) => {
    const bytes = new Uint8Array(SLOT_BYTES);
    if (handle.read(bytes, { at: page * PAGE_BYTES + at }) !== SLOT_BYTES) return [];
    return decodeSlot(bytes) ?? [];
  });
}

/** The newest slot that is whole on so many pages of a file. */
export function newestSlot(handle: Pick<FileHandle, "read">, pages: number): Slot | undefined {
  const others = Array.from({ length: pages - 1 }, (_, i) => slotsOf(handle, i + 1));
  const isEverywhere = ({ writing }: Slot): boolean =>
    others.every((slots) => slots.some((slot) => slot.writing === writing));
  return newest(slotsOf(handle, 0).filter(isEverywhere));
}

/** Writes bytes behind the newest slot, on so many pages. Not forced. @throws Error when they do not fit a slot. */
export function writeSlot(
  handle: Pick<FileHandle, "read" | "write">,
  bytes: Uint8Array,
  pages: number,
): void {
  if (bytes.byteLength > SLOT_BYTES - SLOT_HEADER_BYTES) throw new Error("it is no witness");
  const writing = (newestSlot(handle, pages)?.writing ?? 0) + 1;
  const slot = encodeSlot({ writing, bytes }, SLOT_BYTES);
  for (let page = 0; page < pages; page++) {
    handle.write(slot, { at: page * PAGE_BYTES + (writing % 2) * SLOT_BYTES });
  }
}
