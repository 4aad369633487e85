/** Rates of the shards, derived from two samples of the engine's counters. */
import type { ShardMetrics } from "millrace";

/** Rates of one shard between two samples. */
export interface ShardRates {
  readonly shardIndex: number;
  readonly incomingRecordsPerSecond: number;
  readonly incomingBytesPerSecond: number;
  readonly throttledRecordsPerSecond: number;
  readonly outgoingRecordsPerSecond: number;
  /** Records committed since the engine opened. */
  readonly incomingRecords: number;
  /** Records refused since the engine opened. */
  readonly throttledRecords: number;
}

/** The engine's counters at one moment (ms of a monotonic clock). */
export interface MetricsSample {
  readonly takenMs: number;
  readonly shards: readonly ShardMetrics[];
}

/** Rates between two samples of the same engine; zeros where there is no earlier one. */
export function ratesBetween(
  earlier: MetricsSample | undefined,
  later: MetricsSample,
): ShardRates[] {
  const seconds = earlier === undefined ? 0 : (later.takenMs - earlier.takenMs) / 1000;
  const perSecond = (before: number, after: number): number =>
    seconds <= 0 ? 0 : Math.max(0, after - before) / seconds;
  return later.shards.map((now) => {
    const then = earlier?.shards.find(({ shardIndex }) => shardIndex === now.shardIndex) ?? now;
    return {
      shardIndex: now.shardIndex,
      incomingRecordsPerSecond: perSecond(then.incomingRecords, now.incomingRecords),
      incomingBytesPerSecond: perSecond(then.incomingBytes, now.incomingBytes),
      throttledRecordsPerSecond: perSecond(then.throttledRecords, now.throttledRecords),
      outgoingRecordsPerSecond: perSecond(then.outgoingRecords, now.outgoingRecords),
      incomingRecords: now.incomingRecords,
      throttledRecords: now.throttledRecords,
    };
  });
}
