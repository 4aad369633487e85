/**
 * The capacity of on-demand streams as a pure model: no clock, no state of its own, time as an argument.
 *
 * A stream takes twice the peak of the last 30 days, and no less than a new stream or its warm
 * throughput. Capacity at most doubles from one adjustment to the next: what producers offer again
 * because it was refused would otherwise count as demand. An adjustment a minute reaches any target
 * within this engine's shard limit in less than 15 minutes.
 */
import type { WriteCapacity } from "../log/control-records.ts";

/** What one shard contributes to a stream's capacity. */
export const SHARD_CAPACITY: WriteCapacity = {
  recordsPerSecond: 1_000,
  bytesPerSecond: 1_048_576,
};
/** Shards of a new on-demand stream, and the fewest that one has. */
export const ON_DEMAND_SHARDS_MIN = 4;
/** Capacity of a new on-demand stream, and the least that one has: 4,000 records and 4 MiB per second. */
export const ON_DEMAND_CAPACITY_MIN: WriteCapacity = capacityOfShards(ON_DEMAND_SHARDS_MIN);
/** How long a peak counts: 30 days. */
export const PEAK_AGE_MS_MAX = 2_592_000_000;
/** On-demand streams of one account. */
export const ON_DEMAND_STREAMS_MAX = 50;
/** Highest warm throughput of a stream: 10 GiB per second, in MiB per second. */
export const WARM_MIBPS_MAX = 10_240;
/** How often capacity is adjusted. */
export const ADJUSTMENT_INTERVAL_MS = 60_000;

const HOUR_MS = 3_600_000;
/** Capacity over the highest peak. */
const HEADROOM = 2;
/** Largest factor by which one adjustment raises capacity. */
const GROWTH_MAX = 2;

/** The highest offered load of an hour: hours since the Unix epoch, records and bytes per second. */
export type HourlyPeak = readonly [hour: number, recordsPerSecond: number, bytesPerSecond: number];

/**
 * Peaks of the last 30 days, oldest first. What can never decide is left out: hours that a later one
 * surpasses in both respects, and loads of which the least capacity is twice as much anyway.
 */
export type CapacityHistory = {
  readonly peaks: readonly HourlyPeak[];
};

/** The history of a new stream. */
export const NO_HISTORY: CapacityHistory = { peaks: [] };

/** Capacity of a number of shards. */
export function capacityOfShards(count: number): WriteCapacity {
  return {
    recordsPerSecond: count * SHARD_CAPACITY.recordsPerSecond,
    bytesPerSecond: count * SHARD_CAPACITY.bytesPerSecond,
  };
}

/** Capacity that a warm throughput in MiB per second promises (AWS: WarmThroughputMiBps). */
export function warmCapacity(warmMibps: number): WriteCapacity {
  return capacityOfShards(warmMibps);
}

/** An hour counts until its last moment is 30 days old. */
function counts([hour]: HourlyPeak, nowMs: number): boolean {
  return (hour + 1) * HOUR_MS + PEAK_AGE_MS_MAX > nowMs;
}

/** Whether a load takes more than the least capacity. */
function decides({ recordsPerSecond, bytesPerSecond }: WriteCapacity): boolean {
  return (
    recordsPerSecond * HEADROOM > ON_DEMAND_CAPACITY_MIN.recordsPerSecond ||
    bytesPerSecond * HEADROOM > ON_DEMAND_CAPACITY_MIN.bytesPerSecond
  );
}

/**
 * A history with one more observation of what was offered per second, accepted or not, and without the
 * hours that no longer count. The same object when that changes nothing.
 */
export function observe(
  history: CapacityHistory,
  nowMs: number,
  offered: WriteCapacity,
): CapacityHistory {
  const { peaks } = history;
  const [records, bytes] = decides(offered)
    ? [Math.ceil(offered.recordsPerSecond), Math.ceil(offered.bytesPerSecond)]
    : [0, 0];
  // A clock that went back continues the newest hour, so that hours ascend.
  const hour = Math.max(Math.floor(nowMs / HOUR_MS), peaks.at(-1)?.[0] ?? 0);
  const surpassed = peaks.some(([at, r, b]) => at === hour && r >= records && b >= bytes);
  if ((surpassed || (records === 0 && bytes === 0)) && peaks.every((one) => counts(one, nowMs))) {
    return history;
  }
  const same = peaks.find(([at]) => at === hour);
  const newest: HourlyPeak = [
    hour,
    Math.max(records, same?.[1] ?? 0),
    Math.max(bytes, same?.[2] ?? 0),
  ];
  const older = peaks.filter(
    (one) => one[0] < hour && counts(one, nowMs) && (one[1] > newest[1] || one[2] > newest[2]),
  );
  return { peaks: newest[1] === 0 && newest[2] === 0 ? older : [...older, newest] };
}

