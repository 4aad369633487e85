/**
 * Reads WAL frames for a scan: in ranges, because a call per frame takes longer than its bytes, and no
 * frame twice that is small enough to be kept.
 */
import type { LogStore } from "../storage/log-store.ts";
import { patientRead, type UnreadableValue } from "./patient-read.ts";
import type { StoreGuard } from "./store-guard.ts";

/**
 * Readings of a frame before it counts as damaged: what it holds is lost to this leader then, and the
 * next checkpoint deletes it.
 */
const READ_ATTEMPTS = 4;
/** Bytes that one range should hold; the sizes of its frames are a guess from the range before. */
const RANGE_BYTES = 8_388_608;
/** Frames in the first range, whose sizes nobody knows. */
const FIRST_RANGE_FRAMES = 16;
/** Frames in one range at most. */
const RANGE_FRAMES_MAX = 4096;
/** Bytes of frames that are kept at most. */
const KEPT_BYTES_MAX = 50_331_648;

/** Bytes of a frame, or why there are none. */
export type FrameReading = Uint8Array | undefined | UnreadableValue;

/** Frames of one store by their number. */
export class FrameReader {
  readonly #store: LogStore;
  readonly #guard: StoreGuard;
  readonly #kept = new Map<number, Uint8Array>();
  #keptBytes = 0;
  #rangeFrames = FIRST_RANGE_FRAMES;

  constructor(store: LogStore, guard: StoreGuard) {
    this.#store = store;
    this.#guard = guard;
  }

  /** Numbers that a range takes at present. */
  get rangeFrames(): number {
    return this.#rangeFrames;
  }

  /**
   * One frame. What is not kept is read with those that follow it in `numbers`, the numbers of stored
   * frames in ascending order, from position `at` on.
   */
  async read(numbers: readonly number[], at: number): Promise<FrameReading> {
    const frameNumber = numbers[at];
    if (frameNumber === undefined) return undefined;
    if (!this.#kept.has(frameNumber)) {
      await this.fetch(numbers.slice(at, at + this.#rangeFrames));
    }
    const kept = this.#kept.get(frameNumber);
    // A range fails as a whole; and a frame that is out of luck may be read by itself.
    return kept ?? (await this.#readAlone(frameNumber));
  }

  /** The kept bytes of a frame, if they are. */
  kept(frameNumber: number): Uint8Array | undefined {
    return this.#kept.get(frameNumber);
  }

  /** Lets go of a frame that nobody asks for again. */
  forget(frameNumber: number): void {
    this.#keptBytes -= this.#kept.get(frameNumber)?.byteLength ?? 0;
    this.#kept.delete(frameNumber);
  }

  /** Lets go of all frames. */
  clear(): void {
    this.#kept.clear();
    this.#keptBytes = 0;
  }

  /** Reads a range of stored frames at once and keeps what there is room for, the first ones first. */
  async fetch(numbers: readonly number[]): Promise<void> {
    const [first, last] = [numbers[0], numbers.at(-1)];
    if (first === undefined || last === undefined || numbers.length < 2) return;
    let byteLength = 0;
    try {
      for (const { frameNumber, bytes } of await this.#store.readFrames(first, last)) {
        byteLength += bytes.byteLength;
        this.#keep(frameNumber, bytes);
      }
    } catch {
      // Which of the frames it is turns out when they are read one by one.
      return;
    }
    const average = Math.max(1, byteLength / numbers.length);
    this.#rangeFrames = Math.max(1, Math.min(RANGE_FRAMES_MAX, Math.floor(RANGE_BYTES / average)));
  }

  #keep(frameNumber: number, bytes: Uint8Array): void {
    if (this.#kept.has(frameNumber) || this.#keptBytes + bytes.byteLength > KEPT_BYTES_MAX) return;
    this.#kept.set(frameNumber, bytes);
    this.#keptBytes += bytes.byteLength;
  }

  #readAlone(frameNumber: number): Promise<FrameReading> {
    const read = (): Promise<Uint8Array | undefined> => this.#store.readFrame(frameNumber);
    return patientRead(this.#store, this.#guard, READ_ATTEMPTS, read);
  }
}
