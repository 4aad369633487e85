/**
 * Routes: which open shard of a stream takes a hash key.
 *
 * Route, 16 bytes:
 *   0  u32  first entry in the pool
 *   4  u32  count of entries
 *   8  u32  address of its jump table
 *  12  u32  zero
 * Entry of the pool, 24 bytes, ascending per route:
 *   0  u64  starting hash key, high half
 *   8  u64  starting hash key, low half
 *  16  u32  slot of the shard
 *  20  u32  zero
 * Jump table: u16[1024], by the highest 10 bits of a hash key: the last entry that starts at or before
 * the first hash key with these bits.
 */
import { ROUTE_OK, ROUTE_RING, ROUTE_SLOT, ROUTE_TAKEN } from "../border";
import { takeTable } from "../memory/tables";
import { NO_ROUTE, Shard, shardAt, shardIsPresent } from "../log/shard";
import { clearRouteTanks, RouteTanks } from "../throttle/route-tanks";

const ROUTE_BYTES: u32 = 16;
const ENTRY_BYTES: u32 = 24;
const JUMP_BITS: u64 = 10;
const JUMP_ENTRIES: u32 = 1024;

let routes: usize = 0;
let pool: usize = 0;
let poolUsed: u32 = 0;
let routesMax: u32 = 0;

/** Takes the tables; false when there is no memory for them. */
export function openRoutes(routeCount: u32, shardSlotsMax: u32): bool {
  routesMax = routeCount;
  poolUsed = 0;
  routes = takeTable(<usize>routeCount * ROUTE_BYTES);
  // Twice the slots: a new list is sorted and checked behind all the others.
  pool = takeTable(<usize>shardSlotsMax * 2 * ENTRY_BYTES);
  const jumps = takeTable(<usize>routeCount * JUMP_ENTRIES * 2);
  if (routes == 0 || pool == 0 || jumps == 0) return false;
  for (let route: u32 = 0; route < routeCount; route++) {
    store<u32>(routes + route * ROUTE_BYTES, <u32>(jumps + route * JUMP_ENTRIES * 2), 8);
  }
  return true;
}

/** Whether the route has shards. */
export function routeIsSet(route: u32): bool {
  return route < routesMax && load<u32>(routes + route * ROUTE_BYTES, 4) != 0;
}

/** Number of shards on all routes. */
export function routedShards(): u32 {
  return poolUsed;
}

/** Slot of the shard that takes a hash key. */
export function slotOfHashKey(route: u32, high: u64, low: u64): u32 {
  const entry = routes + route * ROUTE_BYTES;
  const first = pool + load<u32>(entry) * ENTRY_BYTES;
  const last = first + (load<u32>(entry, 4) - 1) * ENTRY_BYTES;
  const jump = load<u16>(<usize>load<u32>(entry, 8) + (<usize>(high >> (64 - JUMP_BITS)) << 1));
  let found = first + <usize>jump * ENTRY_BYTES;
  while (found < last) {
    const nextHigh = load<u64>(found, ENTRY_BYTES);
    if (nextHigh > high || (nextHigh == high && load<u64>(found, ENTRY_BYTES + 8) > low)) break;
    found += ENTRY_BYTES;
  }
  return load<u32>(found, 16);
}

/** Slot of the shard whose turn it is on a route that spreads records; the next one's turn comes then. */
export function slotOfTurn(route: u32, tanks: RouteTanks): u32 {
  const entry = routes + route * ROUTE_BYTES;
  // A reshard may have left fewer shards than there were.
  const turn = tanks.turn < load<u32>(entry, 4) ? tanks.turn : 0;
  tanks.turn = turn + 1;
  return load<u32>(pool + (load<u32>(entry) + turn) * ENTRY_BYTES, 16);
}

/** Checks that the slots hold shards which no other route has. */
function checkSlots(route: u32, slots: usize, count: u32): u32 {
  for (let i: u32 = 0; i < count; i++) {
    const slot = load<u32>(slots + (i << 2));
    if (!shardIsPresent(slot)) return ROUTE_SLOT;
    const shard = shardAt(slot);
    if (shard.route != NO_ROUTE && shard.route != route) return ROUTE_TAKEN;
  }
  return ROUTE_OK;
}

