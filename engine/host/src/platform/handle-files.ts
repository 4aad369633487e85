/**
 * Small files of the origin private file system, over synchronous handles: opened for one use each, and
 * written so that a writing that is cut off can be told.
 *
 * A handle is exclusive: a leader that died must not keep the next one out, so that none stays open.
 */
import { fnv1a } from "../model/token-bytes.ts";
import type { Clock } from "./platform.ts";

const DIRECTORY = "millrace";
/** How long a file may take to open, in ms: browsers leave it open for ever when the site's data goes meanwhile. */
const OPENING_MS_MAX = 2000;
/** Bytes that a slot has besides its content. */
export const SLOT_HEADER_BYTES = 12;
const CHECKSUM_AT = 8;

/** What is needed of a handle to a file. */
export interface FileHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(byteLength: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

/** Opens a file by its name; `create` makes one that is not there. Rejects when it is not, or is taken. */
export type OpenFile = (fileName: string, create: boolean) => Promise<FileHandle>;

/** Bytes with the number of their writing: later ones have higher numbers. */
export interface Slot {
  readonly writing: number;
  readonly bytes: Uint8Array;
}

/** A slot as it is written: `{u32 number of the writing, u32 length, u32 FNV-1a of all but this, bytes}`. */
export function encodeSlot(
  { writing, bytes }: Slot,
  slotBytes: number = SLOT_HEADER_BYTES + bytes.byteLength,
): Uint8Array {
  const slot = new Uint8Array(slotBytes);
  const view = new DataView(slot.buffer);
  view.setUint32(0, writing, true);
  view.setUint32(4, bytes.byteLength, true);
  slot.set(bytes, SLOT_HEADER_BYTES);
  view.setUint32(CHECKSUM_AT, fnv1a(slot), true);
  return slot;
}

/** A slot that is whole, or undefined. */
export function decodeSlot(slot: Uint8Array): Slot | undefined {
  if (slot.byteLength < SLOT_HEADER_BYTES) return undefined;
  const copy = slot.slice();
  const view = new DataView(copy.buffer);
  const checkSum = view.getUint32(CHECKSUM_AT, true);
  const byteLength = view.getUint32(4, true);
  view.setUint32(CHECKSUM_AT, 0, true);
  if (byteLength === 0 || byteLength > slot.byteLength - SLOT_HEADER_BYTES) return undefined;
  if (fnv1a(copy) !== checkSum) return undefined;
  const bytes = copy.slice(SLOT_HEADER_BYTES, SLOT_HEADER_BYTES + byteLength);
  return { writing: view.getUint32(0, true), bytes };
}

/** Files that `open` opens, one handle at a time. */
export class HandleFiles {
  readonly #open: OpenFile;
  readonly #clock: Pick<Clock, "after">;

  constructor(open: OpenFile, clock: Pick<Clock, "after">) {
    this.#open = open;
    this.#clock = clock;
  }

  /**
   * Opens a file, uses it and closes it.
   * @throws Error when it does not open in time, is taken, or is not there and `create` is false.
   */
  async with<Result>(
    fileName: string,
    create: boolean,
    use: (handle: FileHandle) => Result,
  ): Promise<Result> {
    const handle = await this.#openInTime(fileName, create);
    try {
      return use(handle);
    } finally {
      handle.close();
    }
  }

  async #openInTime(fileName: string, create: boolean): Promise<FileHandle> {
    const opening = this.#open(fileName, create);
    let cancel = (): void => undefined;
    const late = new Promise<undefined>((resolve) => {
      cancel = this.#clock.after(OPENING_MS_MAX, () => resolve(undefined));
    });
    try {
      const handle = await Promise.race([opening, late]);
      if (handle !== undefined) return handle;
      closeLate(opening);
      throw new Error(`${fileName} did not open within ${OPENING_MS_MAX} ms`);
    } finally {
      cancel();
    }
  }
}

/** Ends the handle of an opening that nobody waits for any more. */
function closeLate(opening: Promise<FileHandle>): void {
  opening.then(
    (handle) => handle.close(),
    () => undefined,
  );
}

/** Opens a file of the engine's folder in the origin private file system. */
export async function openOriginFile(fileName: string, create: boolean): Promise<FileHandle> {
  const root = await navigator.storage.getDirectory();
  const directory = await root.getDirectoryHandle(DIRECTORY, { create });
  const file = await directory.getFileHandle(fileName, { create });
  // Only dedicated workers have it, and not every browser's.
  const open: unknown = Reflect.get(file, "createSyncAccessHandle");
  if (typeof open !== "function") throw new TypeError("there are no synchronous access handles");
  return (await open.call(file)) as FileHandle;
}
