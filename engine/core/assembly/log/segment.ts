/**
 * The table of cached segments, each a run of arena blocks: 128 bytes for the header, then record
 * frames as on disk.
 *
 * A segment is in the list of its shard, ordered by first index. It is also in one of two queues:
 * closed segments in the order of closing, declared ones by when they were last used.
 *
 *   OPEN ──roll, full──> CLOSED ──seal──> SEALING ──declare──> DECLARED ──evict──> (free)
 *     <──────rewind──────         <─unseal──
 */
import { STATE_CLOSED, STATE_DECLARED, STATE_FREE, STATE_OPEN, STATE_SEALING } from "../border";
import { BLOCK_BYTES, SEGMENT_HEADER_BYTES, SLACK_BYTES } from "../layout";
import { makeEvictable, releaseRun } from "../memory/arena";
import { takeTable } from "../memory/tables";
import { Shard, shardAt } from "./shard";

/** One cached segment. Instances are places in the table, never created. */
export class Segment {
  state: u32;
  slot: u32;
  /** Address of its first block, and how many there are. */
  base: u32;
  blocks: u32;
  ordinal: u64;
  firstIndex: u64;
  firstMs: f64;

  // Appended mark: end of the frames from the base, records, index after the last, latest arrival.
  used: u32;
  count: u32;
  nextIndex: u64;
  lastMs: f64;
  // Cut mark.
  cutUsed: u32;
  cutCount: u32;
  cutNextIndex: u64;
  cutLastMs: f64;
  // Durable mark.
  durableUsed: u32;
  durableCount: u32;
  durableNextIndex: u64;
  durableLastMs: f64;

  /** First and last WAL frame with its records. */
  firstFrame: u64;
  lastFrame: u64;
  /** Neighbours in the list of the shard. */
  previous: u32;
  next: u32;
  /** Neighbours in the queue of closed or of declared segments. */
  queuePrevious: u32;
  queueNext: u32;
  /** Where the last read ended: the next one often continues there. */
  hintIndex: u64;
  hintOffset: u32;
}

const SEGMENT_BYTES: u32 = 192;
const APPENDED_MARK: usize = offsetof<Segment>("used");
const CUT_MARK: usize = offsetof<Segment>("cutUsed");
const DURABLE_MARK: usize = offsetof<Segment>("durableUsed");
const MARK_BYTES: usize = CUT_MARK - APPENDED_MARK;

let table: usize = 0;
let segmentsMax: u32 = 0;
let freePlaces: u32 = 0;

let closedHead: u32 = 0;
let closedTail: u32 = 0;
let declaredHead: u32 = 0;
let declaredTail: u32 = 0;

/** Takes the table; false when there is no memory for it. */
export function openSegments(count: u32): bool {
  assert(offsetof<Segment>() <= SEGMENT_BYTES, "a segment fits its place");
  segmentsMax = count;
  table = takeTable(<usize>count * SEGMENT_BYTES);
  if (table == 0) return false;
  freePlaces = 0;
  closedHead = closedTail = declaredHead = declaredTail = 0;
  for (let i = count; i > 0; i--) {
    const segment = segmentAt(i);
    segment.next = freePlaces;
    freePlaces = changetype<u32>(segment);
  }
  return true;
}

/** The segment at an address; 0 is none. */
export function segmentOf(address: u32): Segment {
  assert(address != 0, "there is a segment");
  return changetype<Segment>(<usize>address);
}

/** The place of a handle, from 1 to the number of places. */
export function segmentAt(handle: u32): Segment {
  return changetype<Segment>(table + <usize>(handle - 1) * SEGMENT_BYTES);
}

/** Handle of a segment for the host. */
export function handleOf(segment: Segment): u32 {
  return <u32>((changetype<usize>(segment) - table) / SEGMENT_BYTES) + 1;
}

/** State of the segment with a handle; STATE_FREE when there is none. */
export function stateOfHandle(handle: u32): u32 {
  return handle == 0 || handle > segmentsMax ? STATE_FREE : segmentAt(handle).state;
}

/** Bytes that frames may use, from the base. */
export function capacityOf(segment: Segment): u32 {
  return segment.blocks * BLOCK_BYTES - SLACK_BYTES;
}

