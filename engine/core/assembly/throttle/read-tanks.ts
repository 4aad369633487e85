/**
 * The read quotas of a shard: calls per second and bytes per second.
 *
 * A read is admitted when there is a call left and the byte tank is not in debt; what it turned out to
 * read is charged afterwards. A read of the whole tank or more counts from empty, so that 10 MiB mean a
 * pause of 5 s.
 */
import { READ_BYTES_PER_SECOND, READ_CALLS_PER_SECOND } from "../layout";
import { Shard } from "../log/shard";
import { refilled, waitFor } from "./tank";

function refillReadTanks(shard: Shard, nowMs: f64): void {
  const elapsedMs = nowMs - shard.readRefillMs;
  if (elapsedMs == 0) return;
  const calls: f64 = READ_CALLS_PER_SECOND;
  const bytes: f64 = READ_BYTES_PER_SECOND;
  shard.readCallTokens = refilled(shard.readCallTokens, calls, calls, elapsedMs);
  shard.readByteTokens = refilled(shard.readByteTokens, bytes, bytes, elapsedMs);
  shard.readRefillMs = nowMs;
}

/** Takes one read call: 0 when admitted, else ms to wait. */
export function admitRead(shard: Shard, nowMs: f64): f64 {
  refillReadTanks(shard, nowMs);
  const calls = waitFor(shard.readCallTokens, 1, READ_CALLS_PER_SECOND);
  const bytes = waitFor(shard.readByteTokens, 0, READ_BYTES_PER_SECOND);
  const wait = max(calls, bytes);
  if (wait == 0) shard.readCallTokens -= 1;
  return wait;
}

/** Charges the bytes of an admitted read. */
export function chargeRead(shard: Shard, byteLength: f64, nowMs: f64): void {
  refillReadTanks(shard, nowMs);
  const level = shard.readByteTokens;
  const tank: f64 = READ_BYTES_PER_SECOND;
  shard.readByteTokens = byteLength >= tank ? min(level, 0) - byteLength : level - byteLength;
}
