/**
 * XXH64, the standard one (tail included, seed 0): in one go, streaming, and while copying.
 *
 * State of a stream, 80 bytes:
 *   0  u64[4]  accumulators
 *  32  u8[32]  bytes of an unfinished stripe
 *  64  u64     total length in bytes
 */

const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;
const PRIME_5: u64 = 0x27d4eb2f165667c5;

const STREAM_BYTES: u32 = 80;
const STREAM_STRIPE: usize = 32;
const STREAM_LENGTH: usize = 64;
const STREAMS: usize = memory.data(240, 16);

function mix(accumulator: u64, word: u64): u64 {
  return rotl<u64>(accumulator + word * PRIME_2, 31) * PRIME_1;
}

function merge(hash: u64, accumulator: u64): u64 {
  return (hash ^ mix(0, accumulator)) * PRIME_1 + PRIME_4;
}

function converge(a: u64, b: u64, c: u64, d: u64): u64 {
  let hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
  hash = merge(hash, a);
  hash = merge(hash, b);
  hash = merge(hash, c);
  return merge(hash, d);
}

function foldWord(hash: u64, word: u64): u64 {
  return rotl<u64>(hash ^ mix(0, word), 27) * PRIME_1 + PRIME_4;
}

function foldHalf(hash: u64, half: u64): u64 {
  return rotl<u64>(hash ^ (half * PRIME_1), 23) * PRIME_2 + PRIME_3;
}

function foldByte(hash: u64, byte: u64): u64 {
  return rotl<u64>(hash ^ (byte * PRIME_5), 11) * PRIME_1;
}

function avalanche(hash: u64): u64 {
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}

/** Folds the last bytes, fewer than a stripe, and finishes. */
function finish(hash: u64, source: usize, end: usize): u64 {
  while (source + 8 <= end) {
    hash = foldWord(hash, load<u64>(source));
    source += 8;
  }
  if (source + 4 <= end) {
    hash = foldHalf(hash, load<u32>(source));
    source += 4;
  }
  while (source < end) {
    hash = foldByte(hash, load<u8>(source));
    source++;
  }
  return avalanche(hash);
}

/** XXH64 of `length` bytes. */
export function xxh64(source: usize, length: usize): u64 {
  const end = source + length;
  if (length < 32) return finish(PRIME_5 + <u64>length, source, end);
  let a = PRIME_1 + PRIME_2;
  let b = PRIME_2;
  let c: u64 = 0;
  let d: u64 = 0 - PRIME_1;
  while (source + 32 <= end) {
    a = mix(a, load<u64>(source));
    b = mix(b, load<u64>(source, 8));
    c = mix(c, load<u64>(source, 16));
    d = mix(d, load<u64>(source, 24));
    source += 32;
  }
  return finish(converge(a, b, c, d) + <u64>length, source, end);
}

/**
 * Copies `length` bytes to `target`, zero-pads them to a multiple of 8, and returns the XXH64 of one
 * stripe (four words given in registers) followed by them. Reads up to 7 bytes past the source.
 */
export function copyAndHash(
  target: usize,
  source: usize,
  length: usize,
  word0: u64,
  word1: u64,
  word2: u64,
  word3: u64,
): u64 {
  let a = mix(PRIME_1 + PRIME_2, word0);
  let b = mix(PRIME_2, word1);
  let c = mix(0, word2);
  let d = mix(0 - PRIME_1, word3);
  const end = source + length;
  while (source + 32 <= end) {
    const w = load<u64>(source);
    const x = load<u64>(source, 8);
    const y = load<u64>(source, 16);
    const z = load<u64>(source, 24);
    store<u64>(target, w);
    store<u64>(target, x, 8);
    store<u64>(target, y, 16);
    store<u64>(target, z, 24);
    a = mix(a, w);
    b = mix(b, x);
    c = mix(c, y);
    d = mix(d, z);
    source += 32;
    target += 32;
  }
  let hash = converge(a, b, c, d) + <u64>length + 32;
  while (source + 8 <= end) {
    const word = load<u64>(source);
    store<u64>(target, word);
    hash = foldWord(hash, word);
    source += 8;
    target += 8;
  }
  if (source < end) {
    const bits = <u64>(end - source) << 3;
    store<u64>(target, load<u64>(source) & (((<u64>1) << bits) - 1));
  }
  return finish(hash, source, end);
}

function streamAt(stream: u32): usize {
  return STREAMS + stream * STREAM_BYTES;
}

/** Starts a stream. */
export function hashReset(stream: u32): void {
  const state = streamAt(stream);
  store<u64>(state, PRIME_1 + PRIME_2);
  store<u64>(state, PRIME_2, 8);
  store<u64>(state, 0, 16);
  store<u64>(state, 0 - PRIME_1, 24);
  store<u64>(state, 0, STREAM_LENGTH);
}

/** Folds whole stripes; where the rest begins. */
function hashStripes(state: usize, source: usize, end: usize): usize {
  let a = load<u64>(state);
  let b = load<u64>(state, 8);
  let c = load<u64>(state, 16);
  let d = load<u64>(state, 24);
  while (source + 32 <= end) {
    a = mix(a, load<u64>(source));
    b = mix(b, load<u64>(source, 8));
    c = mix(c, load<u64>(source, 16));
    d = mix(d, load<u64>(source, 24));
    source += 32;
  }
  store<u64>(state, a);
  store<u64>(state, b, 8);
  store<u64>(state, c, 16);
  store<u64>(state, d, 24);
  return source;
}

/** Adds `length` bytes to a stream. */
export function hashUpdate(stream: u32, source: usize, length: usize): void {
  const state = streamAt(stream);
  const stripe = state + STREAM_STRIPE;
  const end = source + length;
  const total = load<u64>(state, STREAM_LENGTH);
  store<u64>(state, total + <u64>length, STREAM_LENGTH);
  const pending = <usize>(total & 31);
  if (pending + length < 32) {
    memory.copy(stripe + pending, source, length);
    return;
  }
  if (pending != 0) {
    memory.copy(stripe + pending, source, 32 - pending);
    hashStripes(state, stripe, stripe + 32);
    source += 32 - pending;
  }
  source = hashStripes(state, source, end);
  memory.copy(stripe, source, end - source);
}

/** XXH64 of everything added since the start; more may be added afterwards. */
export function hashDigest(stream: u32): u64 {
  const state = streamAt(stream);
  const stripe = state + STREAM_STRIPE;
  const total = load<u64>(state, STREAM_LENGTH);
  const end = stripe + <usize>(total & 31);
  if (total < 32) return finish(PRIME_5 + total, stripe, end);
  const hash = converge(
    load<u64>(state),
    load<u64>(state, 8),
    load<u64>(state, 16),
    load<u64>(state, 24),
  );
  return finish(hash + total, stripe, end);
}
