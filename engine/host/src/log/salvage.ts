/** What is left of a damaged segment: stretches of record frames that verify, and how they are read. */
import { FRAME_ARRIVAL, FRAME_LENGTH, FRAME_SEQUENCE_INDEX } from "@millrace/core/layout";
import type { IntactRange } from "../core/core-types.ts";
import { readUint64, viewOf } from "./bytes.ts";

/** A damaged segment with its intact stretches, oldest first. */
export interface SalvagedSegment {
  readonly image: Uint8Array;
  readonly ranges: readonly IntactRange[];
  /** Whether no record of it is missing, because the WAL still held those that were damaged. */
  readonly whole: boolean;
}

/** What is left of a segment of which nothing can be read. */
export const NOTHING_SALVAGED: SalvagedSegment = {
  image: new Uint8Array(0),
  ranges: [],
  whole: false,
};

/** Frames that a read takes from a damaged segment. */
export interface SalvagedFrames {
  /** A view of the segment's image. */
  readonly frames: Uint8Array;
  readonly recordCount: number;
  readonly nextIndex: number;
  /** Arrival of the last one in ms since the Unix epoch. */
  readonly lastMs: number;
}

/**
 * Intact frames from an index on, out of one stretch, within limits but at least one; undefined when
 * nothing is left at or after the index.
 */
export function readSalvaged(
  { image, ranges }: SalvagedSegment,
  fromIndex: number,
  recordsMax: number,
  bytesMax: number,
): SalvagedFrames | undefined {
  const range = ranges.find(({ lastIndex }) => lastIndex >= fromIndex);
  if (range === undefined) return undefined;
  const view = viewOf(image);
  const rangeEnd = range.byteOffset + range.byteLength;
  let start = range.byteOffset;
  while (readUint64(view, start + FRAME_SEQUENCE_INDEX) < fromIndex) {
    start += view.getUint32(start + FRAME_LENGTH, true);
  }
  let end = start;
  let last = start;
  let recordCount = 0;
  while (end < rangeEnd && recordCount < recordsMax) {
    const frameLength = view.getUint32(end + FRAME_LENGTH, true);
    if (recordCount > 0 && end - start + frameLength > bytesMax) break;
    last = end;
    end += frameLength;
    recordCount++;
  }
  return {
    frames: image.subarray(start, end),
    recordCount,
    nextIndex: readUint64(view, last + FRAME_SEQUENCE_INDEX) + 1,
    lastMs: view.getFloat64(last + FRAME_ARRIVAL, true),
  };
}
