/** What the store's WAL holds: the frames by number with their sizes, so that trimming needs no scan. */

/** A frame in the store. */
export interface LedgerFrame {
  readonly frameNumber: number;
  readonly byteLength: number;
  /** Fence frames are never trimmed. */
  readonly fence: boolean;
  /** Whether a snapshot lists it, for a fence. */
  readonly listed?: boolean;
  /** Whether a power cut may still take it back. */
  readonly relaxed?: boolean;
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
  readonly #going = new Set<number>();
  #byteLength = 0;
  #fenceBytes = 0;
  #fenceCount = 0;
  #unlistedFences = 0;
  /** Hash of the newest frame. */
  previousHash = 0n;
  #durableEnd = { frameNumber: 0, hash: 0n };

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

  /** Number of all frames but fences. */
  get trimmableCount(): number {
    return this.#frames.length - this.#fenceCount;
  }

  /** The newest frame that no power cut takes back. */
  get durableEnd(): { readonly frameNumber: number; readonly hash: bigint } {
    return this.#durableEnd;
  }

  /** Hash of the newest frame and its number, relaxed or not. */
  get end(): { readonly frameNumber: number; readonly hash: bigint } {
    return { frameNumber: this.nextFrameNumber - 1, hash: this.previousHash };
  }

  /** Fences that no snapshot lists: the next opening must read them. */
  get unlistedFences(): number {
    return this.#unlistedFences;
  }

  /** A snapshot lists all fences from now on. */
  noteListed(): void {
    this.#unlistedFences = 0;
  }

  /** The fences, ascending. */
  fences(): LedgerFrame[] {
    return this.#frames.filter(({ fence }) => fence);
  }

  /** All frames, ascending. */
  frames(): readonly LedgerFrame[] {
    return this.#frames;
  }

  /** Notes a frame that is in the store, behind all others. */
  add(frame: LedgerFrame, hash: bigint): void {
    this.#frames.push(frame);
    this.#byteLength += frame.byteLength;
    if (frame.fence) {
      this.#fenceBytes += frame.byteLength;
      this.#fenceCount += 1;
      if (frame.listed !== true) this.#unlistedFences += 1;
    }
    this.previousHash = hash;
    if (frame.relaxed !== true) this.#durableEnd = { frameNumber: frame.frameNumber, hash };
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

  /** What frames (by number) hold of some shards (by uid) is of no use to anybody any more. */
  release(released: ReadonlyMap<number, ReadonlySet<number>>): void {
    if (released.size === 0) return;
    this.#frames = this.#frames.map((frame) => {
      const shards = released.get(frame.frameNumber);
      if (shards === undefined) return frame;
      return { ...frame, holds: frame.holds.filter(({ shardUid }) => !shards.has(shardUid)) };
    });
  }

  /** Bytes of some frames. */
  lengthOf(frameNumbers: readonly number[]): number {
    const counted = new Set(frameNumbers);
    return this.#frames
      .filter(({ frameNumber }) => counted.has(frameNumber))
      .reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Notes that frames are about to be deleted: the snapshots stand for them. */
  noteGoing(frameNumbers: readonly number[]): void {
    for (const frameNumber of frameNumbers) this.#going.add(frameNumber);
  }

  /** Whether a frame need not be in the store any more. */
  isGoing(frameNumber: number): boolean {
    return this.#going.has(frameNumber);
  }

  /** Forgets frames that were deleted. */
  remove(frameNumbers: readonly number[]): void {
    const gone = new Set(frameNumbers);
    for (const frameNumber of frameNumbers) this.#going.delete(frameNumber);
    this.#frames = this.#frames.filter((frame) => !gone.has(frame.frameNumber));
    this.#byteLength = this.#frames.reduce((sum, frame) => sum + frame.byteLength, 0);
  }
}
