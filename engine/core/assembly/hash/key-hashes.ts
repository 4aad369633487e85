/**
 * Hash keys of many partition keys at once.
 *
 * Keys of up to 55 bytes fit one MD5 block. They are collected and hashed eight at a time where there
 * is SIMD; longer keys, and a rest of one or two, are hashed one by one.
 *
 * A hash key is an MD5 digest read as a big-endian number; it is kept as two words, high then low.
 */
import { SLACK_BYTES } from "../layout";
import { takeTable } from "../memory/tables";
import { md5 } from "./md5";
import { md5Lanes } from "./md5-lanes";

const LANES: u32 = 8;
/** A rest of so many keys is hashed one by one: eight lanes would cost more. */
const REST_MAX: u32 = 2;
const BLOCK_KEY_BYTES_MAX: u32 = 55;

const DIGESTS: usize = memory.data(128, 16);
/** Padded blocks of eight keys. */
const PADDED: usize = memory.data(512, 16);
/** The same, word by word. */
const WORDS: usize = memory.data(512, 16);
/** 64 bytes of ones, then 64 of zeros: a window on it keeps the first bytes of a block. */
const KEEP: usize = memory.data(128, 16);
/** 0x80 after 64 zeros: a window on it is MD5's end mark at any place of a block. */
const MARK: usize = memory.data(128, 16);

// Collected keys: {u32 address, u32 length, u32 address of the hash key, u32 zero}.
const ENTRY_BYTES: u32 = 16;
let entries: usize = 0;
let count: u32 = 0;

/** Takes the table for `keysMax` keys; false when there is no memory for it. */
export function openKeyHashes(keysMax: u32): bool {
  memory.fill(KEEP, 255, 64);
  store<u8>(MARK + 64, 0x80);
  assert(SLACK_BYTES >= 64, "padding a key reads up to 64 bytes past it");
  entries = takeTable((keysMax + LANES) * ENTRY_BYTES);
  return entries != 0;
}

function storeHashKey(target: usize, digest: usize): void {
  store<u64>(target, bswap<u64>(load<u64>(digest)));
  store<u64>(target, bswap<u64>(load<u64>(digest, 8)), 8);
}

/** Writes the hash key of one key to `target`. */
export function hashKey(target: usize, key: usize, length: u32): void {
  md5(DIGESTS, key, length);
  storeHashKey(target, DIGESTS);
}

/** Starts a batch. */
export function startKeys(): void {
  count = 0;
}

/** Adds a key; its hash key is at `target` once the batch is finished, at the latest. */
export function addKey(target: usize, key: usize, length: u32): void {
  if (length > BLOCK_KEY_BYTES_MAX) {
    hashKey(target, key, length);
    return;
  }
  const entry = entries + count * ENTRY_BYTES;
  store<u32>(entry, <u32>key);
  store<u32>(entry, length, 4);
  store<u32>(entry, <u32>target, 8);
  count++;
}

/** Finishes the batch: all hash keys are written. */
export function finishKeys(): void {
  let done: u32 = 0;
  if (ASC_FEATURE_SIMD) {
    const rest = count % LANES;
    // The last entry is repeated to fill the lanes; hashing it twice writes the same twice.
    if (rest > REST_MAX) {
      for (let i: u32 = rest; i < LANES; i++) {
        memory.copy(entries + (count + i - rest) * ENTRY_BYTES, entries + (count - 1) * ENTRY_BYTES, ENTRY_BYTES);
      }
    }
    const end = rest > REST_MAX ? count + LANES - rest : count - rest;
    for (; done < end; done += LANES) hashEight(entries + done * ENTRY_BYTES);
  }
  for (; done < count; done++) {
    const entry = entries + done * ENTRY_BYTES;
    hashKey(load<u32>(entry, 8), load<u32>(entry), load<u32>(entry, 4));
  }
}

function hashEight(group: usize): void {
  for (let lane: usize = 0; lane < 8; lane++) {
    const entry = group + lane * ENTRY_BYTES;
    padBlock(PADDED + (lane << 6), load<u32>(entry), load<u32>(entry, 4));
  }
  for (let quarter: usize = 0; quarter < 64; quarter += 16) {
    transpose(PADDED + quarter, WORDS + (quarter << 2));
    transpose(PADDED + 256 + quarter, WORDS + 256 + (quarter << 2));
  }
  md5Lanes(DIGESTS, WORDS);
  for (let lane: usize = 0; lane < 8; lane++) {
    storeHashKey(load<u32>(group + lane * ENTRY_BYTES, 8), DIGESTS + (lane << 4));
  }
}

/** Writes MD5's only block of a short key. Reads 64 bytes, whatever the key's length. */
function padBlock(target: usize, key: usize, length: u32): void {
  const keep = KEEP + 64 - length;
  const mark = MARK + 64 - length;
  v128.store(target, v128.or(v128.and(v128.load(key), v128.load(keep)), v128.load(mark)));
  v128.store(
    target,
    v128.or(v128.and(v128.load(key, 16), v128.load(keep, 16)), v128.load(mark, 16)),
    16,
  );
  v128.store(
    target,
    v128.or(v128.and(v128.load(key, 32), v128.load(keep, 32)), v128.load(mark, 32)),
    32,
  );
  const last = v128.or(v128.and(v128.load(key, 48), v128.load(keep, 48)), v128.load(mark, 48));
  v128.store(target, i32x4.replace_lane(last, 2, length << 3), 48);
}

/** Four words of four blocks, side by side. */
function transpose(blocks: usize, words: usize): void {
  const r0 = v128.load(blocks);
  const r1 = v128.load(blocks, 64);
  const r2 = v128.load(blocks, 128);
  const r3 = v128.load(blocks, 192);
  const low01 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5);
  const low23 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7);
  const high23 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
  v128.store(words, v128.shuffle<i64>(low01, low23, 0, 2));
  v128.store(words, v128.shuffle<i64>(low01, low23, 1, 3), 16);
  v128.store(words, v128.shuffle<i64>(high01, high23, 0, 2), 32);
  v128.store(words, v128.shuffle<i64>(high01, high23, 1, 3), 48);
}
