/** ListShards, SplitShard, MergeShards, UpdateShardCount. */
import { LimitExceededError } from "../../errors/index.ts";
import type { ControlRecord, DocumentValue, StreamDefinition } from "../../log/control-records.ts";
import { streamArn } from "../../streams/arns.ts";
import type { StreamReference } from "../../streams/catalogue.ts";
import { streamKey } from "../../streams/documents.ts";
import {
  merge,
  openShardsOf,
  type ReshardMoment,
  type ReshardRecord,
  split,
} from "../../streams/lineage.ts";
import { planUniform } from "../../streams/uniform-scaling.ts";
import { listShards } from "./list-shards.ts";
import { type LocatingCall, locateStream, requireProvisioned } from "./located-stream.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";
import { requireShard } from "./shard-outputs.ts";

/** UpdateShardCount calls of one stream in a rolling day. */
const SCALINGS_PER_DAY_MAX = 10;
const DAY_MS = 86_400_000;

/** When a stream was scaled, in ms since the Unix epoch: the document `stream/<uid>/scaling`. */
type ScalingTimes = { readonly shardCountMs?: readonly number[] } & {
  readonly [other: string]: DocumentValue;
};

/** Decides on a reshard of a provisioned, active stream, and commits it. */
async function reshard(
  context: OperationContext,
  reference: StreamReference,
  call: LocatingCall,
  decide: (
    stream: StreamDefinition,
    moment: ReshardMoment,
  ) => {
    readonly reshards: readonly ReshardRecord[];
    readonly also?: readonly ControlRecord[];
  },
): Promise<void> {
  const { catalogue, log, clock } = context;
  await catalogue.change(() => {
    const stream = locateStream(context, reference, call);
    requireProvisioned(stream);
    catalogue.requireActive(stream);
    const moment = { nextShardUid: log.control.nextShardUid, nowMs: clock.nowMs() };
    const { reshards, also = [] } = decide(stream, moment);
    if (reshards.length === 0) return [];
    const opened = reshards.reduce((sum, one) => sum + one.opened.length, 0);
    const closed = reshards.reduce((sum, one) => sum + one.closed.length, 0);
    catalogue.requireRoom(opened - closed, opened);
    return [...reshards, ...also, ...catalogue.transitions.beginning(stream.uid, "UPDATING")];
  });
}

const splitShard: Operation<"SplitShard"> = async (context, input, caller) => {
  await reshard(context, input, { operation: "SplitShard", caller }, (stream, moment) => {
    const { shardIndex } = requireShard(stream, input.ShardToSplit, "ShardToSplit");
    return { reshards: split(stream, shardIndex, BigInt(input.NewStartingHashKey), moment) };
  });
  return undefined;
};

const mergeShards: Operation<"MergeShards"> = async (context, input, caller) => {
  await reshard(context, input, { operation: "MergeShards", caller }, (stream, moment) => {
    const parent = requireShard(stream, input.ShardToMerge, "ShardToMerge");
    const adjacent = requireShard(stream, input.AdjacentShardToMerge, "AdjacentShardToMerge");
    return { reshards: merge(stream, parent.shardIndex, adjacent.shardIndex, moment) };
  });
  return undefined;
};

const updateShardCount: Operation<"UpdateShardCount"> = async (context, input, caller) => {
  const call = { operation: "UpdateShardCount", caller } as const;
  const target = input.TargetShardCount;
  let answer = { name: "", current: 0 };
  await reshard(context, input, call, (stream, moment) => {
    const current = openShardsOf(stream).length;
    answer = { name: stream.name, current };
    checkScaling(current, target);
    if (target === current) return { reshards: [] };
    const also = [countedScaling(context, stream, moment.nowMs)];
    return { reshards: planUniform(stream, target, moment), also };
  });
  return {
    StreamName: answer.name,
    CurrentShardCount: answer.current,
    TargetShardCount: target,
    StreamARN: streamArn(answer.name),
  };
};

/** Refuses more than double and less than half. @throws LimitExceededError. */
function checkScaling(current: number, target: number): void {
  const counts = `Current open shard count: ${current} Target shard count: ${target}`;
  const details = { argument: "TargetShardCount", value: target };
  if (target > current * 2) {
    throw new LimitExceededError(
      `UpdateShardCount cannot scale up over double your current open shard count. ${counts}`,
      { ...details, limit: current * 2 },
    );
  }
  if (target * 2 < current) {
    throw new LimitExceededError(
      `UpdateShardCount cannot scale down below half your current open shard count. ${counts}`,
      { ...details, limit: Math.ceil(current / 2) },
    );
  }
}

/** The record that counts one more scaling of a stream. @throws LimitExceededError for the eleventh of a day. */
function countedScaling(
  { documents }: OperationContext,
  stream: StreamDefinition,
  nowMs: number,
): ControlRecord {
  const key = streamKey(stream.uid, "scaling");
  const times = documents.get<ScalingTimes>(key);
  // Times that lie a day ahead are of a clock that has been set back since.
  const recent = (times?.shardCountMs ?? []).filter((atMs) => Math.abs(nowMs - atMs) < DAY_MS);
  if (recent.length >= SCALINGS_PER_DAY_MAX) {
    const retryAfterMs = (recent[0] ?? nowMs) + DAY_MS - nowMs;
    throw new LimitExceededError(
      `Stream ${stream.name} was scaled ${recent.length} times in the last 24 hours. Limit: ` +
        `${SCALINGS_PER_DAY_MAX} calls of UpdateShardCount per stream in a rolling 24-hour period.`,
      { argument: "TargetShardCount", limit: SCALINGS_PER_DAY_MAX, retryAfterMs },
    );
  }
  return documents.putting(key, { ...times, shardCountMs: [...recent, nowMs] });
}

/** Operations about shards. */
export const shardOperations: Pick<
  OperationTable,
  "ListShards" | "SplitShard" | "MergeShards" | "UpdateShardCount"
> = {
  ListShards: listShards,
  SplitShard: splitShard,
  MergeShards: mergeShards,
  UpdateShardCount: updateShardCount,
};
