/**
 * MD5 of one input of any length, in one go or streaming.
 *
 * Streaming state, 88 bytes:
 *   0  u32[4]  chaining value
 *  16  u8[64]  bytes of an unfinished block
 *  80  u64     total length in bytes
 */
import { md5Block } from "./md5-block";

const STREAM: usize = memory.data(88, 16);
const STREAM_BLOCK: usize = STREAM + 16;
const STREAM_LENGTH: usize = STREAM + 80;
const LENGTH_FIELD: usize = 56;

/** Starts the one stream. */
export function md5Reset(): void {
  store<u32>(STREAM, 0x67452301);
  store<u32>(STREAM, 0xefcdab89, 4);
  store<u32>(STREAM, 0x98badcfe, 8);
  store<u32>(STREAM, 0x10325476, 12);
  store<u64>(STREAM_LENGTH, 0);
}

/** Adds `length` bytes to the stream. */
export function md5Update(source: usize, length: usize): void {
  const end = source + length;
  const pending = <usize>(load<u64>(STREAM_LENGTH) & 63);
  store<u64>(STREAM_LENGTH, load<u64>(STREAM_LENGTH) + <u64>length);
  if (pending + length < 64) {
    memory.copy(STREAM_BLOCK + pending, source, length);
    return;
  }
  if (pending != 0) {
    memory.copy(STREAM_BLOCK + pending, source, 64 - pending);
    md5Block(STREAM, STREAM_BLOCK);
    source += 64 - pending;
  }
  while (source + 64 <= end) {
    md5Block(STREAM, source);
    source += 64;
  }
  memory.copy(STREAM_BLOCK, source, end - source);
}

/** Ends the stream and writes its digest of 16 bytes to `digest`. */
export function md5Finish(digest: usize): void {
  const total = load<u64>(STREAM_LENGTH);
  const pending = <usize>(total & 63);
  store<u8>(STREAM_BLOCK + pending, 0x80);
  memory.fill(STREAM_BLOCK + pending + 1, 0, 63 - pending);
  if (pending >= LENGTH_FIELD) {
    md5Block(STREAM, STREAM_BLOCK);
    memory.fill(STREAM_BLOCK, 0, LENGTH_FIELD);
  }
  store<u64>(STREAM_BLOCK + LENGTH_FIELD, total << 3);
  md5Block(STREAM, STREAM_BLOCK);
  memory.copy(digest, STREAM, 16);
}

/** MD5 of `length` bytes, to `digest`. */
export function md5(digest: usize, source: usize, length: usize): void {
  md5Reset();
  md5Update(source, length);
  md5Finish(digest);
}
