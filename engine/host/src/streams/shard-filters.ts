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

/** Whether a value is a filter. */
export function isShardFilter(value: unknown): value is ShardFilter {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  if (value.kind === "all" || value.kind === "open") return true;
  const timed = value.kind === "at" || value.kind === "from";
  return timed && "ms" in value && typeof value.ms === "number";
}

/** The time of a stream's oldest readable record: its retention ago, or its creation. */
export function trimHorizonMs(stream: StreamDefinition, nowMs: number): number {
  return Math.max(stream.createdMs, nowMs - stream.retentionHours * HOUR_MS);
}

/** The shards of a stream that a filter chooses, by index. */
export function chosenShards(
  { shards }: Pick<StreamDefinition, "shards">,
  filter: ShardFilter,
): readonly ShardDefinition[] {
  switch (filter.kind) {
    case "all":
      return shards;
    case "open":
      return shards.filter(isOpen);
    case "from":
      return shards.filter((shard) => isOpen(shard) || (shard.closedMs ?? 0) >= filter.ms);
    case "at":
      return openAt(shards, filter.ms);
  }
}

/**
 * The shards that were open at a time. A shard took over its hash keys when its parents closed; shards
 * without parents were there from the beginning, and those whose parents are expired opened before
 * everything that can be asked about.
 */
function openAt(shards: readonly ShardDefinition[], ms: number): ShardDefinition[] {
  const isTaken = (shard: ShardDefinition): boolean => isOpen(shard) || (shard.closedMs ?? 0) > ms;
  const waiting = new Set(shards.filter(isTaken).map(({ shardIndex }) => shardIndex));
  return shards.filter(
    (shard) => isTaken(shard) && !parentIndexesOf(shard).some((parent) => waiting.has(parent)),
  );
}
