/**
 * What a memory store writes on. It outlives the store, so that a crashed engine can be recovered
 * from it, and it tells what is synced from what a power cut would take back.
 */
import { FrameExistsError, StoreFullError } from "../errors/store-errors.ts";
import type { Durability, SegmentKey, SegmentWrite } from "./log-store.ts";
import { compareSegmentKeys, segmentKeyText } from "./segment-order.ts";

/** How large a disk is. */
export interface MemoryDiskOptions {
  /** Bytes of frames and segments that fit; unlimited when absent. */
  readonly capacityBytes?: number;
  /** Nothing on it survives the process, so that it need not remember how to undo changes. */
  readonly volatile?: boolean;
}

interface StoredSegment {
  readonly key: SegmentKey;
  readonly bytes: Uint8Array;
}

/** Frames and segments in memory. Every change is all or nothing. */
export class MemoryDisk {
  /** Bytes of frames and segments that fit, unlimited when undefined; may change, as quotas do. */
  capacityBytes: number | undefined;
  readonly #frames = new Map<number, Uint8Array>();
  readonly #segments = new Map<string, StoredSegment>();
  /** How to take back each change since the last strict one, oldest first. */
  readonly #unsynced: (() => void)[] = [];
  readonly #volatile: boolean;
  #usedBytes = 0;

  constructor(options: MemoryDiskOptions = {}) {
    this.capacityBytes = options.capacityBytes;
    this.#volatile = options.volatile ?? false;
  }

  /** Bytes of all frames and segments. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Number of changes that a power cut would take back. */
  get unsyncedChanges(): number {
    return this.#unsynced.length;
  }

  /** Adds a frame and keeps the array it is given. @throws FrameExistsError @throws StoreFullError */
  addFrame(frameNumber: number, frame: Uint8Array, durability: Durability): void {
    if (this.#frames.has(frameNumber)) {
      throw new FrameExistsError(`frame ${frameNumber} exists already`, {
        argument: "frameNumber",
        value: frameNumber,
      });
    }
    this.#requireRoom(frame.byteLength);
    this.#setFrame(frameNumber, frame);
    this.#changed(durability, () => this.#setFrame(frameNumber, undefined));
  }

  /** Adds segments and keeps the buffers it is given. @throws FrameExistsError @throws StoreFullError */
  addSegments(segments: readonly SegmentWrite[]): void {
    const texts = new Set(this.#segments.keys());
    for (const { key } of segments) {
      const text = segmentKeyText(key);
      if (texts.has(text)) {
        throw new FrameExistsError(`segment ${text} exists already`, {
          argument: "key",
          value: text,
        });
      }
      texts.add(text);
    }
    this.#requireRoom(segments.reduce((sum, { image }) => sum + image.byteLength, 0));
    for (const { key, image } of segments) {
      this.#setSegment(key, new Uint8Array(image));
    }
    this.#changed("strict", () => {});
  }

  /** Deletes frames that exist; a power cut may bring them back. */
  deleteFrames(frameNumbers: readonly number[]): void {
    const deleted = frameNumbers.flatMap((frameNumber) => {
      const bytes = this.#frames.get(frameNumber);
      return bytes === undefined ? [] : [{ frameNumber, bytes }];
    });
    for (const { frameNumber } of deleted) this.#setFrame(frameNumber, undefined);
    this.#changed("relaxed", () => {
      for (const { frameNumber, bytes } of deleted) this.#setFrame(frameNumber, bytes);
    });
  }

  /** Deletes segments that exist; a power cut may bring them back. */
  deleteSegments(keys: readonly SegmentKey[]): void {
    const deleted = keys.flatMap((key) => this.#segments.get(segmentKeyText(key)) ?? []);
    for (const { key } of deleted) this.#setSegment(key, undefined);
    this.#changed("relaxed", () => {
      for (const { key, bytes } of deleted) this.#setSegment(key, bytes);
    });
  }

  /** Numbers of all frames, ascending. */
  frameNumbers(): number[] {
    return [...this.#frames.keys()].sort((left, right) => left - right);
  }

  /** A copy of a frame. */
  readFrame(frameNumber: number): Uint8Array | undefined {
    return this.#frames.get(frameNumber)?.slice();
  }

  /** Keys of all segments, in key order. */
  segmentKeys(): SegmentKey[] {
    return [...this.#segments.values()].map(({ key }) => key).sort(compareSegmentKeys);
  }

  /** A copy of a segment. */
  readSegment(key: SegmentKey): Uint8Array | undefined {
    return this.#segments.get(segmentKeyText(key))?.bytes.slice();
  }

  /** Replaces the bytes of a frame without asking, or removes it: how tests damage a log. */
  overwriteFrame(frameNumber: number, bytes: Uint8Array | undefined): void {
    this.#setFrame(frameNumber, bytes?.slice());
  }

  /** Replaces the bytes of a segment without asking, or removes it. */
  overwriteSegment(key: SegmentKey, bytes: Uint8Array | undefined): void {
    this.#setSegment(key, bytes?.slice());
  }

  /**
   * Takes back, newest first, the changes since the last strict one; the oldest `changesKept` of
   * them stay, as if they had reached the platter. Returns how many were lost.
   */
  powerCut(changesKept = 0): number {
    const lost = this.#unsynced.splice(changesKept);
    for (const takeBack of lost.toReversed()) takeBack();
    this.#unsynced.length = 0;
    return lost.length;
  }

  /** A strict change syncs everything before it too: the disk is one journal. */
  #changed(durability: Durability, takeBack: () => void): void {
    if (durability === "strict") this.#unsynced.length = 0;
    else if (!this.#volatile) this.#unsynced.push(takeBack);
  }

  #requireRoom(byteLength: number): void {
    if (this.capacityBytes === undefined) return;
    if (this.#usedBytes + byteLength <= this.capacityBytes) return;
    throw new StoreFullError(
      `no room for ${byteLength} bytes: ${this.#usedBytes} of ${this.capacityBytes} bytes are used`,
      { argument: "byteLength", value: byteLength, limit: this.capacityBytes },
    );
  }

  #setFrame(frameNumber: number, bytes: Uint8Array | undefined): void {
    this.#usedBytes -= this.#frames.get(frameNumber)?.byteLength ?? 0;
    this.#usedBytes += bytes?.byteLength ?? 0;
    if (bytes === undefined) this.#frames.delete(frameNumber);
    else this.#frames.set(frameNumber, bytes);
  }

  #setSegment(key: SegmentKey, bytes: Uint8Array | undefined): void {
    const text = segmentKeyText(key);
    this.#usedBytes -= this.#segments.get(text)?.bytes.byteLength ?? 0;
    this.#usedBytes += bytes?.byteLength ?? 0;
    if (bytes === undefined) this.#segments.delete(text);
    else this.#segments.set(text, { key, bytes });
  }
}