/** The highest load of the last 30 days, each respect by itself. */
export function peakOf(history: CapacityHistory, nowMs: number): WriteCapacity {
  const counting = history.peaks.filter((one) => counts(one, nowMs));
  return {
    recordsPerSecond: Math.max(0, ...counting.map(([, records]) => records)),
    bytesPerSecond: Math.max(0, ...counting.map(([, , bytes]) => bytes)),
  };
}

function each(
  left: WriteCapacity,
  right: WriteCapacity,
  choose: (left: number, right: number) => number,
): WriteCapacity {
  return {
    recordsPerSecond: choose(left.recordsPerSecond, right.recordsPerSecond),
    bytesPerSecond: choose(left.bytesPerSecond, right.bytesPerSecond),
  };
}

function times(capacity: WriteCapacity, factor: number): WriteCapacity {
  return each(capacity, capacity, (one) => one * factor);
}

/** The capacity that a stream should have by its peaks and its warm throughput in MiB per second. */
export function targetCapacity(
  history: CapacityHistory,
  nowMs: number,
  warmMibps: number,
): WriteCapacity {
  const byPeak = times(peakOf(history, nowMs), HEADROOM);
  const least = each(ON_DEMAND_CAPACITY_MIN, warmCapacity(warmMibps), Math.max);
  return each(byPeak, least, Math.max);
}

/**
 * The load that an observation counts as: at most what doubles the capacity once more, because the
 * rest may be what was refused and offered again.
 */
export function countedLoad(offered: WriteCapacity, capacity: WriteCapacity): WriteCapacity {
  return each(offered, times(capacity, GROWTH_MAX), Math.min);
}

/** Capacity after one adjustment towards a target: down at once, up by no more than twice. */
export function adjusted(capacity: WriteCapacity, target: WriteCapacity): WriteCapacity {
  return each(times(capacity, GROWTH_MAX), target, Math.min);
}

/** The part of a capacity that so many shards give, but no less than a new stream has. */
export function boundedCapacity(capacity: WriteCapacity, shardsMax: number): WriteCapacity {
  const bound = capacityOfShards(Math.max(shardsMax, ON_DEMAND_SHARDS_MIN));
  return each(capacity, bound, Math.min);
}

/** Whether two capacities are the same. */
export function sameCapacity(left: WriteCapacity, right: WriteCapacity): boolean {
  return (
    left.recordsPerSecond === right.recordsPerSecond && left.bytesPerSecond === right.bytesPerSecond
  );
}

/** Shards that a capacity takes at least. */
export function shardsNeeded(capacity: WriteCapacity): number {
  return Math.max(
    ON_DEMAND_SHARDS_MIN,
    Math.ceil(capacity.recordsPerSecond / SHARD_CAPACITY.recordsPerSecond),
    Math.ceil(capacity.bytesPerSecond / SHARD_CAPACITY.bytesPerSecond),
  );
}

/**
 * Number of open shards for a capacity: what there is while it is enough and not too much, else as many
 * as it takes, rounded up to 4, 8, 16 and so on. Load that grows little by little would otherwise
 * reshard every minute and leave closed shards behind each time. At most `shardsMax`.
 */
export function shardCountFor(
  capacity: WriteCapacity,
  openShards: number,
  shardsMax: number,
): number {
  const needed = shardsNeeded(capacity);
  const doublings = Math.ceil(Math.log2(needed / ON_DEMAND_SHARDS_MIN));
  const rounded = ON_DEMAND_SHARDS_MIN * 2 ** doublings;
  if (openShards >= needed && openShards <= rounded) return openShards;
  return Math.max(ON_DEMAND_SHARDS_MIN, Math.min(rounded, shardsMax));
}

/** The history of a stream that becomes on-demand with so many shards: it keeps their capacity for 30 days. */
export function historyOfShards(count: number, nowMs: number): CapacityHistory {
  if (count <= ON_DEMAND_SHARDS_MIN) return NO_HISTORY;
  return observe(NO_HISTORY, nowMs, times(capacityOfShards(count), 1 / HEADROOM));
}

/** Milliseconds until the oldest peak no longer counts; undefined when there is none. */
export function nextExpiryMs(history: CapacityHistory, nowMs: number): number | undefined {
  const [oldest] = history.peaks;
  if (oldest === undefined) return undefined;
  return Math.max(0, (oldest[0] + 1) * HOUR_MS + PEAK_AGE_MS_MAX - nowMs);
}
