/**
 * Sequence numbers (Kinesis version 2) as three words of 64 bits, lowest word first.
 *
 * 186 bits, 47 hexadecimal digits, from the highest:
 *   2 | creation s, 9 digits | shard index, lowest digit | sequence index, 16 digits | 00
 *     | arrival s, 9 digits | shard index, 8 digits | 2
 *
 * word 0, bits 0..63     2 (4) | shard index (32) | arrival, low 28 bits
 * word 1, bits 64..127   arrival, high 8 bits | 00 (8) | sequence index, low 48 bits
 * word 2, bits 128..187  sequence index, high 16 bits | shard index (4) | creation (36) | 2 (4)
 */

const VERSION: u64 = 2;

/** Writes the three words to `target`. */
export function sequencePack(
  target: usize,
  createdSeconds: u64,
  index: u64,
  arrivalSeconds: u64,
  shardIndex: u32,
): void {
  const shard: u64 = shardIndex;
  store<u64>(target, VERSION | (shard << 4) | (arrivalSeconds << 36));
  store<u64>(target, ((arrivalSeconds >> 28) & 0xff) | (index << 16), 8);
  store<u64>(
    target,
    (index >> 48) | ((shard & 15) << 16) | ((createdSeconds & 0xfffffffff) << 20) | (VERSION << 56),
    16,
  );
}

/** Whether three words are a sequence number of version 2. */
export function sequenceIsValid(source: usize): bool {
  const low = load<u64>(source);
  const high = load<u64>(source, 16);
  return (
    (low & 15) == VERSION &&
    high >> 56 == VERSION &&
    ((load<u64>(source, 8) >> 8) & 0xff) == 0 &&
    ((high >> 16) & 15) == ((low >> 4) & 15)
  );
}

/** Creation time in seconds. */
export function sequenceCreated(source: usize): u64 {
  return (load<u64>(source, 16) >> 20) & 0xfffffffff;
}

/** Sequence index. */
export function sequenceIndex(source: usize): u64 {
  return (load<u64>(source, 8) >> 16) | (load<u64>(source, 16) << 48);
}

/** Arrival time in seconds. */
export function sequenceArrival(source: usize): u64 {
  return (load<u64>(source) >> 36) | ((load<u64>(source, 8) & 0xff) << 28);
}

/** Shard index. */
export function sequenceShard(source: usize): u32 {
  return <u32>((load<u64>(source) >> 4) & 0xffffffff);
}
