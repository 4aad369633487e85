/**
 * The arena: blocks of 64 KiB that hold segments and large requests.
 *
 * A run of blocks is taken first fit, so that blocks which were used before are used again: memory
 * that is touched for the first time costs twice as much. The arena grows by memory.grow up to its
 * limit and never shrinks. One byte per block says what it is used for.
 */
import { BLOCK_BYTES } from "../layout";

/** The block is free. */
const FREE: u8 = 0;
/** The block holds what is not in the store yet, or what a call works on. */
const PINNED: u8 = 1;
/** The block holds a segment that is in the store: it may be taken back. */
const EVICTABLE: u8 = 2;

/** Blocks by which the arena grows at least, when it may. */
const GROWTH_BLOCKS_MIN: u32 = 32;

let arenaBase: usize = 0;
let blockUse: usize = 0;
let blocks: u32 = 0;
let blocksMax: u32 = 0;
let blocksPinned: u32 = 0;
let blocksEvictable: u32 = 0;
/** No block below this one is free. */
let firstFree: u32 = 0;

/** Sets the arena up with no block yet; `useTable` has one byte per block. */
export function openArena(base: usize, useTable: usize, limit: u32): void {
  arenaBase = base;
  blockUse = useTable;
  blocksMax = limit;
  blocks = 0;
  blocksPinned = 0;
  blocksEvictable = 0;
  firstFree = 0;
}

/** Largest number of blocks. */
export function arenaBlocksMax(): u32 {
  return blocksMax;
}

/** Blocks that may not be taken back now. */
export function arenaBlocksPinned(): u32 {
  return blocksPinned;
}

/** Blocks that may be taken back. */
export function arenaBlocksEvictable(): u32 {
  return blocksEvictable;
}

function blockOf(address: usize): u32 {
  return <u32>((address - arenaBase) / BLOCK_BYTES);
}

/** Blocks at the end of the arena that are free. */
function freeAtEnd(): u32 {
  let count: u32 = 0;
  while (count < blocks && load<u8>(blockUse + blocks - 1 - count) == FREE) count++;
  return count;
}

/** First block of the first free run of `count` blocks, or -1. */
function findFree(count: u32): i32 {
  let run: u32 = 0;
  for (let block = firstFree; block < blocks; block++) {
    if (load<u8>(blockUse + block) != FREE) {
      run = 0;
      continue;
    }
    run++;
    if (run == count) return <i32>(block + 1 - count);
  }
  return -1;
}

/** Makes room for a run of `count` blocks at the end of the arena, if it may grow that far. */
function grow(count: u32): bool {
  const missing = count - min(count, freeAtEnd());
  if (blocks + missing > blocksMax) return false;
  const wanted = min(max(missing, max(GROWTH_BLOCKS_MIN, blocks >>> 3)), blocksMax - blocks);
  const end = arenaBase + <usize>blocks * BLOCK_BYTES;
  const spare = <u32>((<usize>memory.size() << 16) - end) / BLOCK_BYTES;
  if (spare >= missing) {
    blocks += min(spare, wanted);
    return true;
  }
  if (memory.grow(<i32>(wanted - spare)) >= 0) {
    blocks += wanted;
    return true;
  }
  if (memory.grow(<i32>(missing - spare)) < 0) return false;
  blocks += missing;
  return true;
}

function claim(first: u32, count: u32): usize {
  memory.fill(blockUse + first, PINNED, count);
  blocksPinned += count;
  while (firstFree < blocks && load<u8>(blockUse + firstFree) != FREE) firstFree++;
  return arenaBase + <usize>first * BLOCK_BYTES;
}

/** Address of a run of `count` pinned blocks without taking anything back; 0 when there is none. */
export function takeFreeRun(count: u32): usize {
  let first = findFree(count);
  if (first < 0 && grow(count)) first = findFree(count);
  return first < 0 ? 0 : claim(<u32>first, count);
}

/**
 * Whether a run of `count` blocks would be free if everything evictable were evicted and the arena
 * grown. Blocks that the arena has yet to grow are marked free.
 */
export function runIsReachable(count: u32): bool {
  let run: u32 = 0;
  for (let block: u32 = 0; block < blocksMax; block++) {
    run = load<u8>(blockUse + block) == PINNED ? 0 : run + 1;
    if (run >= count) return true;
  }
  return false;
}

/** Length of the free run that contains the block at `address`, the room to grow included. */
export function freeRunAround(address: usize): u32 {
  let first = blockOf(address);
  let end = first;
  while (first > 0 && load<u8>(blockUse + first - 1) == FREE) first--;
  while (end < blocksMax && load<u8>(blockUse + end) == FREE) end++;
  return end - first;
}

/** Lets a pinned run be taken back from now on. */
export function makeEvictable(address: usize, count: u32): void {
  memory.fill(blockUse + blockOf(address), EVICTABLE, count);
  blocksPinned -= count;
  blocksEvictable += count;
}

/** Frees a run. */
export function releaseRun(address: usize, count: u32): void {
  const first = blockOf(address);
  assert(first + count <= blocks, "a run lies inside the arena");
  if (load<u8>(blockUse + first) == EVICTABLE) blocksEvictable -= count;
  else blocksPinned -= count;
  memory.fill(blockUse + first, FREE, count);
  firstFree = min(firstFree, first);
}
