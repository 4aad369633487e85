/**
 * A store whose frames and segments can be held: what is deleted meanwhile goes only when nobody holds it
 * any more. What an export reads must not be trimmed under its hands.
 */
import type {
  Durability,
  LogStore,
  SegmentKey,
  SegmentWrite,
  StoredFrame,
  StoreUsage,
} from "../storage/log-store.ts";

interface Hold {
  readonly frames: ReadonlySet<number>;
  readonly segments: ReadonlySet<string>;
  readonly deletedFrames: number[];
  readonly deletedSegments: SegmentKey[];
}

/** {@link LogStore} over another one. */
export class HeldStore implements LogStore {
  readonly #store: LogStore;
  readonly #holds = new Set<Hold>();

  constructor(store: LogStore) {
    this.#store = store;
  }

  get kind(): string {
    return this.#store.kind;
  }

  get recoverable(): boolean {
    return this.#store.recoverable;
  }

  get lossAtOpening(): string | undefined {
    return this.#store.lossAtOpening;
  }

  /** Keeps frames and segments until the returned function is called. */
  hold(frames: readonly number[], segments: readonly SegmentKey[]): () => void {
    const hold: Hold = {
      frames: new Set(frames),
      segments: new Set(segments.map((key) => key.join())),
      deletedFrames: [],
      deletedSegments: [],
    };
    this.#holds.add(hold);
    return () => {
      if (!this.#holds.delete(hold)) return;
      // What stays behind because of an error is trimmed by the next checkpoint or leader.
      this.deleteFrames(hold.deletedFrames).catch(() => undefined);
      this.deleteSegments(hold.deletedSegments).catch(() => undefined);
    };
  }

  /** What is held now is no longer deleted from here: the next leader takes it over and deletes it itself. */
  leaveAll(): void {
    this.#holds.clear();
  }

  deleteFrames(frameNumbers: readonly number[]): Promise<void> {
    const free = frameNumbers.filter((frameNumber) => {
      const hold = [...this.#holds].find(({ frames }) => frames.has(frameNumber));
      hold?.deletedFrames.push(frameNumber);
      return hold === undefined;
    });
    return this.#store.deleteFrames(free);
  }

  deleteSegments(keys: readonly SegmentKey[]): Promise<void> {
    const free = keys.filter((key) => {
      const hold = [...this.#holds].find(({ segments }) => segments.has(key.join()));
      hold?.deletedSegments.push(key);
      return hold === undefined;
    });
    return this.#store.deleteSegments(free);
  }

  appendFrame(frameNumber: number, frame: Uint8Array, durability: Durability): Promise<void> {
    return this.#store.appendFrame(frameNumber, frame, durability);
  }

  lastFrameNumber(): Promise<number> {
    return this.#store.lastFrameNumber();
  }

  frameNumbers(): Promise<number[]> {
    return this.#store.frameNumbers();
  }

  readFrame(frameNumber: number): Promise<Uint8Array | undefined> {
    return this.#store.readFrame(frameNumber);
  }

  readFrames(fromFrame: number, toFrame: number): Promise<StoredFrame[]> {
    return this.#store.readFrames(fromFrame, toFrame);
  }

  addSegments(segments: readonly SegmentWrite[]): Promise<void> {
    return this.#store.addSegments(segments);
  }

  segmentKeys(): Promise<SegmentKey[]> {
    return this.#store.segmentKeys();
  }

  readSegment(key: SegmentKey): Promise<Uint8Array | undefined> {
    return this.#store.readSegment(key);
  }

  reopen(): Promise<void> {
    return this.#store.reopen();
  }

  usage(): Promise<StoreUsage> {
    return this.#store.usage();
  }

  onLost(listener: (reason: string) => void): void {
    this.#store.onLost(listener);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