/** Removes the route's entries from the pool and moves the later ones down. */
function clearRoute(route: u32): void {
  const entry = routes + route * ROUTE_BYTES;
  const first = load<u32>(entry);
  const count = load<u32>(entry, 4);
  if (count == 0) return;
  for (let i: u32 = 0; i < count; i++) {
    shardAt(load<u32>(pool + (first + i) * ENTRY_BYTES, 16)).route = NO_ROUTE;
  }
  const behind = pool + (first + count) * ENTRY_BYTES;
  memory.copy(pool + first * ENTRY_BYTES, behind, pool + poolUsed * ENTRY_BYTES - behind);
  poolUsed -= count;
  store<u32>(entry, 0, 4);
  for (let other: u32 = 0; other < routesMax; other++) {
    const shifted = routes + other * ROUTE_BYTES;
    if (load<u32>(shifted, 4) != 0 && load<u32>(shifted) > first) {
      store<u32>(shifted, load<u32>(shifted) - count);
    }
  }
}

/** Takes a route away, with its settings. */
export function removeRoute(route: u32): void {
  clearRoute(route);
  clearRouteTanks(route);
}

function startsAfter(entry: usize, shard: Shard): bool {
  const high = load<u64>(entry);
  return high > shard.startHigh || (high == shard.startHigh && load<u64>(entry, 8) > shard.startLow);
}

/** Inserts a shard into the last list of the pool, which begins at `first`. */
function insertEntry(first: usize, slot: u32): void {
  const shard = shardAt(slot);
  let entry = pool + poolUsed * ENTRY_BYTES;
  while (entry > first && startsAfter(entry - ENTRY_BYTES, shard)) {
    memory.copy(entry, entry - ENTRY_BYTES, ENTRY_BYTES);
    entry -= ENTRY_BYTES;
  }
  store<u64>(entry, shard.startHigh);
  store<u64>(entry, shard.startLow, 8);
  store<u32>(entry, slot, 16);
  poolUsed++;
}

/** Whether the sorted entries cover the ring exactly once. */
function coversRing(first: usize, count: u32): bool {
  let high: u64 = 0;
  let low: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const shard = shardAt(load<u32>(first + i * ENTRY_BYTES, 16));
    if (shard.startHigh != high || shard.startLow != low) return false;
    if (shard.endHigh < high || (shard.endHigh == high && shard.endLow < low)) return false;
    low = shard.endLow + 1;
    high = shard.endHigh + (low == 0 ? 1 : 0);
    const wrapped = low == 0 && high == 0;
    if (wrapped) return i == count - 1;
  }
  return false;
}

function fillJumps(route: u32, first: usize, count: u32): void {
  const jumps: usize = load<u32>(routes + route * ROUTE_BYTES, 8);
  let entry: u32 = 0;
  for (let bucket: u32 = 0; bucket < JUMP_ENTRIES; bucket++) {
    const high = <u64>bucket << (64 - JUMP_BITS);
    while (entry + 1 < count) {
      const next = first + (entry + 1) * ENTRY_BYTES;
      const nextHigh = load<u64>(next);
      if (nextHigh > high || (nextHigh == high && load<u64>(next, 8) != 0)) break;
      entry++;
    }
    store<u16>(jumps + (bucket << 1), <u16>entry);
  }
}

/**
 * Sets the shards of a route; none takes the route away. `slots` are u32, at most as many as there are
 * slots. When the shards do not form a route nothing changes. Shards that leave the route keep their
 * records, provisional ones included, and the route keeps its settings.
 */
export function setRoute(route: u32, slots: usize, count: u32): u32 {
  const problem = checkSlots(route, slots, count);
  if (problem != ROUTE_OK) return problem;
  if (count == 0) {
    removeRoute(route);
    return ROUTE_OK;
  }
  const used = poolUsed;
  const sorted = pool + used * ENTRY_BYTES;
  for (let i: u32 = 0; i < count; i++) insertEntry(sorted, load<u32>(slots + (i << 2)));
  if (!coversRing(sorted, count)) {
    poolUsed = used;
    return ROUTE_RING;
  }
  clearRoute(route);
  const firstEntry = poolUsed - count;
  for (let i: u32 = 0; i < count; i++) shardAt(load<u32>(slots + (i << 2))).route = route;
  store<u32>(routes + route * ROUTE_BYTES, firstEntry);
  store<u32>(routes + route * ROUTE_BYTES, count, 4);
  fillJumps(route, pool + firstEntry * ENTRY_BYTES, count);
  return ROUTE_OK;
}
