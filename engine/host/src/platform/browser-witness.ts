/**
 * Witnesses in a browser: a file of the origin private file system, which is apart from IndexedDB and
 * outlives the loss of it.
 *
 * A file holds two slots that are written in turn, so that a writing that is cut off leaves the one
 * before. Each is `{u32 number of the writing, u32 length, u32 FNV-1a of all but this, bytes}`. A handle is
 * exclusive, and open for one writing only: a leader that died must not keep the next one out.
 */
import { fnv1a } from "../model/token-bytes.ts";
import type { Clock, Witnesses } from "./platform.ts";
import { systemClock } from "./system-clock.ts";

const DIRECTORY = "millrace";
const SLOT_BYTES = 128;
const SLOT_HEADER_BYTES = 12;
const CHECKSUM_AT = 8;
/** How long a file may take to open, in ms: browsers leave it open for ever when the site's data goes meanwhile. */
const OPENING_MS_MAX = 2000;

/** What the witness needs of a handle to a file. */
export interface WitnessHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}

interface Slot {
  readonly writing: number;
  readonly bytes: Uint8Array;
}

/** The whole slot as it is written. */
function encodeSlot({ writing, bytes }: Slot): Uint8Array {
  const slot = new Uint8Array(SLOT_BYTES);
  const view = new DataView(slot.buffer);
  view.setUint32(0, writing, true);
  view.setUint32(4, bytes.byteLength, true);
  slot.set(bytes, SLOT_HEADER_BYTES);
  view.setUint32(CHECKSUM_AT, fnv1a(slot), true);
  return slot;
}

/** A slot that is whole, or undefined. */
function decodeSlot(slot: Uint8Array): Slot | undefined {
  const copy = slot.slice();
  const view = new DataView(copy.buffer);
  const checkSum = view.getUint32(CHECKSUM_AT, true);
  const byteLength = view.getUint32(4, true);
  view.setUint32(CHECKSUM_AT, 0, true);
  if (byteLength === 0 || byteLength > SLOT_BYTES - SLOT_HEADER_BYTES) return undefined;
  if (fnv1a(copy) !== checkSum) return undefined;
  const bytes = copy.slice(SLOT_HEADER_BYTES, SLOT_HEADER_BYTES + byteLength);
  return { writing: view.getUint32(0, true), bytes };
}

/** The newest slot of a file that is whole. */
function newestSlot(handle: WitnessHandle): Slot | undefined {
  const slots = [0, SLOT_BYTES].flatMap((at) => {
    const bytes = new Uint8Array(SLOT_BYTES);
    return handle.read(bytes, { at }) === SLOT_BYTES ? (decodeSlot(bytes) ?? []) : [];
  });
  return slots.sort((a, b) => b.writing - a.writing)[0];
}

/** {@link Witnesses} over files that `open` opens, one handle at a time. */
export class FileHandleWitnesses implements Witnesses {
  readonly #open: (engineName: string) => Promise<WitnessHandle>;
  readonly #clock: Pick<Clock, "after">;

  constructor(
    open: (engineName: string) => Promise<WitnessHandle>,
    clock: Pick<Clock, "after"> = systemClock,
  ) {
    this.#open = open;
    this.#clock = clock;
  }

  async read(engineName: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#with(engineName, (handle) => newestSlot(handle)?.bytes);
    } catch {
      return undefined;
    }
  }

  async write(engineName: string, bytes: Uint8Array): Promise<void> {
    await this.#with(engineName, (handle) => {
      const writing = (newestSlot(handle)?.writing ?? 0) + 1;
      handle.write(encodeSlot({ writing, bytes }), { at: (writing % 2) * SLOT_BYTES });
      handle.flush();
    });
  }

  async #openInTime(engineName: string): Promise<WitnessHandle> {
    const opening = this.#open(engineName);
    let cancel = (): void => undefined;
    const late = new Promise<undefined>((resolve) => {
      cancel = this.#clock.after(OPENING_MS_MAX, () => resolve(undefined));
    });
    try {
      const handle = await Promise.race([opening, late]);
      if (handle !== undefined) return handle;
      closeLate(opening);
      throw new Error(`the witness did not open within ${OPENING_MS_MAX} ms`);
    } finally {
      cancel();
    }
  }

  async #with<Result>(engineName: string, use: (handle: WitnessHandle) => Result): Promise<Result> {
    const handle = await this.#openInTime(engineName);
    try {
      return use(handle);
    } finally {
      handle.close();
    }
  }
}

/** Ends the handle of an opening that nobody waits for any more. */
function closeLate(opening: Promise<WitnessHandle>): void {
  opening.then(
    (handle) => handle.close(),
    () => undefined,
  );
}

async function openHandle(engineName: string): Promise<WitnessHandle> {
  const root = await navigator.storage.getDirectory();
  const directory = await root.getDirectoryHandle(DIRECTORY, { create: true });
  const file = await directory.getFileHandle(`${engineName}.witness`, { create: true });
  // Only dedicated workers have it, and not every browser's.
  const open: unknown = Reflect.get(file, "createSyncAccessHandle");
  if (typeof open !== "function") throw new TypeError("there are no synchronous access handles");
  return (await open.call(file)) as WitnessHandle;
}

/** The browser's witnesses; undefined where it has no place for them. */
export function browserWitnesses(): Witnesses | undefined {
  const handles: unknown = Reflect.get(globalThis, "FileSystemSyncAccessHandle");
  const manager: StorageManager | undefined = globalThis.navigator?.storage;
  if (handles === undefined || typeof manager?.getDirectory !== "function") return undefined;
  return new FileHandleWitnesses(openHandle);
}
