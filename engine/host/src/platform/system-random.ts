/** The machine's source of random bytes, in a page, a worker or Node. */
import type { Random } from "./platform.ts";

/** `getRandomValues` takes at most this many bytes in one call. */
const BYTES_PER_CALL_MAX = 65536;

/** Cryptographically strong random bytes. */
export const systemRandom: Random = {
  fill(bytes) {
    // Memory of Wasm is refused by some browsers, so the bytes are drawn aside and copied over.
    const drawn = new Uint8Array(bytes.byteLength);
    for (let offset = 0; offset < drawn.byteLength; offset += BYTES_PER_CALL_MAX) {
      crypto.getRandomValues(drawn.subarray(offset, offset + BYTES_PER_CALL_MAX));
    }
    bytes.set(drawn);
    return bytes;
  },
};
