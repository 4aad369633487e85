/**
 * Uniform scaling: the splits and merges that bring a stream to another number of shards.
 *
 * Scaling up splits shards where the new ranges should begin, one split per shard and round, until
 * there are enough, and then merges what is too many. Scaling down only merges. That gives the numbers
 * of shards that were recorded from AWS; it also means that ranges are exactly equal only where whole
 * shards or one cut per shard allow it, and as near to equal as they get elsewhere.
 */
import type { ShardDefinition, StreamDefinition } from "../log/control-records.ts";
import { hashKeyOf, middleOf, splitsAt, uniformStarts } from "./hash-ranges.ts";
import {
  mergeStep,
  Resharding,
  type ReshardMoment,
  type ReshardRecord,
  type ReshardStep,
  splitStep,
} from "./lineage.ts";

/**
 * Brings a stream to a number of open shards (UpdateShardCount; also what on-demand streams scale by).
 * Nothing to do is no record.
 */
export function planUniform(
  stream: StreamDefinition,
  targetCount: number,
  moment: ReshardMoment,
): ReshardRecord[] {
  const plan = new Resharding(stream, moment);
  const starts = uniformStarts(targetCount);
  while (plan.open.length < targetCount) plan.take(splitRound(plan.open, starts));
  const kept = keptStarts(plan.open, starts);
  while (plan.open.length > targetCount) plan.take(mergeRound(plan.open, kept));
  return [...plan.records];
}

/** Splits every shard that holds one of the wanted starts, at the one nearest to its middle. */
function splitRound(open: readonly ShardDefinition[], starts: readonly bigint[]): ReshardStep[] {
  const steps = open.flatMap((shard) => {
    const [first, last] = [hashKeyOf(shard.startingHashKey), hashKeyOf(shard.endingHashKey)];
    const inside = starts.filter((start) => start > first && start < last);
    const at = nearest(inside, middleOf(shard));
    return at !== undefined && splitsAt(shard, at) ? [splitStep(shard, at)] : [];
  });
  if (steps.length > 0) return steps;
  // All starts that are left lie on the edge of shards too small to be split there.
  const widest = open.reduce((best, shard) => (widthOf(shard) > widthOf(best) ? shard : best));
  return [splitStep(widest, middleOf(widest))];
}

/** Merges pairs of neighbours that no kept start divides, as many as there are side by side. */
function mergeRound(open: readonly ShardDefinition[], kept: ReadonlySet<bigint>): ReshardStep[] {
  const steps: ReshardStep[] = [];
  let lower: ShardDefinition | undefined;
  for (const shard of open) {
    if (lower === undefined || kept.has(hashKeyOf(shard.startingHashKey))) {
      lower = shard;
      continue;
    }
    steps.push(mergeStep(lower, shard));
    lower = undefined;
  }
  return steps;
}

/** Of the places where shards begin, those that lie nearest to the wanted ones, in their order. */
function keptStarts(
  open: readonly ShardDefinition[],
  starts: readonly bigint[],
): ReadonlySet<bigint> {
  const present = open.slice(1).map(({ startingHashKey }) => hashKeyOf(startingHashKey));
  const kept = new Set<bigint>();
  let from = 0;
  for (const [i, start] of starts.entries()) {
    // Enough places must be left for the wanted starts that follow.
    const until = present.length - (starts.length - 1 - i);
    const best = nearest(present.slice(from, until), start);
    if (best === undefined) throw new Error("fewer shards than a merge is to leave");
    kept.add(best);
    from = present.indexOf(best, from) + 1;
  }
  return kept;
}

function nearest(candidates: readonly bigint[], to: bigint): bigint | undefined {
  let best: bigint | undefined;
  for (const one of candidates) {
    if (best === undefined || distance(one, to) < distance(best, to)) best = one;
  }
  return best;
}

function distance(left: bigint, right: bigint): bigint {
  return left > right ? left - right : right - left;
}

function widthOf(shard: ShardDefinition): bigint {
  return hashKeyOf(shard.endingHashKey) - hashKeyOf(shard.startingHashKey);
}