/** Blocks of the smallest segment whose frames end at `used`. */
export function blocksNeeded(used: u32): u32 {
  return (used + SLACK_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/** Whether a segment has records that are not durable. */
export function isDirty(segment: Segment): bool {
  return segment.used != segment.durableUsed;
}

// ── Marks ────────────────────────────────────────────────────────────────────────────────────────

/** The cut mark moves to the appended one. */
export function cutSegment(segment: Segment): void {
  const at = changetype<usize>(segment);
  memory.copy(at + CUT_MARK, at + APPENDED_MARK, MARK_BYTES);
}

/** The durable mark moves to the cut one. */
export function commitSegment(segment: Segment): void {
  const at = changetype<usize>(segment);
  memory.copy(at + DURABLE_MARK, at + CUT_MARK, MARK_BYTES);
}

/** The appended and the cut mark go back to the durable one. */
export function rewindSegment(segment: Segment): void {
  const at = changetype<usize>(segment);
  memory.copy(at + APPENDED_MARK, at + DURABLE_MARK, MARK_BYTES);
  memory.copy(at + CUT_MARK, at + DURABLE_MARK, MARK_BYTES);
}

// ── The list of a shard ──────────────────────────────────────────────────────────────────────────

/**
 * Makes a segment of a pinned run and puts it into its shard's list. There is a free place whenever
 * there is a free block, because every segment has at least one block.
 */
export function createSegment(slot: u32, base: usize, blocks: u32, ordinal: u64, firstIndex: u64): Segment {
  const segment = segmentOf(freePlaces);
  freePlaces = segment.next;
  memory.fill(changetype<usize>(segment), 0, SEGMENT_BYTES);
  segment.state = STATE_OPEN;
  segment.slot = slot;
  segment.base = <u32>base;
  segment.blocks = blocks;
  segment.ordinal = ordinal;
  segment.firstIndex = firstIndex;
  segment.used = SEGMENT_HEADER_BYTES;
  segment.nextIndex = firstIndex;
  cutSegment(segment);
  commitSegment(segment);
  link(shardAt(slot), segment);
  return segment;
}

function link(shard: Shard, segment: Segment): void {
  let before = shard.tail;
  while (before != 0 && segmentOf(before).firstIndex > segment.firstIndex) {
    before = segmentOf(before).previous;
  }
  const after = before == 0 ? shard.head : segmentOf(before).next;
  segment.previous = before;
  segment.next = after;
  const address = changetype<u32>(segment);
  if (before == 0) shard.head = address;
  else segmentOf(before).next = address;
  if (after == 0) shard.tail = address;
  else segmentOf(after).previous = address;
}

function unlink(shard: Shard, segment: Segment): void {
  if (segment.previous == 0) shard.head = segment.next;
  else segmentOf(segment.previous).next = segment.next;
  if (segment.next == 0) shard.tail = segment.previous;
  else segmentOf(segment.next).previous = segment.previous;
}

/** Drops a segment in whatever state and frees its blocks. */
export function dropSegment(segment: Segment): void {
  const shard = shardAt(segment.slot);
  if (segment.state == STATE_CLOSED) unqueueClosed(segment);
  if (segment.state == STATE_DECLARED) unqueueDeclared(segment);
  if (shard.open == changetype<u32>(segment)) shard.open = 0;
  unlink(shard, segment);
  releaseRun(segment.base, segment.blocks);
  segment.state = STATE_FREE;
  segment.next = freePlaces;
  freePlaces = changetype<u32>(segment);
}

// ── Changes of state ─────────────────────────────────────────────────────────────────────────────

/** OPEN or SEALING to CLOSED. */
export function closeSegment(segment: Segment): void {
  const shard = shardAt(segment.slot);
  const address = changetype<u32>(segment);
  if (shard.open == address) shard.open = 0;
  segment.state = STATE_CLOSED;
  segment.queuePrevious = closedTail;
  segment.queueNext = 0;
  if (closedTail == 0) closedHead = address;
  else segmentOf(closedTail).queueNext = address;
  closedTail = address;
}

/** CLOSED to OPEN, after a rewind. */
export function reopenSegment(segment: Segment): void {
  if (segment.state == STATE_CLOSED) unqueueClosed(segment);
  segment.state = STATE_OPEN;
  shardAt(segment.slot).open = changetype<u32>(segment);
}

/** CLOSED to SEALING. */
export function takeSegment(segment: Segment): void {
  unqueueClosed(segment);
  segment.state = STATE_SEALING;
}

/** SEALING, or OPEN when it was just loaded, to DECLARED. */
export function declareSegment(segment: Segment): void {
  segment.state = STATE_DECLARED;
  makeEvictable(segment.base, segment.blocks);
  queueDeclared(segment);
}

/** Oldest closed segment, 0 when there is none. */
export function firstClosed(): u32 {
  return closedHead;
}

/** Declared segment that was used least recently, 0 when there is none. */
export function leastRecentlyUsed(): u32 {
  return declaredHead;
}

/** Notes that a segment was read: when declared, it becomes the last to be evicted. */
export function touchSegment(segment: Segment): void {
  if (segment.state != STATE_DECLARED || declaredTail == changetype<u32>(segment)) return;
  unqueueDeclared(segment);
  queueDeclared(segment);
}

function unqueueClosed(segment: Segment): void {
  if (segment.queuePrevious == 0) closedHead = segment.queueNext;
  else segmentOf(segment.queuePrevious).queueNext = segment.queueNext;
  if (segment.queueNext == 0) closedTail = segment.queuePrevious;
  else segmentOf(segment.queueNext).queuePrevious = segment.queuePrevious;
}

function queueDeclared(segment: Segment): void {
  const address = changetype<u32>(segment);
  segment.queuePrevious = declaredTail;
  segment.queueNext = 0;
  if (declaredTail == 0) declaredHead = address;
  else segmentOf(declaredTail).queueNext = address;
  declaredTail = address;
}

function unqueueDeclared(segment: Segment): void {
  if (segment.queuePrevious == 0) declaredHead = segment.queueNext;
  else segmentOf(segment.queuePrevious).queueNext = segment.queueNext;
  if (segment.queueNext == 0) declaredTail = segment.queuePrevious;
  else segmentOf(segment.queueNext).queuePrevious = segment.queuePrevious;
}
