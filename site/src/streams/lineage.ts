/** The history of a stream's shards laid out over time: a lane per shard, and edges from parents to children. */
import type { HashKeyRange } from "../live/ring-geometry.ts";

/** A shard as the engine describes it, as far as its history goes. */
export interface LineageShard extends HashKeyRange {
  readonly shardId: string;
  readonly createdSeconds: number;
  readonly closedMs?: number;
  readonly parentShardIndex?: number;
  readonly adjacentParentShardIndex?: number;
}

/** How a shard came to be. */
export type Origin = "created" | "split" | "merge";

/** The lane of one shard. Places are shares of the width, from 0 to 1. */
export interface Lane {
  readonly shard: LineageShard;
  readonly origin: Origin;
  /** Indexes of its parents, also those that retention has dropped. */
  readonly parents: readonly number[];
  readonly start: number;
  readonly end: number;
  readonly startMs: number;
  /** Undefined while the shard is open. */
  readonly endMs: number | undefined;
}

/** A parent's end that leads to a child's beginning; `from` and `to` count lanes. */
export interface Edge {
  readonly from: number;
  readonly to: number;
  readonly fromPlace: number;
  readonly toPlace: number;
}

/** A moment on the time axis. */
export interface Tick {
  readonly place: number;
  readonly atMs: number;
}

/** Everything that is drawn. */
export interface Lineage {
  readonly lanes: readonly Lane[];
  readonly edges: readonly Edge[];
  readonly ticks: readonly Tick[];
}

/** `time`: a second is as wide as any other. `events`: every reshard is as far from the next. */
export type Spacing = "time" | "events";

const TICKS_MAX = 6;

/** Indexes of the shards that a shard was made of. */
export function parentIndexes(shard: LineageShard): number[] {
  const { parentShardIndex, adjacentParentShardIndex } = shard;
  return [parentShardIndex, adjacentParentShardIndex].filter((index) => index !== undefined);
}

function originOf(shard: LineageShard): Origin {
  const parents = parentIndexes(shard).length;
  if (parents === 0) return "created";
  return parents === 1 ? "split" : "merge";
}

/** A child begins where its parents end; their numbers count seconds and may be ahead of the clock. */
function startOf(shard: LineageShard, byIndex: ReadonlyMap<number, LineageShard>): number {
  const closings = parentIndexes(shard).flatMap((index) => byIndex.get(index)?.closedMs ?? []);
  return closings.length === 0 ? shard.createdSeconds * 1000 : Math.max(...closings);
}

function byHashKeys(left: LineageShard, right: LineageShard): number {
  const from = BigInt(left.startingHashKey) - BigInt(right.startingHashKey);
  if (from !== 0n) return from < 0n ? -1 : 1;
  return left.shardIndex - right.shardIndex;
}

/** Places of moments, by the moments that matter. */
function scaleOf(
  moments: readonly number[],
  nowMs: number,
  spacing: Spacing,
): (atMs: number) => number {
  const sorted = [...new Set(moments)].filter((atMs) => atMs < nowMs).sort((a, b) => a - b);
  const [firstMs = nowMs] = sorted;
  if (spacing === "time") {
    const width = Math.max(1, nowMs - firstMs);
    return (atMs) => Math.min(1, Math.max(0, (atMs - firstMs) / width));
  }
  const steps = Math.max(1, sorted.length);
  return (atMs) => {
    const step = sorted.indexOf(atMs);
    return step < 0 ? (atMs >= nowMs ? 1 : 0) : step / steps;
  };
}

function ticksOf(
  moments: readonly number[],
  nowMs: number,
  spacing: Spacing,
  placeOf: (atMs: number) => number,
): Tick[] {
  const sorted = [...new Set(moments)].sort((a, b) => a - b);
  const [firstMs = nowMs] = sorted;
  if (spacing === "time") {
    return Array.from({ length: TICKS_MAX }, (_, i) => {
      const atMs = firstMs + ((nowMs - firstMs) * i) / (TICKS_MAX - 1);
      return { atMs, place: placeOf(atMs) };
    });
  }
  const every = Math.ceil(sorted.length / (TICKS_MAX - 1));
  const shown = sorted.filter((_, i) => i % every === 0);
  return [...shown, nowMs].map((atMs) => ({ atMs, place: placeOf(atMs) }));
}

/** Lays out the shards, open and closed, as they are at `nowMs` (ms since the Unix epoch). */
export function lineageOf(
  shards: readonly LineageShard[],
  nowMs: number,
  spacing: Spacing = "time",
): Lineage {
  const byIndex = new Map(shards.map((shard) => [shard.shardIndex, shard]));
  const spans = [...shards].sort(byHashKeys).map((shard) => {
    const startMs = Math.min(startOf(shard, byIndex), nowMs);
    return { shard, startMs, endMs: shard.closedMs };
  });
  const moments = spans.flatMap(({ startMs, endMs }) => [startMs, endMs ?? startMs]);
  const placeOf = scaleOf(moments, nowMs, spacing);
  const lanes = spans.map(({ shard, startMs, endMs }) => ({
    ...{ shard, startMs, endMs, origin: originOf(shard), parents: parentIndexes(shard) },
    start: placeOf(startMs),
    end: endMs === undefined ? 1 : placeOf(endMs),
  }));
  const laneOf = new Map(lanes.map(({ shard }, i) => [shard.shardIndex, i]));
  const edges = lanes.flatMap((lane, to) =>
    lane.parents.flatMap((parent) => {
      const from = laneOf.get(parent);
      if (from === undefined) return [];
      return [{ from, to, fromPlace: lanes[from]?.end ?? 0, toPlace: lane.start }];
    }),
  );
  return { lanes, edges, ticks: ticksOf(moments, nowMs, spacing, placeOf) };
}
