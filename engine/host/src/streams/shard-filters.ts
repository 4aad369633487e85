/** Which of a stream's shards were open at a time: the filters of ListShards (AWS: ShardFilter). */
import type { ShardDefinition, StreamDefinition } from "../log/control-records.ts";
import { isOpen, parentIndexesOf } from "./lineage.ts";

const HOUR_MS = 3_600_000;

/** A choice of shards. Times are ms since the Unix epoch. */
export type ShardFilter =
  | { readonly kind: "all" }
  | { readonly kind: "open" }
  /** Those that were open at that time: together they cover the ring exactly once. */
  | { readonly kind: "at"; readonly ms: number }
  /** Those that were open at that time or later. */
  | { readonly kind: "from"; readonly ms: number };

/** The time of a stream's oldest readable record: its retention ago, or its creation. */
export function trimHorizonMs(stream: StreamDefinition, nowMs: number): number {
  return Math.max(stream.createdMs, nowMs - stream.retentionHours * HOUR_MS);
}

/** Whether a filter chooses a shard of a stream. */
export function chooses(
  filter: ShardFilter,
  stream: StreamDefinition,
  shard: ShardDefinition,
): boolean {
  switch (filter.kind) {
    case "all":
      return true;
    case "open":
      return isOpen(shard);
    case "from":
      return isOpen(shard) || (shard.closedMs ?? 0) >= filter.ms;
    case "at":
      return (
        openedMs(stream, shard) <= filter.ms && (isOpen(shard) || closedAfter(shard, filter.ms))
      );
  }
}

function closedAfter(shard: ShardDefinition, ms: number): boolean {
  return (shard.closedMs ?? 0) > ms;
}

/**
 * When a shard took over its hash keys: when its parents closed. Shards without parents were there from
 * the beginning, and those whose parents are expired opened before everything that can be asked about.
 */
function openedMs(stream: StreamDefinition, shard: ShardDefinition): number {
  const parents = parentIndexesOf(shard);
  const closings = stream.shards
    .filter(({ shardIndex }) => parents.includes(shardIndex))
    .map(({ closedMs }) => closedMs ?? 0);
  return Math.max(Number.NEGATIVE_INFINITY, ...closings);
}
