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
  isAbsence,
  type OpenFile,
  openOriginFile,
  type Slot,
} from "./handle-files.ts";
import type { Clock, CompareCopies, Witnesses } from "./platform.ts";
import { newest, newestSlot, UNFORCED_PAGES, writeSlot } from "./slot-pages.ts";
import { systemClock } from "./system-clock.ts";

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

  async read(engineName: string): Promise<Uint8Array | undefined> {
    return await this.#read(witnessFile(engineName), 1).catch(() => undefined);
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

  async readCopy(
    engineName: string,
    compare: CompareCopies = () => 0,
  ): Promise<Uint8Array | undefined> {
    const slots: Slot[] = [];
    for (const which of [0, 1]) {
      const slot = await this.#copy(engineName, which).catch(() => undefined);
      if (slot !== undefined) slots.push(slot);
    }
    slots.sort((left, right) => compare(right.bytes, left.bytes) || right.writing - left.writing);
    return slots[0]?.bytes;
  }

  async writeCopy(engineName: string, bytes: Uint8Array): Promise<void> {
    const slots = [await this.#copy(engineName, 0), await this.#copy(engineName, 1)];
    const writing = (newest(slots.flatMap((slot) => slot ?? []))?.writing ?? 0) + 1;
    const slot = encodeSlot({ writing, bytes });
    await this.#files.with(copyFile(engineName, writing % 2), true, (handle) => {
      // The file is ours alone from here on: one that was written since the look at both stays.
      const present = wholeFile(handle);
      if (present !== undefined && present.writing >= writing) {
        throw new Error("another leader has written the copy meanwhile");
      }
      const written = handle.write(slot, { at: 0 });
      handle.truncate(slot.byteLength);
      handle.flush();
      if (written !== slot.byteLength) throw new Error("there is no room for the copy");
    });
  }

  /** One of both files; undefined when it is not there or not whole. @throws Error when it cannot be read. */
  async #copy(engineName: string, which: number): Promise<Slot | undefined> {
    try {
      return await this.#files.with(copyFile(engineName, which), false, wholeFile);
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }

  /** @throws Error when the file cannot be read. */
  #read(fileName: string, pages: number): Promise<Uint8Array | undefined> {
    return this.#files.with(fileName, true, (handle) => newestSlot(handle, pages)?.bytes);
  }

  async #write(
    fileName: string,
    bytes: Uint8Array,
    { pages, forced }: { readonly pages: number; readonly forced: boolean },
  ): Promise<void> {
    await this.#files.with(fileName, true, (handle) => {
      writeSlot(handle, bytes, pages);
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
