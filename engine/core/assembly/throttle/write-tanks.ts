/** The write quotas of a shard: records per second and bytes per second. */
import {
  STATUS_BYTE_RATE,
  STATUS_OK,
  STATUS_RECORD_RATE,
  WRITE_BYTES_PER_SECOND,
  WRITE_RECORDS_PER_SECOND,
  WRITE_TANK_BYTES,
} from "../layout";
import { Shard } from "../log/shard";
import { holds, refilled, waitFor } from "./tank";

function refillWriteTanks(shard: Shard, nowMs: f64): void {
  const elapsedMs = nowMs - shard.refillMs;
  if (elapsedMs == 0) return;
  const perSecond: f64 = WRITE_RECORDS_PER_SECOND;
  shard.recordTokens = refilled(shard.recordTokens, perSecond, perSecond, elapsedMs);
  shard.byteTokens = refilled(shard.byteTokens, WRITE_TANK_BYTES, WRITE_BYTES_PER_SECOND, elapsedMs);
  shard.refillMs = nowMs;
}

/** STATUS_OK when the quotas, if they are enforced, allow one record of `bytes` now. */
export function shardStatus(shard: Shard, bytes: u32, nowMs: f64): u32 {
  if (shard.writeQuotas == 0) return STATUS_OK;
  refillWriteTanks(shard, nowMs);
  if (!holds(shard.recordTokens, 1)) return STATUS_RECORD_RATE;
  return holds(shard.byteTokens, bytes) ? STATUS_OK : STATUS_BYTE_RATE;
}

/** Takes one record of `bytes` that the quotas allowed. */
export function takeFromShard(shard: Shard, bytes: u32): void {
  if (shard.writeQuotas == 0) return;
  shard.recordTokens -= 1;
  shard.byteTokens -= bytes;
}

/** Ms until the quotas allow one record of `bytes`; 0 when they do now. */
export function shardRetryAfterMs(shard: Shard, bytes: u32, nowMs: f64): f64 {
  if (shard.writeQuotas == 0) return 0;
  const elapsedMs = nowMs - shard.refillMs;
  const perSecond: f64 = WRITE_RECORDS_PER_SECOND;
  const records = refilled(shard.recordTokens, perSecond, perSecond, elapsedMs);
  const level = refilled(shard.byteTokens, WRITE_TANK_BYTES, WRITE_BYTES_PER_SECOND, elapsedMs);
  return max(waitFor(records, 1, perSecond), waitFor(level, bytes, WRITE_BYTES_PER_SECOND));
}
