/** Checks every write that reaches the simulated disk: one content per WAL position, epochs that never fall, fences that stay. */
import {
  SECTION_FENCE,
  SECTION_PRODUCERS,
  SECTION_SNAPSHOT,
  SEGMENT_MAGIC,
  WAL_HEADER_BYTES,
} from "@millrace/core/layout";
import { padTo8, readUint64, viewOf } from "../../engine/host/src/log/bytes.ts";
import type { MemoryDisk } from "../../engine/host/src/storage/memory-disk.ts";
import type { Verdict } from "./violations.ts";

/** Sections that a candidate writes: its fence, and the state where it recovered one. */
const CANDIDATES_SECTIONS: ReadonlySet<number> = new Set([
  SECTION_FENCE,
  SECTION_SNAPSHOT,
  SECTION_PRODUCERS,
]);
const SECTION_HEADER_BYTES = 32;
const SEGMENT_LAST_FRAME_AT = 80;

/** Types of the sections of a WAL frame. */
export function sectionTypes(frame: Uint8Array): number[] {
  const view = viewOf(frame);
  const types: number[] = [];
  let at: number = WAL_HEADER_BYTES;
  for (let left = view.getUint32(44, true); left > 0; left -= 1) {
    if (at + SECTION_HEADER_BYTES > frame.byteLength) break;
    types.push(view.getUint16(at, true));
    at += SECTION_HEADER_BYTES + padTo8(readUint64(view, at + 16));
  }
  return types;
}

interface Written {
  readonly epoch: number;
  readonly hash: bigint;
}

/** Told of every write before it takes effect. */
export class DiskWatch {
  readonly #disk: MemoryDisk;
  readonly #verdict: Verdict;
  /** What was written under a number and not lost in a power cut. */
  readonly #written = new Map<number, Written>();
  /** Name of the process that added the newest frame. */
  lastWriter: string | undefined;
  #newest = 0;
  #newestEpoch = 0;
  /** Whether somebody damaged the disk: what engines make of it then is no matter of order any more. */
  #damaged = false;

  constructor(disk: MemoryDisk, verdict: Verdict) {
    this.#disk = disk;
    this.#verdict = verdict;
  }

  /** A frame is in the store now. */
  frameAdded(frameNumber: number, frame: Uint8Array, writer: string): void {
    this.lastWriter = writer;
    const view = viewOf(frame);
    const epoch = readUint64(view, 16);
    const hash = view.getBigUint64(56, true);
    const before = this.#written.get(frameNumber);
    const trimmed = before !== undefined;
    const fence = this.#isFence(frameNumber, frame);
    if (!fence && (trimmed || frameNumber <= this.#newest)) this.#reportStray(frameNumber);
    if (frameNumber > this.#newest + 1) {
      const newest = this.#newest;
      this.#report(`frame ${frameNumber} was added behind frame ${newest}`);
    }
    if (frameNumber > this.#newest) {
      if (epoch < this.#newestEpoch && !this.#damaged) {
        const fell = `from ${this.#newestEpoch} to ${epoch}`;
        this.#verdict.report("epoch", `the epoch fell ${fell} at frame ${frameNumber}`);
      }
      this.#newest = frameNumber;
      this.#newestEpoch = epoch;
    }
    this.#written.set(frameNumber, { epoch, hash });
  }

  /** A frame was replaced by another one that has its number: never right. */
  frameReplaced(frameNumber: number): void {
    this.#verdict.report("wal", `frame ${frameNumber} was written over`);
  }

  /** Frames are about to be deleted. */
  framesDeleted(frameNumbers: readonly number[]): void {
    const there = new Set(this.#disk.frameNumbers());
    const newest = this.#disk.frameNumbers().at(-1);
    for (const frameNumber of frameNumbers) {
      if (!there.has(frameNumber)) continue;
      const frame = this.#disk.readFrame(frameNumber);
      if (frameNumber === newest) {
        this.#report(`the newest frame ${frameNumber} was deleted`);
      }
      if (frame !== undefined && sectionTypes(frame).includes(SECTION_FENCE)) {
        this.#report(`the fence in frame ${frameNumber} was deleted`);
      }
    }
  }

  /** A segment is in the store now: all that it holds must be in the WAL already. */
  segmentAdded(image: Uint8Array): void {
    const view = viewOf(image);
    // A full store is tried with noise, which is no segment.
    if (view.getUint32(0, true) !== SEGMENT_MAGIC) return;
    const lastFrame = readUint64(view, SEGMENT_LAST_FRAME_AT);
    if (lastFrame <= this.#newest) return;
    const newest = `the WAL ends at frame ${this.#newest}`;
    this.#verdict.report("seal", `a segment holds records of frame ${lastFrame}, but ${newest}`);
  }

  /** Somebody damaged what lies on the disk. */
  damaged(): void {
    this.#damaged = true;
    this.cutBack();
  }

  /** The disk is what a power cut left of it: what is gone may be written again. */
  cutBack(): void {
    const there = new Set(this.#disk.frameNumbers());
    const newest = this.#disk.frameNumbers().at(-1) ?? 0;
    for (const frameNumber of [...this.#written.keys()]) {
      if (frameNumber > newest && !there.has(frameNumber)) this.#written.delete(frameNumber);
    }
    this.#newest = newest;
    this.#newestEpoch = this.#written.get(newest)?.epoch ?? this.#newestEpoch;
  }

  /**
   * Whether a candidate wrote the frame: only candidates write fences. One that found frames missing, and
   * stands on the control copy, writes the state that it recovered into the same frame, for there must be no
   * moment at which its fence is there and that state is not. Nothing else stands beside a fence: what a
   * leader commits goes behind its fence, and never where the WAL was trimmed.
   */
  #isFence(frameNumber: number, frame: Uint8Array): boolean {
    const types = sectionTypes(frame);
    if (!types.includes(SECTION_FENCE)) return false;
    const others = types.filter((type) => !CANDIDATES_SECTIONS.has(type));
    if (others.length > 0) {
      const text = `the fence in frame ${frameNumber} has sections ${others.join()} beside it`;
      this.#verdict.report("wal", text);
    }
    return true;
  }

  /**
   * Where the WAL was trimmed a candidate's fence may still land, with a state beside it or without: it then
   * sees newer frames and looks again, and whoever reads the WAL finds a newer snapshot behind it. Nothing
   * else may land there.
   */
  #reportStray(frameNumber: number): void {
    const newest = `the newest is ${this.#newest}`;
    this.#report(`frame ${frameNumber} was written where it was trimmed; ${newest}`);
  }

  #report(message: string): void {
    if (!this.#damaged) this.#verdict.report("wal", message);
  }
}
