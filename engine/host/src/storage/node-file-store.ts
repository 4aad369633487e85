/**
 * The durable store of Node: a directory with one file per WAL frame and one per segment.
 *
 * Files are added whole or not at all (`node-files.ts`), so that a reader never sees a part of one, and
 * of two writers only one gets a name. A call of `addSegments` that the process does not survive may
 * leave some of its segments; they are not declared, and recovery deletes them.
 */
import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { UnsupportedFormatError } from "../errors/engine-errors.ts";
import {
  FrameExistsError,
  OutcomeUnknownError,
  StorageUnavailableError,
} from "../errors/store-errors.ts";
import type {
  Durability,
  LogStore,
  SegmentKey,
  SegmentWrite,
  StoredFrame,
  StoreUsage,
} from "./log-store.ts";
import {
  addFiles,
  deleteFiles,
  deleteTemporaryFiles,
  makeDirectory,
  notRead,
  notWritten,
  readWholeFile,
  syncDirectory,
} from "./node-files.ts";
import { compareSegmentKeys } from "./segment-order.ts";

/** Version of the directory's layout; the files' own formats are versioned inside them. */
const LAYOUT = 1;
const LAYOUT_FILE = "layout.json";
const FRAME_NAME = /^(\d{1,16})\.frame$/;
const SEGMENT_NAME = /^([\d.e+-]+(?:_[\d.e+-]+){5})\.segment$/;

