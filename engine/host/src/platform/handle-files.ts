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
/** Pause in ms before a file is tried again whose handle somebody has: nobody has one for longer than a writing. */
const TAKEN_MS = 20;
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

/**
 * Opens a file by its name; `create` makes one that is not there. Rejects with a NotFoundError when it is not, with
 * a NoModificationAllowedError or an InvalidStateError when somebody has a handle to it.
 */
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

function isCalled(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

/** Whether a file could not be opened because it is not there. */
export function isAbsence(error: unknown): boolean {
  return isCalled(error, "NotFoundError");
}

/** Whether a file could not be opened because somebody has a handle to it; WebKit has a name of its own for that. */
function isTaken(error: unknown): boolean {
  return isCalled(error, "NoModificationAllowedError") || isCalled(error, "InvalidStateError");
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
   * Opens a file, uses it and closes it. One that is taken is tried again for a while.
   * @throws Error when it does not open in time, stays taken, or is not there and `create` is false.
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
    let cancel = (): void => undefined;
    const late = new Promise<"late">((resolve) => {
      cancel = this.#clock.after(OPENING_MS_MAX, () => resolve("late"));
    });
    let refusal: unknown = new Error(`${fileName} did not open within ${OPENING_MS_MAX} ms`);
    try {
      do {
        const opening = this.#open(fileName, create);
        try {
          const handle = await Promise.race([opening, late]);
          if (handle !== "late") return handle;
          closeLate(opening);
          break;
        } catch (error) {
          if (!isTaken(error)) throw error;
          refusal = error;
        }
      } while ((await this.#pause(late)) !== "late");
      throw refusal;
    } finally {
      cancel();
    }
  }

  /** Resolves after a short while, or when it is late. */
  async #pause(late: Promise<"late">): Promise<"late" | undefined> {
    let cancel = (): void => undefined;
    const pause = new Promise<undefined>((resolve) => {
      cancel = this.#clock.after(TAKEN_MS, () => resolve(undefined));
    });
    try {
      return await Promise.race([pause, late]);
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
