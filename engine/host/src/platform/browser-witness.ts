/**
 * Witnesses in a browser: files of the origin private file system, which is apart from IndexedDB and
 * outlives the loss of it.
 *
 * The witness has two slots that are written in turn, so that a writing that is cut off leaves the one
 * before. The copy of the control state has two files, for the same reason.
 */
import {
  decodeSlot,
  encodeSlot,
  type FileHandle,
  HandleFiles,
  type OpenFile,
  openOriginFile,
  SLOT_HEADER_BYTES,
  type Slot,
} from "./handle-files.ts";
import type { Clock, Witnesses } from "./platform.ts";
import { systemClock } from "./system-clock.ts";

const SLOT_BYTES = 128;
/** Bytes of what a disk writes at once. */
const PAGE_BYTES = 4096;
/**
 * Pages that the unforced record is written to: whoever finds it on all of them finds it in the memory of a
 * machine that ran on, for a disk that happens to have written one page has hardly written them all.
 */
const UNFORCED_PAGES = 8;

function newest(slots: readonly (Slot | undefined)[]): Slot | undefined {
  return slots.flatMap((slot) => slot ?? []).sort((left, right) => right.writing - left.writing)[0];
}

/** The slots of a page that are whole. */
function slotsOf(handle: FileHandle, page: number): Slot[] {
  return [0, SLOT_BYTES].flatMap((at) => {
    const bytes = new Uint8Array(SLOT_BYTES);
    if (handle.read(bytes, { at: page * PAGE_BYTES + at }) !== SLOT_BYTES) return [];
    return decodeSlot(bytes) ?? [];
  });
}

/** The newest slot that is whole on so many pages of a file. */
function newestSlot(handle: FileHandle, pages: number): Slot | undefined {
  const others = Array.from({ length: pages - 1 }, (_, i) => slotsOf(handle, i + 1));
  const isEverywhere = ({ writing }: Slot): boolean =>
    others.every((slots) => slots.some((slot) => slot.writing === writing));
  return newest(slotsOf(handle, 0).filter(isEverywhere));
}

/** A file that is one slot; undefined when it is not whole. */
function wholeFile(handle: FileHandle): Slot | undefined {
  const bytes = new Uint8Array(handle.getSize());
  return handle.read(bytes, { at: 0 }) === bytes.byteLength ? decodeSlot(bytes) : undefined;
}

/** {@link Witnesses} over files that `open` opens by their names, one handle at a time. */
export class FileHandleWitnesses implements Witnesses {
  readonly #files: HandleFiles;

  constructor(open: OpenFile, clock: Pick<Clock, "after"> = systemClock) {
    this.#files = new HandleFiles(open, clock);
  }

  read(engineName: string): Promise<Uint8Array | undefined> {
    return this.#read(witnessFile(engineName), 1);
  }

  write(engineName: string, bytes: Uint8Array): Promise<void> {
    return this.#write(witnessFile(engineName), bytes, { pages: 1, forced: true });
  }

  readUnforced(engineName: string): Promise<Uint8Array | undefined> {
    return this.#read(unforcedFile(engineName), UNFORCED_PAGES);
  }

  writeUnforced(engineName: string, bytes: Uint8Array): Promise<void> {
    return this.#write(unforcedFile(engineName), bytes, { pages: UNFORCED_PAGES, forced: false });
  }

  async readCopy(engineName: string): Promise<Uint8Array | undefined> {
    return newest(await this.#copies(engineName))?.bytes;
  }

  async writeCopy(engineName: string, bytes: Uint8Array): Promise<void> {
    const writing = (newest(await this.#copies(engineName))?.writing ?? 0) + 1;
    const slot = encodeSlot({ writing, bytes });
    await this.#files.with(copyFile(engineName, writing % 2), true, (handle) => {
      const written = handle.write(slot, { at: 0 });
      handle.truncate(slot.byteLength);
      handle.flush();
      if (written !== slot.byteLength) throw new Error("there is no room for the copy");
    });
  }

  /** Both files, as far as they are there and whole. */
  async #copies(engineName: string): Promise<(Slot | undefined)[]> {
    const slots: (Slot | undefined)[] = [];
    for (const which of [0, 1]) {
      const reading = this.#files.with(copyFile(engineName, which), false, wholeFile);
      slots.push(await reading.catch(() => undefined));
    }
    return slots;
  }

  async #read(fileName: string, pages: number): Promise<Uint8Array | undefined> {
    try {
      return await this.#files.with(fileName, true, (handle) => newestSlot(handle, pages)?.bytes);
    } catch {
      return undefined;
    }
  }

  async #write(
    fileName: string,
    bytes: Uint8Array,
    { pages, forced }: { readonly pages: number; readonly forced: boolean },
  ): Promise<void> {
    if (bytes.byteLength > SLOT_BYTES - SLOT_HEADER_BYTES) throw new Error("it is no witness");
    await this.#files.with(fileName, true, (handle) => {
      const writing = (newestSlot(handle, pages)?.writing ?? 0) + 1;
      const slot = encodeSlot({ writing, bytes }, SLOT_BYTES);
      for (let page = 0; page < pages; page++) {
        handle.write(slot, { at: page * PAGE_BYTES + (writing % 2) * SLOT_BYTES });
      }
      if (forced) handle.flush();
    });
  }
}

function witnessFile(engineName: string): string {
  return `${engineName}.witness`;
}

/** A file of its own: forcing the witness to the disk must not force this as well. */
function unforcedFile(engineName: string): string {
  return `${engineName}.unforced`;
}

function copyFile(engineName: string, which: number): string {
  return `${engineName}.copy-${which}`;
}

/** The browser's witnesses; undefined where it has no place for them. */
export function browserWitnesses(): Witnesses | undefined {
  const handles: unknown = Reflect.get(globalThis, "FileSystemSyncAccessHandle");
  const manager: StorageManager | undefined = globalThis.navigator?.storage;
  if (handles === undefined || typeof manager?.getDirectory !== "function") return undefined;
  return new FileHandleWitnesses(openOriginFile);
}
