/**
 * What the log asks of a store: dense WAL frames under their number, sealed segments under their key.
 * Nothing else is kept; every other view is derived from these by a scan.
 */

/** How far a write must have gone before it counts as done. */
export type Durability = "strict" | "relaxed";

/** `[shard uid, ordinal, first sequence index, first ms, last ms, epoch]`: listing the keys is the directory. */
export type SegmentKey = readonly [
  shardUid: number,
  ordinal: number,
  firstIndex: number,
  firstMs: number,
  lastMs: number,
  epoch: number,
];

/** A frame as it lies in the store. */
export interface StoredFrame {
  readonly frameNumber: number;
  /** A buffer of its own. */
  readonly bytes: Uint8Array;
}

/** A segment on its way into the store. */
export interface SegmentWrite {
  readonly key: SegmentKey;
  /** Header and body. The store's from the call on, to keep or to let go: the caller must not use it again. */
  readonly image: ArrayBuffer;
}

/** Bytes in use and allowed, as far as the platform tells. */
export interface StoreUsage {
  readonly usageBytes: number | undefined;
  readonly quotaBytes: number | undefined;
  /** Whether the platform promised not to evict the data under pressure. */
  readonly persistent: boolean;
}

/**
 * A place for WAL frames and segments.
 *
 * Writes reject with one of three errors, and with nothing else:
 * - {@link FrameExistsError}: a frame with that number is there already; nothing was written.
 * - {@link StoreFullError}: refused for lack of space; nothing was written.
 * - {@link OutcomeUnknownError}: it may or may not have been written; call {@link LogStore.reopen}
 *   and look.
 * - {@link StoreFailedError}: certainly not written, for another reason (an aborted transaction).
 * Reads reject with StoreFailedError or OutcomeUnknownError.
 */
export interface LogStore {
  /** "indexeddb", "memory", ... for messages. */
  readonly kind: string;
  /** False when nothing survives the process: the log then skips WAL frames altogether. */
  readonly recoverable: boolean;
  /** Why all that the store held was gone when it was opened, as far as the platform tells; else undefined. */
  readonly lossAtOpening: string | undefined;
  /** Adds one frame, in one transaction that reads nothing, and resolves once it is as durable as asked. The buffer is not kept nor detached. */
  appendFrame(frameNumber: number, frame: Uint8Array, durability: Durability): Promise<void>;
  /** Number of the newest frame, or 0. */
  lastFrameNumber(): Promise<number>;
  /** Numbers of all frames, ascending. */
  frameNumbers(): Promise<number[]>;
  /** One frame, or undefined when there is none. A new buffer. */
  readFrame(frameNumber: number): Promise<Uint8Array | undefined>;
  /**
   * The frames from one number to another, both inclusive, ascending; numbers without a frame are left
   * out. All or nothing: one frame that cannot be read fails the call.
   */
  readFrames(fromFrame: number, toFrame: number): Promise<StoredFrame[]>;
  /** Deletes frames; unknown numbers are ignored. Relaxed. */
  deleteFrames(frameNumbers: readonly number[]): Promise<void>;
  /** Adds segments, strict, all in one transaction. An existing key is an error: FrameExistsError. */
  addSegments(segments: readonly SegmentWrite[]): Promise<void>;
  /** Keys of all segments, in key order. */
  segmentKeys(): Promise<SegmentKey[]>;
  /** One segment, or undefined. A new buffer. */
  readSegment(key: SegmentKey): Promise<Uint8Array | undefined>;
  /** Deletes segments; unknown keys are ignored. Relaxed. */
  deleteSegments(keys: readonly SegmentKey[]): Promise<void>;
  /** Drops the connection and opens a new one; for after OutcomeUnknownError. */
  reopen(): Promise<void>;
  usage(): Promise<StoreUsage>;
  /** Called when the platform closes the connection by itself (cleared data, upgrade elsewhere). */
  onLost(listener: (reason: string) => void): void;
  close(): Promise<void>;
}
