/** What a packed read slice says of each shard, without a look at its records. */
import {
  FRAME_HEADER_BYTES,
  PART_HEADER_BYTES,
  PART_SHARD_CLOSED,
  SLICE_HEADER_BYTES,
} from "@millrace/core/layout";

/** One shard's part of a slice. */
export interface PartSummary {
  readonly shardIndex: number;
  /** PART_* of the layout. */
  readonly flags: number;
  readonly behindMs: number;
  readonly recordCount: number;
  /** Bytes of keys and data, each record rounded up to 8. */
  readonly payloadBytes: number;
}

/** The parts of a slice, in its order. */
export function summarizeParts(slice: ArrayBuffer): PartSummary[] {
  const view = new DataView(slice);
  const parts: PartSummary[] = [];
  let at: number = SLICE_HEADER_BYTES;
  for (let left = view.getUint32(8, true); left > 0; left -= 1) {
    const recordCount = view.getUint32(at + 32, true);
    const frameBytes = view.getUint32(at + 36, true);
    parts.push({
      shardIndex: view.getUint32(at, true),
      flags: view.getUint32(at + 4, true),
      behindMs: view.getFloat64(at + 24, true),
      recordCount,
      payloadBytes: frameBytes - recordCount * FRAME_HEADER_BYTES,
    });
    at += PART_HEADER_BYTES + frameBytes;
  }
  return parts;
}

/** Whether a slice reaches the last record of a closed shard: news that no reader should wait for. */
export function endsShard(parts: readonly PartSummary[]): boolean {
  return parts.some(({ flags }) => (flags & PART_SHARD_CLOSED) !== 0);
}
