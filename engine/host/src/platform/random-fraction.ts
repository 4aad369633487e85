/** Fractions from a source of random bytes. */
import type { Random } from "./platform.ts";

const UINT32_RANGE = 2 ** 32;

/** A number from 0 to below 1, drawn from 4 bytes of `random`; `drawn` may be passed to be filled again. */
export function randomFraction(random: Random, drawn: Uint8Array = new Uint8Array(4)): number {
  random.fill(drawn);
  return new DataView(drawn.buffer, drawn.byteOffset).getUint32(0, true) / UINT32_RANGE;
}
