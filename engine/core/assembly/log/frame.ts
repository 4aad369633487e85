/**
 * One record frame: writing it and checking it. The layout is drawn in layout.ts.
 */
import { copyAndHash, xxh64 } from "../checksum/xxh64";
import {
  FRAME_ARRIVAL,
  FRAME_DATA_LENGTH,
  FRAME_HEADER_BYTES,
  FRAME_KEY_LENGTH,
  FRAME_LENGTH,
  FRAME_SEQUENCE_INDEX,
} from "../layout";

/** Payloads up to this length are hashed while they are copied; longer ones are copied first. */
const FUSED_BYTES_MAX: u32 = 4096;
/** Longest key in bytes: 256 characters of four bytes. */
const KEY_BYTES_MAX: u32 = 1024;
/** Smallest frame: no key, as records that are spread may have none, and no data. */
const FRAME_BYTES_MIN: u32 = FRAME_HEADER_BYTES;
/** Bytes of the header that the hash covers: one stripe. */
const HASHED_HEADER_BYTES: u32 = 32;

/** Length of the frame of a record whose key and data have `payload` bytes together. */
export function frameBytes(payload: u32): u32 {
  return (FRAME_HEADER_BYTES + payload + 7) & ~7;
}

/** Writes a frame; `key` is the address of the key, which the data follows. */
export function writeFrame(
  frame: usize,
  index: u64,
  arrivalMs: f64,
  key: usize,
  keyLength: u32,
  dataLength: u32,
): void {
  const payload = keyLength + dataLength;
  const length = frameBytes(payload);
  const lengths = (<u64>dataLength << 32) | <u64>length;
  const arrival = reinterpret<u64>(arrivalMs);
  store<u64>(frame, lengths, 8);
  store<u64>(frame, index, 16);
  store<u64>(frame, arrival, 24);
  store<u64>(frame, keyLength, 32);
  const body = frame + FRAME_HEADER_BYTES;
  if (payload <= FUSED_BYTES_MAX) {
    store<u64>(frame, copyAndHash(body, key, payload, lengths, index, arrival, keyLength));
    return;
  }
  store<u64>(frame + length - 8, 0);
  memory.copy(body, key, payload);
  store<u64>(frame, xxh64(frame + 8, HASHED_HEADER_BYTES + payload));
}

/** Length of the frame in bytes. */
export function frameLength(frame: usize): u32 {
  return load<u32>(frame, FRAME_LENGTH);
}

/** Sequence index of the frame's record. */
export function frameIndex(frame: usize): u64 {
  return load<u64>(frame, FRAME_SEQUENCE_INDEX);
}

/** Arrival time of the frame's record. */
export function frameArrival(frame: usize): f64 {
  return load<f64>(frame, FRAME_ARRIVAL);
}

/** Whether the lengths of a frame fit each other and the bytes before `end`. */
export function frameIsPlausible(frame: usize, end: usize): bool {
  if (end - frame < FRAME_BYTES_MIN) return false;
  const length = frameLength(frame);
  const keyLength = <u32>load<u16>(frame, FRAME_KEY_LENGTH);
  const dataLength = load<u32>(frame, FRAME_DATA_LENGTH);
  return (
    <usize>length <= end - frame &&
    dataLength < length &&
    keyLength <= KEY_BYTES_MAX &&
    length == frameBytes(keyLength + dataLength)
  );
}

/** Whether the hash of a plausible frame matches. */
export function frameIsIntact(frame: usize): bool {
  const payload = <u32>load<u16>(frame, FRAME_KEY_LENGTH) + load<u32>(frame, FRAME_DATA_LENGTH);
  return load<u64>(frame) == xxh64(frame + 8, HASHED_HEADER_BYTES + payload);
}
