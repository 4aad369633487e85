/** What the store's WAL holds: the frames by number with their sizes, so that trimming needs no scan. */

/** A frame in the store. */
export interface LedgerFrame {
  readonly frameNumber: number;
  readonly byteLength: number;
  /** Fence frames are never trimmed. */
  readonly fence: boolean;
  /** Segments that its records belong to. */
  readonly holds: readonly HeldSegment[];
}

/** A segment by its shard's uid and its ordinal. */
export interface HeldSegment {
  readonly shardUid: number;
  readonly ordinal: number;
}

/** Frames in ascending order, and the end of the hash chain. */
export class WalLedger {
  #frames: LedgerFrame[] = [];
  #byteLength = 0;
  #fenceBytes = 0;
  /** Hash of the newest frame. */
  previousHash = 0n;

  /** Number of the next frame. */
  get nextFrameNumber(): number {
    return (this.#frames.at(-1)?.frameNumber ?? 0) + 1;
  }

  get frameCount(): number {
    return this.#frames.length;
  }

  /** Bytes of all frames. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Bytes of all frames but fences, which are never trimmed. */
  get trimmableBytes(): number {
    return this.#byteLength - this.#fenceBytes;
  }

  /** Notes a frame that is in the store, behind all others. */
  add(frame: LedgerFrame, hash: bigint): void {
    this.#frames.push(frame);
    this.#byteLength += frame.byteLength;
    if (frame.fence) this.#fenceBytes += frame.byteLength;
    this.previousHash = hash;
  }

  /**
   * Numbers of the frames up to one that may be deleted: neither fences, nor the newest, nor any with
   * records of a segment that is not declared.
   */
  trimmable(throughFrame: number, declared: (segment: HeldSegment) => boolean): number[] {
    const newest = this.nextFrameNumber - 1;
    return this.#frames
      .filter(({ fence, frameNumber }) => !fence && frameNumber <= throughFrame)
      .filter(({ frameNumber, holds }) => frameNumber !== newest && holds.every(declared))
      .map(({ frameNumber }) => frameNumber);
  }

  /** Forgets frames that were deleted. */
  remove(frameNumbers: readonly number[]): void {
    const gone = new Set(frameNumbers);
    this.#frames = this.#frames.filter((frame) => !gone.has(frame.frameNumber));
    this.#byteLength = this.#frames.reduce((sum, frame) => sum + frame.byteLength, 0);
  }
}
