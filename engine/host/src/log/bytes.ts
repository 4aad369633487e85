/**
 * Little-endian 64-bit integers in byte buffers, as numbers below 2^53.
 *
 * Sequence indexes, ordinals, epochs and frame numbers are u64 on disk and numbers in the host: a
 * shard would have to exist for 69 years before its sequence index left the safe range.
 */
import { MillraceError } from "../errors/errors.ts";

const TWO_TO_32 = 4294967296;

/** Reads an unsigned 64-bit integer. @throws MillraceError when it is 2^53 or more. */
export function readUint64(view: DataView, byteOffset: number): number {
  const high = view.getUint32(byteOffset + 4, true);
  if (high >= 2097152) {
    throw new MillraceError(
      "InternalFailureException",
      `the integer at byte ${byteOffset} is 2^53 or more`,
      { argument: "byteOffset", value: byteOffset, limit: "2^53 - 1" },
    );
  }
  return high * TWO_TO_32 + view.getUint32(byteOffset, true);
}

/** Writes an integer from 0 to 2^53 - 1 as an unsigned 64-bit integer. */
export function writeUint64(view: DataView, byteOffset: number, value: number): void {
  view.setUint32(byteOffset, value % TWO_TO_32, true);
  view.setUint32(byteOffset + 4, Math.floor(value / TWO_TO_32), true);
}

/** The next multiple of 8 that is not below `byteLength`. */
export function padTo8(byteLength: number): number {
  return (byteLength + 7) & ~7;
}

/** A DataView over exactly the bytes of an array. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
