/**
 * The durable store of a browser: WAL frames and segments in IndexedDB.
 *
 * Large segments are ArrayBuffers, which Chromium keeps in files of their own and frees soon after
 * they are deleted. Small ones would lie inside its database, where deleted values go on taking room;
 * as Blobs they are files too. Blobs are not the choice for all, because a Blob that was read keeps its
 * file, deleted or not, until the garbage collector finds it; nor for all browsers: the others use the room
 * of deleted values again, and a private window of WebKit stores no Blobs at all.
 */
import { releaseBuffer } from "../core/release-buffer.ts";
import { OutcomeUnknownError, StoreFailedError } from "../errors/store-errors.ts";
import { IS_CHROMIUM } from "./browser-kind.ts";
import { beginNewJournal, type Pause } from "./chromium-journal.ts";
import { IndexedDbConnection } from "./indexeddb-connection.ts";
import { classifyStoreError } from "./indexeddb-errors.ts";
import type {
  Durability,
  LogStore,
  SegmentKey,
  SegmentWrite,
  StoredFrame,
  StoreUsage,
} from "./log-store.ts";
import { segmentKeyText } from "./segment-order.ts";

/** Segments below this size are stored as Blobs: twice what Chromium keeps inside its database. */
const BLOB_BYTES_MAX = 131072;

/** Name of the IndexedDB database that holds an engine's log. */
export function databaseNameOf(engineName: string): string {
  return `millrace:${engineName}`;
}

/** {@link LogStore} over one IndexedDB database. Open it with {@link IndexedDbLogStore.open}. */
export class IndexedDbLogStore implements LogStore {
  readonly kind = "indexeddb";
  readonly recoverable = true;
  readonly #databaseName: string;
  readonly #listeners: ((reason: string) => void)[] = [];
  /** Settles, never with an error, when all writes asked for so far have. */
  #lastWrite: Promise<unknown> = Promise.resolve();
  #connection: IndexedDbConnection | undefined;
  #reopening: Promise<void> | undefined;
  #lossAtOpening: string | undefined;
  /** Calls of {@link close}. */
  #closings = 0;

  readonly #pause: Pause;

  private constructor(databaseName: string, pause: Pause) {
    this.#databaseName = databaseName;
    this.#pause = pause;
  }

  /**
   * Opens or creates the store of an engine. `pause` waits between two steps of the opening, where a platform
   * needs that. @throws StorageUnavailableError, UnsupportedFormatError naming the cause.
   */
  static async open(
    engineName: string,
    pause: Pause = () => Promise.resolve(),
  ): Promise<IndexedDbLogStore> {
    const store = new IndexedDbLogStore(databaseNameOf(engineName), pause);
    await store.reopen();
    store.#lossAtOpening = store.#connection?.dataLoss;
    return store;
  }

  get lossAtOpening(): string | undefined {
    return this.#lossAtOpening;
  }

