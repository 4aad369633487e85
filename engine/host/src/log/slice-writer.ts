/** Packs what a read found into one buffer. Layout: "Read slice" in `layout.ts` of the core. */
import {
  PART_HEADER_BYTES,
  SLICE_FORMAT,
  SLICE_HEADER_BYTES,
  SLICE_MAGIC,
} from "@millrace/core/layout";
import type { ShardLogCore } from "../core/core-types.ts";
import { viewOf, writeUint64 } from "./bytes.ts";

/** Record frames in core memory, or in a buffer of the host. */
export type SliceSource = Uint8Array | { readonly address: number; readonly byteLength: number };

/** What a read found of one shard. */
export interface SlicePart {
  readonly shardIndex: number;
  readonly createdSeconds: number;
  /** PART_* bits. */
  readonly flags: number;
  /** Where the next read continues. */
  readonly nextIndex: number;
  readonly behindMs: number;
  readonly recordCount: number;
  readonly sources: readonly SliceSource[];
}

/** Bytes of a part's record frames. */
export function byteLengthOf(part: SlicePart): number {
  return part.sources.reduce((sum, source) => sum + source.byteLength, 0);
}

/** Writes a slice into a new buffer, copying each source once. Must run before the core does anything else. */
export function packSlice(
  core: ShardLogCore,
  parts: readonly SlicePart[],
  nowMs: number,
): ArrayBuffer {
  const frameBytes = parts.reduce((sum, part) => sum + byteLengthOf(part), 0);
  const bytes = new Uint8Array(SLICE_HEADER_BYTES + parts.length * PART_HEADER_BYTES + frameBytes);
  const view = viewOf(bytes);
  view.setUint32(0, SLICE_MAGIC, true);
  view.setUint16(4, SLICE_FORMAT, true);
  view.setUint32(8, parts.length, true);
  view.setUint32(
    12,
    parts.reduce((sum, part) => sum + part.recordCount, 0),
    true,
  );
  writeUint64(view, 16, bytes.byteLength);
  view.setFloat64(24, nowMs, true);
  let at: number = SLICE_HEADER_BYTES;
  for (const part of parts) {
    writePartHeader(view, at, part);
    at += PART_HEADER_BYTES;
    for (const source of part.sources) {
      const from =
        source instanceof Uint8Array ? source : core.view(source.address, source.byteLength);
      bytes.set(from, at);
      at += source.byteLength;
    }
  }
  return bytes.buffer;
}

function writePartHeader(view: DataView, at: number, part: SlicePart): void {
  view.setUint32(at, part.shardIndex, true);
  view.setUint32(at + 4, part.flags, true);
  view.setFloat64(at + 8, part.createdSeconds, true);
  writeUint64(view, at + 16, part.nextIndex);
  view.setFloat64(at + 24, part.behindMs, true);
  view.setUint32(at + 32, part.recordCount, true);
  view.setUint32(at + 36, byteLengthOf(part), true);
}
