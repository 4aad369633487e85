/** CRC-32 as Ethernet, gzip and AWS's event streams have it. */

const POLYNOMIAL = 0xedb88320;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = (remainder >>> 1) ^ ((remainder & 1) === 0 ? 0 : POLYNOMIAL);
  }
  return remainder;
});

/** CRC-32 of bytes, an unsigned 32-bit integer; `before` is that of the bytes in front of them. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let remainder = ~before;
  for (let i = 0; i < bytes.length; i++) {
    const index = (remainder ^ (bytes[i] ?? 0)) & 0xff;
    remainder = (remainder >>> 8) ^ (TABLE[index] ?? 0);
  }
  return ~remainder >>> 0;
}
