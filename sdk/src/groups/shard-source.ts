/** Where a lease's consumer gets its records from, and how much of them a worker holds at a time. */
import type { RecordBatch, SlicePart } from "@millrace/engine";

/** Read but not processed, over all shards; a shard that holds nothing may read all the same: 32 MiB. */
const HELD_BYTES_MAX = 33_554_432;

/** One shard's part of a read: records, or the shard's end, or both. */
export interface FetchedPart {
  readonly batch: RecordBatch;
  readonly part: SlicePart;
  /** The records are processed. The source's end releases what was not released before. */
  readonly release: () => void;
}

/** The records of one shard, read by read. */
export interface ShardSource {
  /**
   * The next part; at most one call at a time. @throws ShardGoneError when the shard is not there any more,
   * and what ends reading for good.
   */
  next(): Promise<FetchedPart>;
  /** Ends the reading; a call under way never settles. */
  close(): void;
}

/** Retention removed the shard, or its stream was deleted: whoever leads takes the lease away. */
export class ShardGoneError extends Error {
  override readonly name = "ShardGoneError";

  constructor(shardIndex: number, cause?: unknown) {
    super(`shard ${shardIndex} is not there any more`, { cause });
  }
}

/** A read failed, and is made again after a pause. */
export type ReadFailureListener = (
  shardIndexes: readonly number[],
  failure: { readonly attempt: number; readonly error: unknown; readonly retryMs: number },
) => void;

/** Counts the bytes that are held. */
export class HeldBytes {
  readonly #bytesMax: number;
  #bytes = 0;
  readonly #listeners = new Set<() => void>();

  constructor(bytesMax: number = HELD_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Whether only shards that hold nothing may read. */
  get full(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  /** Takes note of bytes; gives what lets them go, once. */
  take(byteLength: number): () => void {
    this.#bytes += byteLength;
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      const wasFull = this.full;
      this.#bytes -= byteLength;
      if (wasFull && !this.full) for (const tell of this.#listeners) tell();
    };
  }

  /** Calls back whenever there is room again. Returns how to end that. */
  onRoom(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** What is to be known of a part that is held. */
export interface HoldOptions {
  /** Called when it is released. */
  readonly onReleased?: () => void;
  readonly byteLength?: number;
}

/** What one shard holds: parts that were read and not released. */
export class HeldParts {
  readonly #held: HeldBytes;
  readonly #parts = new Set<() => void>();
  #released: () => void = () => undefined;

  constructor(held: HeldBytes) {
    this.#held = held;
  }

  /** How many there are. */
  get count(): number {
    return this.#parts.size;
  }

  /** Holds a part, whose bytes are those of an engine's read when absent. */
  hold(
    batch: RecordBatch,
    part: SlicePart,
    { onReleased, byteLength = bytesOf(batch, part) }: HoldOptions = {},
  ): FetchedPart {
    const letGo = this.#held.take(byteLength);
    const release = (): void => {
      if (!this.#parts.delete(release)) return;
      letGo();
      this.#released();
      onReleased?.();
    };
    this.#parts.add(release);
    return { batch, part, release };
  }

  /** Waits until more may be held; a shard that holds nothing need not. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#held.full && this.count > 0 && !signal.aborted) {
      let off: () => void = () => undefined;
      const room = new Promise<void>((resolve) => {
        off = this.#held.onRoom(resolve);
        this.#released = resolve;
      });
      await room.finally(() => off());
    }
  }

  /** Releases all. */
  releaseAll(): void {
    for (const release of this.#parts) release();
  }
}

/** About what a part of a read takes of its memory, in bytes. */
function bytesOf(batch: RecordBatch, part: SlicePart): number {
  let bytes = 0;
  const end = part.firstRecord + part.recordCount;
  // Its ends are one read apart in memory; nothing of what lies between need be looked at.
  if (part.recordCount > 0) {
    const last = batch.data(end - 1);
    bytes = last.byteOffset + last.byteLength - batch.data(part.firstRecord).byteOffset;
  }
  return bytes;
}
