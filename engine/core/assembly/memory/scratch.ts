/**
 * The scratch area: how results that do not fit one number cross the border.
 *
 *   0  f64[16]  named fields of the last call, one number each
 * 128  u8[128]  bytes of the last call: digests, 128-bit hash keys, words
 */
import { SCRATCH_BYTES } from "../border";

const SCRATCH: usize = memory.data(256, 16);

/** Address of the scratch area. */
export function scratchAddress(): usize {
  return SCRATCH;
}

/** Address of the byte part of the scratch area. */
export function scratchBytes(): usize {
  return SCRATCH + SCRATCH_BYTES;
}

/** Sets one numbered field. */
export function setField(field: usize, value: f64): void {
  store<f64>(SCRATCH + (field << 3), value);
}
