/** The hash over a segment image, and whether it is right. */
import { SEGMENT_HASH, SEGMENT_HEADER_BYTES } from "@millrace/core/layout";
import type { ShardLogCore } from "../core/core-types.ts";
import { viewOf } from "./bytes.ts";

/** XXH64 of a segment image, its own field left out. */
export function segmentHash(core: ShardLogCore, image: Uint8Array): bigint {
  core.hashReset();
  core.hashBytes(image.subarray(0, SEGMENT_HASH));
  core.hashBytes(image.subarray(SEGMENT_HEADER_BYTES));
  return core.hashDigest();
}

/** Whether an image is as it was sealed. */
export function segmentIntact(core: ShardLogCore, image: Uint8Array): boolean {
  if (image.byteLength < SEGMENT_HEADER_BYTES) return false;
  return segmentHash(core, image) === viewOf(image).getBigUint64(SEGMENT_HASH, true);
}
