/**
 * How a route takes records: a quota of all its shards together, and whose turn it is when records are
 * spread whatever their keys. The tanks belong to the route and not to the marks of a shard: what a
 * rewound append took is not given back.
 */
import {
  STATUS_OK,
  STATUS_STREAM_BYTE_RATE,
  STATUS_STREAM_RECORD_RATE,
  WRITE_TANK_BYTES,
} from "../layout";
import { takeTable } from "../memory/tables";
import { holds, refilled, waitFor } from "./tank";

/** Settings and tanks of one route. Instances are places in the table, never created. */
export class RouteTanks {
  /** Quota, and size of that tank; 0 when the route has no quota. */
  recordsPerSecond: f64;
  bytesPerSecond: f64;
  recordTokens: f64;
  byteTokens: f64;
  refillMs: f64;
  /** 1 when records are spread evenly, whatever their keys. */
  spread: u32;
  /** Place, among the shards of the route, of the one that takes the next record that is spread. */
  turn: u32;
}

const ROUTE_TANKS_BYTES: u32 = 48;

let table: usize = 0;

/** Takes the table; false when there is no memory for it. */
export function openRouteTanks(routesMax: u32): bool {
  assert(offsetof<RouteTanks>() <= ROUTE_TANKS_BYTES, "settings fit their place");
  table = takeTable(<usize>routesMax * ROUTE_TANKS_BYTES);
  return table != 0;
}

/** Settings and tanks of a route. */
export function routeTanks(route: u32): RouteTanks {
  return changetype<RouteTanks>(table + <usize>route * ROUTE_TANKS_BYTES);
}

/** The route has no quota and spreads nothing. */
export function clearRouteTanks(route: u32): void {
  memory.fill(changetype<usize>(routeTanks(route)), 0, ROUTE_TANKS_BYTES);
}

/** One second's worth, but always room for the largest record. */
function byteCapacity(tanks: RouteTanks): f64 {
  return max(<f64>WRITE_TANK_BYTES, tanks.bytesPerSecond);
}

/** Sets the quota; 0 and 0 for none. A new quota begins full, another one keeps the level as far as it fits. */
export function setRouteQuota(
  tanks: RouteTanks,
  recordsPerSecond: f64,
  bytesPerSecond: f64,
): void {
  const isNew = tanks.recordsPerSecond == 0;
  tanks.recordsPerSecond = recordsPerSecond;
  tanks.bytesPerSecond = bytesPerSecond;
  const bytes = byteCapacity(tanks);
  tanks.recordTokens = isNew ? recordsPerSecond : min(tanks.recordTokens, recordsPerSecond);
  tanks.byteTokens = isNew ? bytes : min(tanks.byteTokens, bytes);
}

/** STATUS_OK when the quota, if there is one, allows one record of `bytes` now. */
export function routeStatus(tanks: RouteTanks, bytes: u32, nowMs: f64): u32 {
  const perSecond = tanks.recordsPerSecond;
  if (perSecond == 0) return STATUS_OK;
  const elapsedMs = nowMs - tanks.refillMs;
  if (elapsedMs != 0) {
    const capacity = byteCapacity(tanks);
    tanks.recordTokens = refilled(tanks.recordTokens, perSecond, perSecond, elapsedMs);
    tanks.byteTokens = refilled(tanks.byteTokens, capacity, tanks.bytesPerSecond, elapsedMs);
    tanks.refillMs = nowMs;
  }
  if (!holds(tanks.recordTokens, 1)) return STATUS_STREAM_RECORD_RATE;
  return holds(tanks.byteTokens, bytes) ? STATUS_OK : STATUS_STREAM_BYTE_RATE;
}

/** Takes one record of `bytes` that the quota allowed. */
export function takeFromRoute(tanks: RouteTanks, bytes: u32): void {
  if (tanks.recordsPerSecond == 0) return;
  tanks.recordTokens -= 1;
  tanks.byteTokens -= bytes;
}

/** Ms until the quota allows one record of `bytes`; 0 when it does now. */
export function routeRetryAfterMs(tanks: RouteTanks, bytes: u32, nowMs: f64): f64 {
  const perSecond = tanks.recordsPerSecond;
  if (perSecond == 0) return 0;
  const elapsedMs = nowMs - tanks.refillMs;
  const records = refilled(tanks.recordTokens, perSecond, perSecond, elapsedMs);
  const level = refilled(tanks.byteTokens, byteCapacity(tanks), tanks.bytesPerSecond, elapsedMs);
  return max(waitFor(records, 1, perSecond), waitFor(level, bytes, tanks.bytesPerSecond));
}

/** The limit per second that a refusal of the whole stream names; 0 for other statuses. */
export function routeLimit(tanks: RouteTanks, status: u32): f64 {
  if (status == STATUS_STREAM_RECORD_RATE) return tanks.recordsPerSecond;
  return status == STATUS_STREAM_BYTE_RATE ? tanks.bytesPerSecond : 0;
}
