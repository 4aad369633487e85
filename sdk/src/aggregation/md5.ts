/** MD5 (RFC 1321), as partition keys and aggregates are hashed: in this thread and at once. */

const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;
/** Bytes of a digest. */
export const MD5_BYTES = 16;

/** RFC 1321's T: the sine of 1 to 64 in radians as fractions of 2^32. */
const SINES = new DataView(new ArrayBuffer(256));
for (let i = 0; i < 64; i++) SINES.setUint32(i * 4, Math.abs(Math.sin(i + 1)) * 2 ** 32);
/** How far each step of a round rotates; every round repeats its four. */
const ROTATIONS = new DataView(new ArrayBuffer(16));
for (const [i, bits] of [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21].entries()) {
  ROTATIONS.setUint8(i, bits);
}
/** The last bytes of a message with what pads them: two blocks at most. */
const tail = new Uint8Array(2 * BLOCK_BYTES);
const tailView = new DataView(tail.buffer);

let stateA = 0;
let stateB = 0;
let stateC = 0;
let stateD = 0;

/** What a step of a round adds to b: the sum of the rest, rotated to the left. */
function rotated(sum: number, round: number, step: number): number {
  const bits = ROTATIONS.getUint8(round * 4 + (step & 3));
  return (sum << bits) | (sum >>> (32 - bits));
}

/** Takes the 64 bytes at an offset into the state. */
function takeBlock(view: DataView, at: number): void {
  let a = stateA;
  let b = stateB;
  let c = stateC;
  let d = stateD;
  let kept = 0;
  for (let i = 0; i < 16; i++) {
    const word = view.getInt32(at + i * 4, true) + SINES.getInt32(i * 4);
    kept = d;
    d = c;
    c = b;
    b = (b + rotated((a + ((b & d) | (~b & kept)) + word) | 0, 0, i)) | 0;
    a = kept;
  }
  for (let i = 0; i < 16; i++) {
    const word = view.getInt32(at + ((i * 5 + 1) & 15) * 4, true) + SINES.getInt32(64 + i * 4);
    kept = d;
    d = c;
    c = b;
    b = (b + rotated((a + ((b & kept) | (d & ~kept)) + word) | 0, 1, i)) | 0;
    a = kept;
  }
  for (let i = 0; i < 16; i++) {
    const word = view.getInt32(at + ((i * 3 + 5) & 15) * 4, true) + SINES.getInt32(128 + i * 4);
    kept = d;
    d = c;
    c = b;
    b = (b + rotated((a + (b ^ d ^ kept) + word) | 0, 2, i)) | 0;
    a = kept;
  }
  for (let i = 0; i < 16; i++) {
    const word = view.getInt32(at + ((i * 7) & 15) * 4, true) + SINES.getInt32(192 + i * 4);
    kept = d;
    d = c;
    c = b;
    b = (b + rotated((a + (d ^ (b | ~kept)) + word) | 0, 3, i)) | 0;
    a = kept;
  }
  stateA = (stateA + a) | 0;
  stateB = (stateB + b) | 0;
  stateC = (stateC + c) | 0;
  stateD = (stateD + d) | 0;
}

/** Leaves the digest of some bytes in the state. */
function hash(bytes: Uint8Array): void {
  const { byteLength } = bytes;
  stateA = 0x67452301;
  stateB = 0xefcdab89 | 0;
  stateC = 0x98badcfe | 0;
  stateD = 0x10325476;
  const rest = byteLength % BLOCK_BYTES;
  const wholeBytes = byteLength - rest;
  if (wholeBytes > 0) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, wholeBytes);
    for (let at = 0; at < wholeBytes; at += BLOCK_BYTES) takeBlock(view, at);
  }
  // The length in bits takes the last eight bytes of a block.
  const tailBytes = rest < BLOCK_BYTES - LENGTH_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
  tail.fill(0);
  tail.set(wholeBytes === 0 ? bytes : bytes.subarray(wholeBytes));
  tailView.setUint8(rest, 0x80);
  tailView.setUint32(tailBytes - LENGTH_BYTES, (byteLength << 3) >>> 0, true);
  tailView.setUint32(tailBytes - 4, Math.floor(byteLength / 2 ** 29), true);
  for (let at = 0; at < tailBytes; at += BLOCK_BYTES) takeBlock(tailView, at);
}

/** The digest of some bytes, in a new array of 16. */
export function md5(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  hash(bytes);
  const digest = new Uint8Array(MD5_BYTES);
  const view = new DataView(digest.buffer);
  for (const [i, word] of [stateA, stateB, stateC, stateD].entries()) {
    view.setInt32(i * 4, word, true);
  }
  return digest;
}

/** A word with its bytes in the other order. */
function swapped(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** The digest as a number of 128 bits: four words of 32 bits, the first byte in the first one's highest bits. */
export function md5Words(bytes: Uint8Array): [number, number, number, number] {
  hash(bytes);
  return [swapped(stateA), swapped(stateB), swapped(stateC), swapped(stateD)];
}