/** {@link LogStore} over one directory. Open it with {@link FileLogStore.open}. */
export class FileLogStore implements LogStore {
  readonly kind = "file";
  readonly recoverable = true;
  readonly #directory: string;
  readonly #wal: string;
  readonly #segments: string;
  /** Settle, never with an error, when all writes asked for so far have; frames do not wait for segments. */
  #lastFrame: Promise<unknown> = Promise.resolve();
  #lastSegment: Promise<unknown> = Promise.resolve();
  #open = false;
  #lossAtOpening: string | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#wal = join(directory, "wal");
    this.#segments = join(directory, "segments");
  }

  /**
   * Opens or creates the store in a directory. Excluding other writers is the platform's lock's task.
   * @throws StorageUnavailableError naming the cause; UnsupportedFormatError for a newer layout.
   */
  static async open(directory: string): Promise<FileLogStore> {
    const store = new FileLogStore(directory);
    await store.reopen();
    await deleteTemporaryFiles(directory);
    await deleteTemporaryFiles(store.#wal);
    await deleteTemporaryFiles(store.#segments);
    return store;
  }

  /**
   * The store in a directory as it lies there, to be read: nothing is made, forced to the disk or deleted.
   * @throws StorageUnavailableError when there is none; UnsupportedFormatError for a newer layout.
   */
  static async inspect(directory: string): Promise<FileLogStore> {
    const store = new FileLogStore(directory);
    const layout = await readWholeFile(join(directory, LAYOUT_FILE)).catch(() => undefined);
    if (layout === undefined) {
      throw new StorageUnavailableError(`${directory} holds no log: it has no ${LAYOUT_FILE}`, {
        argument: "directory",
        value: directory,
      });
    }
    checkLayout(join(directory, LAYOUT_FILE), layout);
    store.#open = true;
    return store;
  }

  get lossAtOpening(): string | undefined {
    return this.#lossAtOpening;
  }

  appendFrame(frameNumber: number, frame: Uint8Array, durability: Durability): Promise<void> {
    // The caller may write into its buffer as soon as this returns.
    const file = { name: frameName(frameNumber), bytes: frame.slice() };
    const written = this.#lastFrame.then(() => {
      this.#checkOpen(`appendFrame ${frameNumber}`);
      return addFiles(this.#wal, [file], durability === "strict");
    });
    this.#lastFrame = written.catch(() => undefined);
    return written;
  }

  async lastFrameNumber(): Promise<number> {
    return (await this.frameNumbers()).at(-1) ?? 0;
  }

  async frameNumbers(): Promise<number[]> {
    const names = await this.#list("frameNumbers", this.#wal);
    return names
      .flatMap((name) => FRAME_NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((left, right) => left - right);
  }

  readFrame(frameNumber: number): Promise<Uint8Array | undefined> {
    return this.#read(`readFrame ${frameNumber}`, join(this.#wal, frameName(frameNumber)));
  }

  async readFrames(fromFrame: number, toFrame: number): Promise<StoredFrame[]> {
    const frames: StoredFrame[] = [];
    for (const frameNumber of await this.frameNumbers()) {
      if (frameNumber < fromFrame || frameNumber > toFrame) continue;
      const bytes = await this.readFrame(frameNumber);
      if (bytes !== undefined) frames.push({ frameNumber, bytes });
    }
    return frames;
  }

  deleteFrames(frameNumbers: readonly number[]): Promise<void> {
    // In ascending order, so that a process that dies on the way leaves the newest of them.
    const names = frameNumbers.toSorted((left, right) => left - right).map(frameName);
    const deleted = this.#lastFrame.then(() => this.#delete("deleteFrames", this.#wal, names));
    this.#lastFrame = deleted.catch(() => undefined);
    return deleted;
  }

  addSegments(writes: readonly SegmentWrite[]): Promise<void> {
    const files = writes.map(({ key, image }) => ({
      name: segmentName(key),
      bytes: new Uint8Array(image),
    }));
    const added = this.#lastSegment.then(async () => {
      this.#checkOpen("addSegments");
      if (files.length > 0) await addFiles(this.#segments, files, true);
    });
    this.#lastSegment = added.catch(() => undefined);
    return added;
  }

  async segmentKeys(): Promise<SegmentKey[]> {
    const names = await this.#list("segmentKeys", this.#segments);
    return names.flatMap(segmentKeysOf).sort(compareSegmentKeys);
  }

  readSegment(key: SegmentKey): Promise<Uint8Array | undefined> {
    const name = segmentName(key);
    return this.#read(`readSegment ${name}`, join(this.#segments, name));
  }

  deleteSegments(keys: readonly SegmentKey[]): Promise<void> {
    const names = keys.map(segmentName);
    const deleted = this.#lastSegment.then(() =>
      this.#delete("deleteSegments", this.#segments, names),
    );
    this.#lastSegment = deleted.catch(() => undefined);
    return deleted;
  }

  async reopen(): Promise<void> {
    this.#open = false;
    try {
      const known = (await readWholeFile(join(this.#directory, LAYOUT_FILE))) !== undefined;
      const walMade = await makeDirectory(this.#wal);
      const segmentsMade = await makeDirectory(this.#segments);
      // The layout's file is written when there are both directories: they were there before.
      if (known && walMade) {
        this.#lossAtOpening = `the files of ${segmentsMade ? this.#directory : this.#wal} were deleted`;
      }
      // Whoever asks what became of a write whose names were not forced must find durable ones.
      await syncDirectory(this.#wal);
      await syncDirectory(this.#segments);
      await this.#checkLayout();
    } catch (error) {
      if (error instanceof UnsupportedFormatError) throw error;
      throw new StorageUnavailableError(
        `the directory ${this.#directory} cannot hold a log: ${error instanceof Error ? error.message : String(error)}`,
        { argument: "directory", value: this.#directory, cause: error },
      );
    }
    this.#open = true;
  }

  async usage(): Promise<StoreUsage> {
    const usageBytes =
      (await bytesOfFiles(this.#wal, await this.#list("usage", this.#wal))) +
      (await bytesOfFiles(this.#segments, await this.#list("usage", this.#segments)));
    const { bavail, bsize } = await statfs(this.#directory).catch((error: unknown) => {
      throw notRead("usage", error);
    });
    return { usageBytes, quotaBytes: usageBytes + bavail * bsize, persistent: true };
  }

  /** No system tells when a directory is taken away; the next write does. */
  onLost(_listener: (reason: string) => void): void {}

  async close(): Promise<void> {
    await Promise.all([this.#lastFrame, this.#lastSegment]);
    this.#open = false;
  }

  /** Writes the layout's version where there is none, and refuses a newer one. */
  async #checkLayout(): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify({ layout: LAYOUT })}\n`);
    const path = join(this.#directory, LAYOUT_FILE);
    let stored = await readWholeFile(path);
    if (stored === undefined) {
      await addFiles(this.#directory, [{ name: LAYOUT_FILE, bytes }], true).catch((error) => {
        if (!(error instanceof FrameExistsError)) throw error;
      });
      stored = (await readWholeFile(path)) ?? bytes;
    }
    checkLayout(path, stored);
  }

  async #delete(what: string, directory: string, names: readonly string[]): Promise<void> {
    this.#checkOpen(what);
    try {
      await deleteFiles(directory, names);
    } catch (error) {
      throw notWritten(what, error);
    }
  }

  async #read(what: string, path: string): Promise<Uint8Array | undefined> {
    this.#checkOpen(what);
    try {
      return await readWholeFile(path);
    } catch (error) {
      throw notRead(what, error);
    }
  }

  async #list(what: string, directory: string): Promise<string[]> {
    this.#checkOpen(what);
    try {
      return await readdir(directory);
    } catch (error) {
      throw notRead(what, error);
    }
  }

  #checkOpen(what: string): void {
    if (!this.#open) throw new OutcomeUnknownError(`${what}: the store is closed`);
  }
}

/** @throws UnsupportedFormatError when the file of a layout names a newer one. */
function checkLayout(path: string, bytes: Uint8Array): void {
  const found: unknown = JSON.parse(new TextDecoder().decode(bytes));
  const layout =
    typeof found === "object" && found !== null && "layout" in found ? found.layout : undefined;
  if (layout === LAYOUT) return;
  throw new UnsupportedFormatError(
    `${path} names the layout ${String(layout)}, and this build knows layout ${LAYOUT}; open it with a newer build`,
    { argument: "layout", value: String(layout), limit: LAYOUT },
  );
}

/** Padded, so that a listing shows frames in their order. */
function frameName(frameNumber: number): string {
  return `${String(frameNumber).padStart(16, "0")}.frame`;
}

function segmentName(key: SegmentKey): string {
  return `${key.join("_")}.segment`;
}

/** The key that a file's name encodes; none for what is no segment. */
function segmentKeysOf(name: string): SegmentKey[] {
  const numbers = SEGMENT_NAME.exec(name)?.[1]?.split("_").map(Number) ?? [];
  if (numbers.length !== 6 || numbers.some(Number.isNaN)) return [];
  const [shardUid = 0, ordinal = 0, firstIndex = 0, firstMs = 0, lastMs = 0, epoch = 0] = numbers;
  return [[shardUid, ordinal, firstIndex, firstMs, lastMs, epoch]];
}

/** Bytes of files; one that is deleted meanwhile counts nothing. */
async function bytesOfFiles(directory: string, names: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const name of names) {
    bytes += await stat(join(directory, name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
