/**
 * The core's hashing of partition keys by itself, from the same sources and with the same options as
 * the core, for comparison with other implementations of MD5.
 */
import { addKey, finishKeys, openKeyHashes, startKeys } from "../../../engine/core/assembly/hash/key-hashes";
import { openTables, takeTable } from "../../../engine/core/assembly/memory/tables";

const HASH_KEY_BYTES: u32 = 16;
const SLACK_BYTES: u32 = 64;

let keys: usize = 0;
let hashKeys: usize = 0;

/** Makes room for keys of one length, back to back; returns their address. */
export function init(count: u32, keyBytes: u32): usize {
  openTables();
  if (!openKeyHashes(count)) return 0;
  keys = takeTable(count * keyBytes + SLACK_BYTES);
  hashKeys = takeTable(count * HASH_KEY_BYTES);
  return keys;
}

/** Address of the hash keys: two words each, the high one first. */
export function hashKeysAddress(): usize {
  return hashKeys;
}

/** Hashes all keys `rounds` times. */
export function hashAll(count: u32, keyBytes: u32, rounds: u32): void {
  for (let round: u32 = 0; round < rounds; round++) {
    startKeys();
    for (let i: u32 = 0; i < count; i++) addKey(hashKeys + i * HASH_KEY_BYTES, keys + i * keyBytes, keyBytes);
    finishKeys();
  }
}
