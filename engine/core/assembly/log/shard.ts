/**
 * The table of shards: identity, hash key range, positions, tanks and list of cached segments.
 *
 * A shard has three marks: appended (what the next record continues), cut (what the WAL frame in
 * flight takes) and durable (what is in the store). The fields of a mark lie together in the same
 * order, so that one mark is copied over another as a block.
 */
import { WRITE_RECORDS_PER_SECOND, WRITE_TANK_BYTES, READ_BYTES_PER_SECOND, READ_CALLS_PER_SECOND } from "../layout";
import { takeTable } from "../memory/tables";

/** Route of a shard that is on none. */
export const NO_ROUTE: u32 = 0xffffffff;

/** One shard. Instances are places in the table, never created. */
export class Shard {
  /** 1 when the slot holds a shard. */
  present: u32;
  slot: u32;
  streamUid: u32;
  shardUid: u32;
  startHigh: u64;
  startLow: u64;
  endHigh: u64;
  endLow: u64;
  /** Route that the shard takes records of, or NO_ROUTE. */
  route: u32;
  /** 1 when the write quotas are enforced. */
  writeQuotas: u32;
  /** 1 when the appended mark may lie behind the durable one. */
  touched: u32;
  /** Blocks of the next segment, before the fair share. */
  sizeClass: u32;
  /** No record from now on gets a lower sequence index than this, whatever is taken back. */
  floorIndex: u64;
  /** Oldest and newest cached segment, and the one that is open; 0 when there is none. */
  head: u32;
  tail: u32;
  open: u32;
  /** Number of the batch that listed the shard last, and its position in that list. */
  listedBatch: u32;
  listPosition: u32;
  /** Number of the batch in which a record of the shard was refused last. */
  refusedBatch: u32;

  // Appended mark. The index is the one after the last record; see nextIndexOf.
  nextIndex: u64;
  nextOrdinal: u64;
  lastMs: f64;
  recordTokens: f64;
  byteTokens: f64;
  refillMs: f64;
  // Cut mark.
  cutNextIndex: u64;
  cutNextOrdinal: u64;
  cutLastMs: f64;
  cutRecordTokens: f64;
  cutByteTokens: f64;
  cutRefillMs: f64;
  // Durable mark.
  durableNextIndex: u64;
  durableNextOrdinal: u64;
  durableLastMs: f64;
  durableRecordTokens: f64;
  durableByteTokens: f64;
  durableRefillMs: f64;

  // Read tanks.
  readCallTokens: f64;
  readByteTokens: f64;
  readRefillMs: f64;
}

const SHARD_BYTES: u32 = 320;
const APPENDED_MARK: usize = offsetof<Shard>("nextIndex");
const CUT_MARK: usize = offsetof<Shard>("cutNextIndex");
const DURABLE_MARK: usize = offsetof<Shard>("durableNextIndex");
const MARK_BYTES: usize = CUT_MARK - APPENDED_MARK;

let table: usize = 0;
let slotsMax: u32 = 0;

/** Takes the table; false when there is no memory for it. */
export function openShards(shardSlotsMax: u32): bool {
  assert(offsetof<Shard>() <= SHARD_BYTES, "a shard fits its place");
  slotsMax = shardSlotsMax;
  table = takeTable(<usize>shardSlotsMax * SHARD_BYTES);
  return table != 0;
}

/** Number of slots. */
export function shardSlots(): u32 {
  return slotsMax;
}

/** The place of a slot, whether it holds a shard or not. */
export function shardAt(slot: u32): Shard {
  assert(slot < slotsMax, "a slot is in range");
  return changetype<Shard>(table + <usize>slot * SHARD_BYTES);
}

/** Whether the slot is in range and holds a shard. */
export function shardIsPresent(slot: u32): bool {
  return slot < slotsMax && shardAt(slot).present != 0;
}

/** Puts a shard without records into an empty slot, with full tanks. */
export function openShard(slot: u32, nextIndex: u64, nextOrdinal: u64): Shard {
  const shard = shardAt(slot);
  memory.fill(changetype<usize>(shard), 0, SHARD_BYTES);
  shard.present = 1;
  shard.slot = slot;
  shard.route = NO_ROUTE;
  shard.sizeClass = 1;
  shard.nextIndex = nextIndex;
  shard.nextOrdinal = nextOrdinal;
  shard.recordTokens = WRITE_RECORDS_PER_SECOND;
  shard.byteTokens = WRITE_TANK_BYTES;
  shard.readCallTokens = READ_CALLS_PER_SECOND;
  shard.readByteTokens = READ_BYTES_PER_SECOND;
  cutShard(shard);
  commitShard(shard);
  return shard;
}

/** The cut mark moves to the appended one. */
export function cutShard(shard: Shard): void {
  const at = changetype<usize>(shard);
  memory.copy(at + CUT_MARK, at + APPENDED_MARK, MARK_BYTES);
}

/** The durable mark moves to the cut one. */
export function commitShard(shard: Shard): void {
  const at = changetype<usize>(shard);
  memory.copy(at + DURABLE_MARK, at + CUT_MARK, MARK_BYTES);
}

/** The appended and the cut mark go back to the durable one. */
export function rewindShard(shard: Shard): void {
  const at = changetype<usize>(shard);
  memory.copy(at + APPENDED_MARK, at + DURABLE_MARK, MARK_BYTES);
  memory.copy(at + CUT_MARK, at + DURABLE_MARK, MARK_BYTES);
}

/** Sequence index of the next record. */
export function nextIndexOf(shard: Shard): u64 {
  return max(shard.nextIndex, shard.floorIndex);
}