  appendFrame(frameNumber: number, frame: Uint8Array, durability: Durability): Promise<void> {
    // A view would take its whole buffer along, and a view of Wasm memory all of that memory.
    const whole = frame.byteLength === frame.buffer.byteLength;
    const value = whole ? frame.buffer : frame.slice().buffer;
    return this.#write(`appendFrame ${frameNumber}`, "wal", durability, (wal) => {
      wal.add(value, frameNumber);
    });
  }

  async lastFrameNumber(): Promise<number> {
    const cursor = await this.#read("lastFrameNumber", "wal", (wal) =>
      wal.openKeyCursor(null, "prev"),
    );
    return cursor === null ? 0 : numberKey(cursor.key);
  }

  async frameNumbers(): Promise<number[]> {
    const keys = await this.#read("frameNumbers", "wal", (wal) => wal.getAllKeys());
    return keys.map(numberKey);
  }

  readFrame(frameNumber: number): Promise<Uint8Array | undefined> {
    return this.#readBytes(`readFrame ${frameNumber}`, "wal", frameNumber);
  }

  async readFrames(fromFrame: number, toFrame: number): Promise<StoredFrame[]> {
    if (toFrame < fromFrame) return [];
    const what = `readFrames ${fromFrame} to ${toFrame}`;
    const range = IDBKeyRange.bound(fromFrame, toFrame);
    const entries = await this.#open(what).readRange(what, "wal", range);
    return entries.map(({ key, value }) => {
      if (!(value instanceof ArrayBuffer)) {
        throw new StoreFailedError(`${what}: the value of ${String(key)} is no ArrayBuffer`);
      }
      return { frameNumber: numberKey(key), bytes: new Uint8Array(value) };
    });
  }

  async deleteFrames(frameNumbers: readonly number[]): Promise<void> {
    if (frameNumbers.length === 0) return;
    const ranges = consecutiveRanges(frameNumbers);
    await this.#write("deleteFrames", "wal", "relaxed", (wal) => {
      for (const { first, last } of ranges) wal.delete(IDBKeyRange.bound(first, last));
    });
  }

  async addSegments(writes: readonly SegmentWrite[]): Promise<void> {
    if (writes.length === 0) return;
    const texts = writes.map(({ key }) => segmentKeyText(key)).join(", ");
    const added: SegmentKey[] = [];
    try {
      await this.#write(`addSegments ${texts}`, "segments", "strict", (segments) => {
        for (const { key, image } of writes) {
          segments.add(storedForm(image), [...key]).onsuccess = () => added.push(key);
        }
      });
    } catch (error) {
      // Firefox keeps the others when one that is not the last is refused. What cannot be taken back is
      // left to the next opening, which deletes what nobody declared.
      if (!(error instanceof OutcomeUnknownError)) {
        await this.deleteSegments(added).catch(() => undefined);
      }
      throw error;
    } finally {
      for (const { image } of writes) releaseBuffer(image);
    }
  }

  async segmentKeys(): Promise<SegmentKey[]> {
    const keys = await this.#read("segmentKeys", "segments", (segments) => segments.getAllKeys());
    return keys.map(segmentKeyOf);
  }

  readSegment(key: SegmentKey): Promise<Uint8Array | undefined> {
    return this.#readBytes(`readSegment ${segmentKeyText(key)}`, "segments", [...key]);
  }

  async deleteSegments(keys: readonly SegmentKey[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#write("deleteSegments", "segments", "relaxed", (segments) => {
      for (const key of keys) segments.delete([...key]);
    });
  }

  /** Whoever asks while it is being opened waits for the same connection. */
  reopen(): Promise<void> {
    const reopening =
      this.#reopening ??
      this.#reopen().finally(() => {
        if (this.#reopening === reopening) this.#reopening = undefined;
      });
    this.#reopening = reopening;
    return reopening;
  }

  async #reopen(): Promise<void> {
    this.#connection?.close();
    this.#connection = undefined;
    const closings = this.#closings;
    const connection = await IndexedDbConnection.open(this.#databaseName, (reason) => {
      for (const listener of this.#listeners) listener(reason);
    });
    if (closings !== this.#closings) {
      // Nobody would ever close it.
      connection.close();
      throw new OutcomeUnknownError("reopen: the store was closed meanwhile");
    }
    this.#connection = connection;
    // Behind the opening, which tells why a store is empty, and tells it once; before the first write.
    const begun = beginNewJournal(`${this.#databaseName}:journal`, this.#pause);
    this.#lastWrite = this.#lastWrite.then(() => begun);
  }

  async usage(): Promise<StoreUsage> {
    const manager = globalThis.navigator?.storage;
    const estimate = await manager?.estimate?.();
    return {
      usageBytes: estimate?.usage,
      quotaBytes: estimate?.quota,
      persistent: (await manager?.persisted?.()) ?? false,
    };
  }

  onLost(listener: (reason: string) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#closings += 1;
    this.#reopening = undefined;
    this.#connection?.close();
    this.#connection = undefined;
  }

  /**
   * One writing transaction at a time: Chromium on LevelDB that is killed while two are unfinished takes
   * the locks they left on the disk for corruption, and deletes all that the origin has stored.
   */
  #write(
    what: string,
    storeName: "wal" | "segments",
    durability: Durability,
    issue: (objectStore: IDBObjectStore) => void,
  ): Promise<void> {
    const write = this.#lastWrite.then(() =>
      this.#open(what).write(what, storeName, durability, issue),
    );
    this.#lastWrite = write.catch(() => undefined);
    return write;
  }

  async #read<Result>(
    what: string,
    storeName: "wal" | "segments",
    ask: (objectStore: IDBObjectStore) => IDBRequest<Result>,
  ): Promise<Result> {
    return await this.#open(what).read(what, storeName, ask);
  }

  async #readBytes(
    what: string,
    storeName: "wal" | "segments",
    key: IDBValidKey,
  ): Promise<Uint8Array | undefined> {
    const value: unknown = await this.#read(what, storeName, (objectStore) => objectStore.get(key));
    if (value === undefined) return undefined;
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    if (!(value instanceof Blob)) {
      throw new StoreFailedError(`${what}: the value is neither an ArrayBuffer nor a Blob`);
    }
    try {
      return new Uint8Array(await value.arrayBuffer());
    } catch (error) {
      // The file behind the Blob is missing or shorter than it was: the bytes are gone for certain.
      throw classifyStoreError({ what, error, lostReason: undefined });
    }
  }

  #open(what: string): IndexedDbConnection {
    if (this.#connection !== undefined) return this.#connection;
    throw new OutcomeUnknownError(`${what}: the store is closed`);
  }
}

function storedForm(image: ArrayBuffer): ArrayBuffer | Blob {
  return IS_CHROMIUM && image.byteLength < BLOB_BYTES_MAX ? new Blob([image]) : image;
}

function numberKey(key: IDBValidKey): number {
  if (typeof key === "number") return key;
  throw new StoreFailedError(`the key ${String(key)} of a frame is not a number`);
}

function segmentKeyOf(key: IDBValidKey): SegmentKey {
  if (Array.isArray(key) && key.length === 6) {
    const [shardUid, ordinal, firstIndex, firstMs, lastMs, epoch] = key.map(numberKey);
    return [shardUid ?? 0, ordinal ?? 0, firstIndex ?? 0, firstMs ?? 0, lastMs ?? 0, epoch ?? 0];
  }
  throw new StoreFailedError(`the key ${String(key)} of a segment is not an array of six numbers`);
}

/** Ascending runs of numbers without a gap: one deletion each instead of one per number. */
function consecutiveRanges(numbers: readonly number[]): { first: number; last: number }[] {
  const ranges: { first: number; last: number }[] = [];
  for (const number of numbers.toSorted((left, right) => left - right)) {
    const range = ranges.at(-1);
    if (range !== undefined && number <= range.last + 1) range.last = number;
    else ranges.push({ first: number, last: number });
  }
  return ranges;
}
